/**
 * `atoll console`: attaches whoever sits before it, or a pipe, to the terminal of an instance, on
 * whichever host that is.
 *
 * The daemon on this host names the place and gives the ticket; the terminal itself comes straight
 * from the instance's host, over TLS from another one, which shows its certificate for its name.
 * However it ends, the terminal here is left as it was found.
 */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { ClientRequest, RequestOptions } from 'node:http'
import type { Duplex } from 'node:stream'
import { z } from 'zod'
import { request } from '../lib/http.ts'
import type { Screen, TerminalEnd } from '../lib/terminal.ts'
import { createTerminalLink, type TerminalLink } from '../lib/terminal-link.ts'
import {
  formatScreen,
  parseScreen,
  SCREEN_HEADER,
  TERMINAL_PATH,
  TERMINAL_PROTOCOL,
  TICKET_HEADER,
} from '../lib/terminal-request.ts'
import { messageOf, unavailable } from '../model/errors.ts'
import { adminSocketFile, orderAdmin } from './admin-client.ts'
import { createKeyboard, type Keyboard } from './keyboard.ts'

/** What the command has in front of it. */
export interface Desk {
  readonly input: NodeJS.ReadStream
  readonly output: NodeJS.WriteStream
  /** For what the command itself has to say. */
  readonly notes: NodeJS.WriteStream
  /** As in TERM. */
  readonly term: string
  /** Aborts with the number of the signal that asks the command to end. */
  readonly ending: AbortSignal
}

/** Where the command finds what it needs. */
export interface ConsolePaths {
  readonly runtimeDir: string
  /** The CA (PEM) of the hosts' certificates. */
  readonly authorityFile: string
}

const CONNECT_DEADLINE_MS = 5_000
/** Of a terminal that does not say how large it is. */
const DEFAULT_SIZE = { columns: 80, rows: 24 }

/** A terminal of a kind that nobody has heard of. */
const PLAIN_TERM = 'dumb'

const placeSchema = z.object({
  at: z.object({ address: z.ipv4(), port: z.int() }).nullable(),
  host: z.string().max(64),
  ticket: z.string().max(128),
})

/**
 * Attaches until the terminal ends or its user leaves. Gives the exit code of the program that
 * ended, 0 when nothing failed. Errors: those of `orderAdmin`, and `unavailable` when the
 * connection cannot be made or is lost.
 */
export async function attachConsole(
  { runtimeDir, authorityFile }: ConsolePaths,
  instance: string,
  desk: Desk,
): Promise<number> {
  const path = `/v1/instances/${encodeURIComponent(instance)}/console`
  const place = placeSchema.parse(await orderAdmin(runtimeDir, path))
  const screen = screenOf(desk)
  const { socket, head } = await connect(place, { runtimeDir, authorityFile }, screen)
  await using open = new AsyncDisposableStack()
  const link = createTerminalLink(socket, head)
  open.defer(() => link.close())
  const keyboard = createKeyboard(link, desk.input)
  open.defer(() => keyboard.close())
  if (screen !== null) open.defer(followSize(link, desk))
  const name = `${instance} on ${place.host}`
  const end = await Promise.race([show(link, desk, name), left(desk, keyboard)])
  keyboard.close()
  // What the guest showed last need not have been a line.
  if (screen !== null) desk.notes.write('\n')
  if (screen !== null || end.exitCode === null) desk.notes.write(`atoll: ${end.reason}\n`)
  return end.exitCode ?? 0
}

/** Tells the other end each new size of the window, until the returned function is called. */
function followSize(link: TerminalLink, desk: Desk): () => void {
  const onResize = () => {
    const { columns, rows } = screenOf(desk) ?? DEFAULT_SIZE
    link.send({ kind: 'resize', columns, rows }).catch(() => undefined)
  }
  desk.output.on('resize', onResize)
  return () => void desk.output.off('resize', onResize)
}

/** Null: there is nobody, but a pipe. */
function screenOf({ input, output, term }: Desk): Screen | null {
  if (!input.isTTY) return null
  // A stream that is no terminal has neither, whatever its type says, and some terminals say 0.
  const { columns, rows }: { readonly columns?: number; readonly rows?: number } = output
  const size = { columns: columns || DEFAULT_SIZE.columns, rows: rows || DEFAULT_SIZE.rows }
  return parseScreen(formatScreen({ term, ...size })) ?? { term: PLAIN_TERM, ...size }
}

