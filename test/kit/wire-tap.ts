/**
 * A relay between a MariaDB client and its server that drops what a test says: a commit on its way,
 * its answer, or everything from now on, as when a machine loses its power. Neither side gets an
 * error.
 */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** COM_QUERY and the statement (https://mariadb.com/kb/en/com_query/). */
const COMMIT = Buffer.from('\u0003commit')
/** First byte of a packet's body that is a statement. */
const COM_QUERY = 3
const BODY_OFFSET = 4

export type CommitOutcome =
  | 'passes'
  /** The commit does not reach the server, and nothing else goes through any more. */
  | 'request lost'
  /** The server commits, and nothing else goes through any more. */
  | 'answer lost'
  /** As when the request is lost, but it does arrive when `deliver` is called. */
  | 'request late'

export interface WireTap {
  readonly address: string
  /** What becomes of the next commit; `happened` resolves when it has come. */
  expectCommit(fate: CommitOutcome): { readonly happened: Promise<void> }
  /** Brings a late request to the server. */
  deliver(): void
  /** Loses everything from the `k`-th statement on, counted from now, from 1. */
  goSilentAt(k: number): void
  goSilent(): void
  /** New connections go through again; those from before stay dead. */
  heal(): void
  close(): Promise<void>
}

/** Relays to a server on this machine's loopback. */
export async function startWireTap(serverPort: number): Promise<WireTap> {
  const sockets = new Set<Socket>()
  const state: { silent: boolean; fate: CommitOutcome; statementsLeft: number } = {
    silent: false,
    fate: 'passes',
    statementsLeft: Number.POSITIVE_INFINITY,
  }
  let happened = Promise.withResolvers<void>()
  let late: (() => void) | undefined
  const server = createServer((client) => {
    const upstream = connect({ host: '127.0.0.1', port: serverPort, noDelay: true })
    client.setNoDelay(true)
    let dead = state.silent
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => sockets.delete(socket))
    }
    client.on('data', (chunk: Buffer) => {
      if (isStatement(chunk)) state.statementsLeft -= 1
      if (state.statementsLeft <= 0) state.silent = true
      dead ||= state.silent
      if (dead) return
      if (state.fate !== 'passes' && chunk.includes(COMMIT)) {
        dead = true
        state.silent = true
        if (state.fate === 'answer lost') upstream.write(chunk)
        if (state.fate === 'request late') late = () => upstream.write(chunk)
        state.fate = 'passes'
        happened.resolve()
      } else upstream.write(chunk)
    })
    upstream.on('data', (chunk) => {
      dead ||= state.silent
      if (!dead) client.write(chunk)
    })
    client.on('end', () => !dead && !state.silent && upstream.end())
    upstream.on('end', () => !dead && !state.silent && client.end())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a server without a port')
  return {
    address: `127.0.0.1:${address.port}`,
    expectCommit(fate) {
      happened = Promise.withResolvers()
      state.fate = fate
      return { happened: happened.promise }
    },
    deliver: () => late?.(),
    goSilentAt(k) {
      state.statementsLeft = k
    },
    goSilent() {
      state.silent = true
    },
    heal() {
      state.silent = false
      state.statementsLeft = Number.POSITIVE_INFINITY
    },
    async close() {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}

function isStatement(chunk: Buffer): boolean {
  return chunk[BODY_OFFSET] === COM_QUERY
}
