/**
 * The serial lines of virtual machines, each shared by all who attach to it.
 *
 * QEMU serves one client of a line at a time and lets others wait without a word. So the daemon is that client, from the first who
 * attaches to the last who leaves: everybody sees what is shown and may type, as at `screen -x`. A guest never waits for anybody: who reads too
 * slowly misses something and is told so.
 */
import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { Readable, Writable } from 'node:stream'
import type { Terminal } from '../../lib/terminal.ts'
import { unavailable } from '../../model/errors.ts'
import type { InstanceId } from '../../model/ids.ts'
import { notRunning } from './driver.ts'

/** What is kept for one who does not read. */
const BACKLOG_LIMIT_BYTES = 256 * 1024
/** One who has typed all has seen all when the line is silent for so long. */
const QUIET_MS = 3_000
const CONNECT_DEADLINE_MS = 5_000

/** All lines of a host. */
export interface SerialLines {
  /** Attaches to the line whose socket is at `path`. Errors: `refused` when its machine does not run, `unavailable`. */
  attach(instance: InstanceId, path: string): Promise<Terminal>
  /** Leaves all lines; machines go on. */
  close(): void
}

/** One who is attached. */
interface Client {
  hear(bytes: Buffer): void
  /** The line has ended. */
  end(reason: string): void
}

interface Line {
  readonly socket: Socket
  readonly clients: Set<Client>
  /** Says that nobody can attach to it any more. */
  readonly forget: () => void
}

/** Nobody is attached to any line. */
export function createSerialLines({ quietMs = QUIET_MS } = {}): SerialLines {
  const lines = new Map<InstanceId, Promise<Line>>()

  function open(instance: InstanceId, path: string): Promise<Line> {
    // Whoever attaches next opens it anew.
    const forget = () => {
      if (lines.get(instance) === opening) lines.delete(instance)
    }
    const opening = connect(instance, path, forget)
    opening.catch(forget)
    lines.set(instance, opening)
    return opening
  }

  return {
    async attach(instance, path) {
      const line = await (lines.get(instance) ?? open(instance, path))
      if (line.socket.destroyed) throw notRunning(instance)
      return attachTo(line, quietMs)
    },
    close() {
      for (const opening of lines.values())
        opening.then(({ socket }) => socket.destroy()).catch(() => undefined)
    },
  }
}

/** What a socket answers whose process has ended, or never was. */
const NOBODY: ReadonlySet<unknown> = new Set(['ECONNREFUSED', 'ENOENT'])

async function connect(instance: InstanceId, path: string, forget: () => void): Promise<Line> {
  const socket = createConnection(path)
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(CONNECT_DEADLINE_MS) })
  } catch (error) {
    socket.destroy()
    if (error instanceof Error && 'code' in error && NOBODY.has(error.code))
      throw notRunning(instance)
    throw unavailable(`no serial line answers at ${path}`, error)
  }
  const clients = new Set<Client>()
  socket.on('data', (bytes: Buffer) => {
    for (const client of clients) client.hear(bytes)
  })
  // The close that follows is what counts.
  socket.on('error', () => undefined)
  socket.once('close', () => {
    forget()
    for (const client of clients) client.end('the virtual machine has stopped')
  })
  return { socket, clients, forget }
}

function attachTo({ socket, clients, forget }: Line, quietMs: number): Terminal {
  let reason = 'detached'
  let missedBytes = 0
  let quiet: NodeJS.Timeout | null = null
  const output = new Readable({
    read() {
      if (missedBytes === 0) return
      const note = `\r\n[atoll: ${missedBytes} bytes came too fast and are not shown]\r\n`
      missedBytes = 0
      this.push(note)
    },
  })
  const client: Client = {
    hear(bytes) {
      quiet?.refresh()
      if (output.readableLength + bytes.length > BACKLOG_LIMIT_BYTES || missedBytes > 0)
        missedBytes += bytes.length
      else output.push(bytes)
    },
    end(why) {
      reason = why
      leave()
      output.push(null)
    },
  }
  const leave = () => {
    if (quiet !== null) clearTimeout(quiet)
    if (!clients.delete(client) || clients.size > 0) return
    forget()
    socket.destroy()
  }
  const input = new Writable({
    // One piece of each at a time is on its way. That the line breaks is told by `output`.
    write: (bytes: Buffer, _encoding, done) => void socket.write(bytes, () => done()),
    final(done) {
      quiet = setTimeout(() => client.end('all was typed, and the line fell silent'), quietMs)
      done()
    },
  })
  clients.add(client)
  return {
    kind: 'serial',
    output,
    input,
    // A line has no size.
    resize: async () => undefined,
    end: async () => ({ exitCode: null, reason }),
    async close() {
      leave()
      input.destroy()
      output.destroy()
    },
  }
}
