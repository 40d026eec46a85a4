/**
 * `atoll console`: attaches this terminal, or a pipe, to the console of an instance on any host.
 *
 * The daemon on this host says where the instance is and gives a ticket. The command then connects
 * to the instance's host itself: over TLS if it is another host, whose certificate must be for its
 * name. In the end the terminal has the settings that it had before.
 */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { z } from 'zod'
import type { Screen, TerminalEnd } from '../lib/terminal.ts'
import { createTerminalLink, SOCKET_LIMITS, type TerminalLink } from '../lib/terminal-link.ts'
import {
  formatScreen,
  parseScreen,
  TERMINAL_PATH,
  TERMINAL_PROTOCOLS,
  type TerminalMessage,
  TICKET_PREFIX,
} from '../lib/terminal-protocol.ts'
import { messageOf, unavailable } from '../model/errors.ts'
import { adminSocketFile, orderAdmin } from './admin-client.ts'
import { createKeyboard, type Keyboard } from './keyboard.ts'

/** The terminal, or the pipe, that the command was started with. */
export interface LocalTerminal {
  readonly input: NodeJS.ReadStream
  readonly output: NodeJS.WriteStream
  /** For messages of the command itself. */
  readonly notes: NodeJS.WriteStream
  /** The terminal's type, as in TERM. */
  readonly term: string
  /** Aborts when a signal asks the command to end. The reason is the signal's number. */
  readonly ending: AbortSignal
}

/** Files that the command needs. */
export interface ConsolePaths {
  readonly runtimeDir: string
  /** The CA (PEM) of the hosts' certificates. */
  readonly authorityFile: string
}

const CONNECT_DEADLINE_MS = 5_000
const NOT_FOUND = 404
/** For a terminal that does not report its size. */
const DEFAULT_SIZE = { columns: 80, rows: 24 }

/** For a terminal whose type is not a valid name. */
const PLAIN_TERM = 'dumb'

const placeSchema = z.object({
  at: z.object({ address: z.ipv4(), port: z.int() }).nullable(),
  host: z.string().max(64),
  url: z.string().max(256),
  ticket: z.string().max(128),
  ticketSeconds: z.number(),
})

type Place = z.output<typeof placeSchema>

/** What a client of another kind needs to attach: a browser's `new WebSocket(url, protocols)`. */
export interface ConsoleTicket {
  readonly url: string
  readonly protocols: readonly string[]
  /** How long the ticket in `protocols` is valid. */
  readonly expiresInSeconds: number
}

/** Gets a ticket that attaches once to an instance on any host. Errors: those of `orderAdmin`. */
export async function consoleTicket(runtimeDir: string, instance: string): Promise<ConsoleTicket> {
  const { url, ticket, ticketSeconds } = await askPlace(runtimeDir, instance)
  return { url, protocols: protocolsOf(ticket), expiresInSeconds: ticketSeconds }
}

async function askPlace(runtimeDir: string, instance: string): Promise<Place> {
  const path = `/v1/instances/${encodeURIComponent(instance)}/console`
  return placeSchema.parse(await orderAdmin(runtimeDir, path))
}

function protocolsOf(ticket: string): string[] {
  return [TERMINAL_PROTOCOLS.v1, `${TICKET_PREFIX}${ticket}`]
}

/**
 * Attaches until the program in the instance ends or the user detaches. Returns the exit code of
 * the program, or 0. Errors: those of `orderAdmin`, and `unavailable` when the connection fails.
 */
export async function attachConsole(
  { runtimeDir, authorityFile }: ConsolePaths,
  instance: string,
  local: LocalTerminal,
): Promise<number> {
  const place = await askPlace(runtimeDir, instance)
  const screen = screenOf(local)
  const link = await connect(place, { runtimeDir, authorityFile }, screen)
  await using open = new AsyncDisposableStack()
  open.defer(() => link.close())
  const keyboard = createKeyboard(link, local.input)
  open.defer(() => keyboard.close())
  if (screen !== null) open.defer(followSize(link, local))
  const name = `${instance} on ${place.host}`
  const end = await Promise.race([show(link, local, name), left(local, keyboard)])
  keyboard.close()
  // The guest's last output may lack a line feed.
  if (screen !== null) local.notes.write('\n')
  if (screen !== null || end.exitCode === null) local.notes.write(`atoll: ${end.reason}\n`)
  return end.exitCode ?? 0
}

/** Sends each new size of the window to the other end, until the returned function is called. */
function followSize(link: TerminalLink, local: LocalTerminal): () => void {
  const onResize = () => {
    const { columns, rows } = screenOf(local) ?? DEFAULT_SIZE
    link.send({ kind: 'resize', columns, rows }).catch(() => undefined)
  }
  local.output.on('resize', onResize)
  return () => void local.output.off('resize', onResize)
}

