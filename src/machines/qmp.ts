/**
 * QMP, the protocol to control a running QEMU
 * (https://www.qemu.org/docs/master/interop/qmp-spec.html): one JSON object a line, answers matched
 * to commands by id, and events in between.
 *
 * A guest may control its QEMU, so everything is parsed with limits. An invalid line ends the
 * connection.
 */
import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'
import { z } from 'zod'
import { linesOf } from '../host/sockets/lines.ts'
import { systemClock } from '../lib/clock.ts'
import { withDeadline } from '../lib/deadline.ts'
import { unavailable } from '../model/errors.ts'

/** A connection to a QEMU process. */
export interface Qmp {
  /**
   * Executes a command, and returns the `return` member of the answer. Errors: `unavailable` when
   * it is refused or late, or when the connection ends.
   */
  execute(command: string, args?: Readonly<Record<string, unknown>>): Promise<unknown>
  /** As `execute`, with a file that the command gets a copy of (unix(7), SCM_RIGHTS). */
  executeWithFile(
    command: string,
    args: Readonly<Record<string, unknown>>,
    fd: number,
  ): Promise<unknown>
  /**
   * Sends a command, and resolves when it is answered, without a time limit. Rejects when the
   * connection ends.
   */
  answered(): Promise<void>
  /** Resolves when the connection has ended, usually because the process has. */
  readonly closed: Promise<void>
  close(): void
}

/** An event from QEMU. */
export interface QmpEvent {
  readonly name: string
  readonly data: Readonly<Record<string, unknown>>
}

/** Sends bytes over a connected UNIX socket, together with a copy of a descriptor. */
export type SendFile = (socket: Socket, bytes: Uint8Array, fd: number) => void

/** A healthy QEMU answers in a millisecond, one with a busy disk in less than a second. */
const ANSWER_DEADLINE_MS = 10_000

const messageSchema = z.union([
  z.object({ id: z.number(), return: z.unknown() }),
  z.object({ id: z.number(), error: z.object({ class: z.string(), desc: z.string() }) }),
  z.object({ event: z.string().max(100), data: z.record(z.string(), z.unknown()).default({}) }),
  z.object({ QMP: z.unknown() }),
])

interface Waiting {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
}

/**
 * Connects to the socket at `path` and negotiates capabilities. QEMU serves one client at a time,
 * so another client must disconnect first. Without `sendFile` no files can be sent. Errors:
 * `unavailable` within the deadline.
 */
export async function connectQmp(
  path: string,
  onEvent: (event: QmpEvent) => void,
  sendFile?: SendFile,
): Promise<Qmp> {
  const socket = createConnection(path)
  const ends = new AbortController()
  const waiting = new Map<number, Waiting>()
  const greeted = Promise.withResolvers<void>()
  let lastId = 0

  const receive = (line: string) => {
    const message = messageSchema.parse(JSON.parse(line))
    if ('event' in message) onEvent({ name: message.event, data: message.data })
    else if ('QMP' in message) greeted.resolve()
    else {
      const asked = waiting.get(message.id)
      waiting.delete(message.id)
      if ('error' in message) asked?.reject(unavailable(`QEMU refused: ${message.error.desc}`))
      else asked?.resolve(message.return)
    }
  }
  const ended = readAll(socket, ends.signal, receive).catch(() => undefined)
  const closed = ended.then(() => {
    const error = unavailable('the connection to QEMU has ended')
    greeted.reject(error)
    for (const { reject } of waiting.values()) reject(error)
    waiting.clear()
  })
  const send = (line: string, fd: number | undefined) => {
    if (fd === undefined) return void socket.write(line)
    // What is still to be written would come after the file.
    if (sendFile === undefined || socket.writableLength > 0)
      throw unavailable('no file can be sent to QEMU now')
    sendFile(socket, Buffer.from(line), fd)
  }
  const ask = async (
    command: string,
    args?: Readonly<Record<string, unknown>>,
    fd?: number,
  ): Promise<unknown> => {
    const id = ++lastId
    const answer = Promise.withResolvers<unknown>()
    if (ends.signal.aborted || socket.destroyed)
      answer.reject(unavailable('the connection to QEMU has ended'))
    else waiting.set(id, answer)
    const question = { execute: command, id, ...(args === undefined ? {} : { arguments: args }) }
    try {
      send(`${JSON.stringify(question)}\n`, fd)
    } catch (error) {
      waiting.delete(id)
      throw error
    }
    return await answer.promise
  }
  const execute = (command: string, args?: Readonly<Record<string, unknown>>) =>
    beforeDeadline(ask(command, args), `QEMU did not answer ${command}`)
  const executeWithFile: Qmp['executeWithFile'] = (command, args, fd) =>
    beforeDeadline(ask(command, args, fd), `QEMU did not answer ${command}`)
  const close = () => ends.abort()

  try {
    await beforeDeadline(greeted.promise, `nothing answers at ${path}`)
    await execute('qmp_capabilities')
  } catch (error) {
    close()
    throw error
  }
  const answered = async () => void (await ask('query-status'))
  return { execute, executeWithFile, answered, closed, close }
}

async function readAll(
  socket: Socket,
  signal: AbortSignal,
  receive: (line: string) => void,
): Promise<void> {
  try {
    await once(socket, 'connect', { signal })
    for await (const line of linesOf(socket, signal)) if (line.trim() !== '') receive(line)
  } finally {
    // The end of the lines reports later errors.
    socket.on('error', () => {})
    socket.destroy()
  }
}

function beforeDeadline<T>(answer: Promise<T>, message: string): Promise<T> {
  const late = () => unavailable(message)
  return withDeadline({ clock: systemClock, ms: ANSWER_DEADLINE_MS, late }, () => answer)
}
