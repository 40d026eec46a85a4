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
const NOT_FOUND = 404
/** Of a terminal that does not say how large it is. */
const DEFAULT_SIZE = { columns: 80, rows: 24 }

/** A terminal of a kind that nobody has heard of. */
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
  /** How long the ticket in `protocols` is good. */
  readonly expiresInSeconds: number
}

/** A ticket for one attachment to an instance, wherever it is. Errors: those of `orderAdmin`. */
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
 * Attaches until the terminal ends or its user leaves. Gives the exit code of the program that
 * ended, 0 when nothing failed. Errors: those of `orderAdmin`, and `unavailable` when the
 * connection cannot be made or is lost.
 */
export async function attachConsole(
  { runtimeDir, authorityFile }: ConsolePaths,
  instance: string,
  desk: Desk,
): Promise<number> {
  const place = await askPlace(runtimeDir, instance)
  const screen = screenOf(desk)
  const link = await connect(place, { runtimeDir, authorityFile }, screen)
  await using open = new AsyncDisposableStack()
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
  // For this command only.
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

/** What a host says that gives no console. */
function whyNot(status: number): string {
  if (status === NOT_FOUND) return 'is older than this atoll and has no consoles for it; upgrade it'
  return `does not let us attach (${status}); try again`
}

/** Another host has to prove by its certificate that it is the one of this name. */
async function authorityOf(host: string, authorityFile: string): Promise<string> {
  return readFile(authorityFile, 'utf8').catch((error: unknown) => {
    throw unavailable(`host ${host} cannot be verified: ${messageOf(error)}`, error)
  })
}

/** Shows what comes, as fast as it is taken, until the terminal ends. */
async function show(link: TerminalLink, desk: Desk, name: string): Promise<TerminalEnd> {
  const { input, output, notes } = desk
  for await (const message of heard(link)) {
    if (message.kind === 'attached') {
      if (input.isTTY) notes.write(greeting(name, message.terminal))
    } else if (message.kind === 'error') throw unavailable(message.reason)
    else if (message.kind === 'exit') return message
    else if (message.kind === 'data' && !output.write(message.bytes)) await once(output, 'drain')
  }
  throw unavailable('the connection to the console was lost')
}

/** What the host says. Errors: `unavailable`. */
async function* heard(link: TerminalLink): AsyncGenerator<TerminalMessage, void> {
  try {
    yield* link.messages()
  } catch (error) {
    throw unavailable(messageOf(error), error)
  }
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