/** The size and type of the terminal; null for a pipe. */
function screenOf({ input, output, term }: LocalTerminal): Screen | null {
  if (!input.isTTY) return null
  // A stream that is no terminal has neither, although its type says so. Some terminals report 0.
  const { columns, rows }: { readonly columns?: number; readonly rows?: number } = output
  const size = { columns: columns || DEFAULT_SIZE.columns, rows: rows || DEFAULT_SIZE.rows }
  try {
    return parseScreen(formatScreen({ term, ...size }))
  } catch {
    return { term: PLAIN_TERM, ...size }
  }
}

async function connect(
  place: Place,
  { runtimeDir, authorityFile }: ConsolePaths,
  screen: Screen | null,
): Promise<TerminalLink> {
  const { at, host, ticket } = place
  const where = at === null ? 'atolld' : `host ${host} (${at.address}:${at.port})`
  const origin = at === null ? 'ws://localhost' : `wss://${at.address}:${at.port}`
  // Loaded here because no other command needs it.
  const { WebSocket } = await import('ws')
  const socket = new WebSocket(
    `${origin}${TERMINAL_PATH}${formatScreen(screen)}`,
    protocolsOf(ticket),
    {
      ...SOCKET_LIMITS,
      handshakeTimeout: CONNECT_DEADLINE_MS,
      ...(at === null
        ? { createConnection: () => createConnection(adminSocketFile(runtimeDir)) }
        : { ca: await authorityOf(host, authorityFile), servername: host, minVersion: 'TLSv1.2' }),
    },
  )
  const connected = Promise.withResolvers<TerminalLink>()
  socket.once('open', () => connected.resolve(createTerminalLink(socket, 'client')))
  socket.once('unexpected-response', (outgoing, { statusCode = 0 }) => {
    outgoing.destroy()
    connected.reject(unavailable(`${where} ${whyNot(statusCode)}`))
  })
  socket.on('error', (error) =>
    connected.reject(unavailable(`${where} cannot be reached: ${error.message}`, error)),
  )
  return connected.promise
}

/** Why a host refused the connection, by its HTTP status. */
function whyNot(status: number): string {
  if (status === NOT_FOUND) return 'runs an older version, which has no such consoles: upgrade it'
  return `refused the connection (HTTP ${status}); try again`
}

/** The CA with which another host's certificate is verified. */
async function authorityOf(host: string, authorityFile: string): Promise<string> {
  return readFile(authorityFile, 'utf8').catch((error: unknown) => {
    throw unavailable(`cannot verify host ${host}: ${messageOf(error)}`, error)
  })
}

/** Prints the output of the instance until its program ends. Waits when the output is full. */
async function show(link: TerminalLink, local: LocalTerminal, name: string): Promise<TerminalEnd> {
  const { input, output, notes } = local
  for await (const message of heard(link)) {
    if (message.kind === 'attached') {
      if (input.isTTY) notes.write(greeting(name, message.terminal))
    } else if (message.kind === 'error') throw unavailable(message.reason)
    else if (message.kind === 'exit') return message
    else if (message.kind === 'data' && !output.write(message.bytes)) await once(output, 'drain')
  }
  throw unavailable('the connection to the console was lost')
}

/** Messages of the host. Errors: `unavailable`. */
async function* heard(link: TerminalLink): AsyncGenerator<TerminalMessage, void> {
  try {
    yield* link.messages()
  } catch (error) {
    throw unavailable(messageOf(error), error)
  }
}

function greeting(name: string, terminal: 'shell' | 'serial'): string {
  const what = terminal === 'shell' ? 'a shell in' : 'the serial line of'
  const hint = terminal === 'shell' ? '' : ' Press Enter if you see nothing.'
  return `Attached to ${what} ${name}. Ctrl-] detaches.${hint}\r\n`
}

const SIGNALLED = 128

/** Resolves when the user detaches, the output is closed or a signal asks to end. */
async function left(local: LocalTerminal, keyboard: Keyboard): Promise<TerminalEnd> {
  const gone = Promise.withResolvers<TerminalEnd>()
  // The reader is gone, as after `| head`.
  local.output.on('error', () => gone.resolve({ exitCode: 0, reason: 'the output was closed' }))
  const onEnding = () =>
    gone.resolve({ exitCode: SIGNALLED + Number(local.ending.reason), reason: 'ended by a signal' })
  if (local.ending.aborted) onEnding()
  local.ending.addEventListener('abort', onEnding)
  const detached = keyboard.detached.then(() => ({ exitCode: 0, reason: 'detached' }))
  return Promise.race([gone.promise, detached])
}