async function connect(
  { at, host, ticket }: z.output<typeof placeSchema>,
  { runtimeDir, authorityFile }: ConsolePaths,
  screen: Screen | null,
): Promise<{ readonly socket: Duplex; readonly head: Buffer }> {
  const where = at === null ? 'atolld' : `host ${host} (${at.address}:${at.port})`
  const connected = Promise.withResolvers<{ readonly socket: Duplex; readonly head: Buffer }>()
  const options = {
    path: TERMINAL_PATH,
    headers: {
      connection: 'Upgrade',
      upgrade: TERMINAL_PROTOCOL,
      [TICKET_HEADER]: ticket,
      ...(screen === null ? {} : { [SCREEN_HEADER]: formatScreen(screen) }),
    },
    signal: AbortSignal.timeout(CONNECT_DEADLINE_MS),
  }
  const outgoing =
    at === null
      ? request({ ...options, socketPath: adminSocketFile(runtimeDir) })
      : await requestOf(host, { ...options, host: at.address, port: at.port }, authorityFile)
  outgoing.on('upgrade', (_answer, socket, head) => connected.resolve({ socket, head }))
  outgoing.on('response', ({ statusCode }) =>
    connected.reject(unavailable(`${where} does not let us attach (${statusCode}); try again`)),
  )
  outgoing.on('error', (error) =>
    connected.reject(unavailable(`${where} cannot be reached: ${error.message}`, error)),
  )
  outgoing.end()
  return connected.promise
}

/**
 * A request to another host, which has to prove by its certificate that it is the one of this name.
 */
async function requestOf(
  host: string,
  options: RequestOptions,
  authorityFile: string,
): Promise<ClientRequest> {
  const { request: requestByTls } = await import('node:https')
  const ca = await readFile(authorityFile, 'utf8').catch((error: unknown) => {
    throw unavailable(`host ${host} cannot be verified: ${messageOf(error)}`, error)
  })
  return requestByTls({ ...options, agent: false, ca, servername: host, minVersion: 'TLSv1.2' })
}

/** Shows what comes, as fast as it is taken, until the terminal ends. */
async function show(link: TerminalLink, desk: Desk, name: string): Promise<TerminalEnd> {
  const { input, output, notes } = desk
  let hasBegun = false
  for await (const frame of link.frames()) {
    if (frame.kind === 'begin') {
      hasBegun = true
      if (input.isTTY) notes.write(greeting(name, frame.terminal))
    } else if (frame.kind === 'end') {
      // There was no terminal to attach to.
      if (!hasBegun) throw unavailable(frame.reason)
      return frame
    } else if (frame.kind === 'data' && !output.write(frame.bytes)) await once(output, 'drain')
  }
  throw unavailable('the connection to the console was lost')
}

function greeting(name: string, terminal: 'shell' | 'serial'): string {
  const what = terminal === 'shell' ? 'a shell in' : 'the serial line of'
  const hint = terminal === 'shell' ? '' : ' Press Enter if nothing shows.'
  return `Attached to ${what} ${name}. Ctrl-] detaches.${hint}\r\n`
}

const SIGNALLED = 128

/** Resolves when whoever is attached wants no more of it. */
async function left(desk: Desk, keyboard: Keyboard): Promise<TerminalEnd> {
  const gone = Promise.withResolvers<TerminalEnd>()
  // Nobody reads any more, as after `| head`.
  desk.output.on('error', () =>
    gone.resolve({ exitCode: 0, reason: 'the reader closed the output' }),
  )
  const onEnding = () =>
    gone.resolve({ exitCode: SIGNALLED + Number(desk.ending.reason), reason: 'asked to end' })
  if (desk.ending.aborted) onEnding()
  desk.ending.addEventListener('abort', onEnding)
  const detached = keyboard.detached.then(() => ({ exitCode: 0, reason: 'detached' }))
  return Promise.race([gone.promise, detached])
}
