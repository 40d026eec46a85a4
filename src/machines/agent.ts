/**
 * The QEMU guest agent, a program in the guest that can freeze its file systems
 * (https://www.qemu.org/docs/master/interop/qemu-ga-ref.html): one JSON object a line, over a
 * virtio serial port.
 *
 * The guest controls everything that comes from this port. So it is parsed with limits, and trusted
 * only as far as needed: a guest that claims a freeze without one spoils only its own image. QEMU
 * knows whether a program in the guest has the port open. Without one nothing is asked. A guest
 * that then does not answer for some seconds counts as having no agent.
 */
import { once } from 'node:events'
import { rm, writeFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { z } from 'zod'
import { linesOf } from '../host/sockets/lines.ts'
import type { Clock } from '../lib/clock.ts'
import { exists } from '../lib/files.ts'
import type { Log } from '../lib/log.ts'
import { below } from '../lib/paths.ts'
import { unavailable } from '../model/errors.ts'
import type { InstanceId } from '../model/ids.ts'
import type { FreezeGuest } from './backup.ts'
import { AGENT_CHARDEV } from './machine.ts'
import type { Qmp } from './qmp.ts'

interface FreezerTools {
  /** The socket of the port of an instance's guest. */
  readonly socketOf: (instance: InstanceId) => string
  /** The machine's monitor. Null when none answers. */
  readonly monitorOf: (instance: InstanceId) => Promise<Pick<Qmp, 'execute'> | null>
  /** The machine's directory. */
  readonly homeOf: (instance: InstanceId) => string
  /** How long to wait for a guest that may have no agent, in milliseconds. */
  readonly answerMs?: number
  readonly clock: Clock
  readonly log: Log
}

export interface Freezer {
  /** A function that freezes the guest. Null when no agent answers. */
  open(instance: InstanceId, signal: AbortSignal): Promise<FreezeGuest | null>
  /**
   * Whether an agent has its port open and does not answer. False where nobody can tell: there is
   * no agent, the machine does not answer, or the guest is frozen.
   */
  isSilent(instance: InstanceId): Promise<boolean>
  /** Thaws a guest that an earlier daemon may have left frozen. Does nothing for others. */
  thawLeft(instance: InstanceId): Promise<void>
}

/** An agent answers in milliseconds. Under emulation, on a busy host, it may take seconds. */
const ANSWER_DEADLINE_MS = 15_000
/** Less than a freeze waits for its turn. It is asked again before anything follows from it. */
const SYNC_DEADLINE_MS = 5_000
/** The guest writes all its dirty memory to the disk. */
const FREEZE_DEADLINE_MS = 20_000
const THAW_ATTEMPTS = 5
const THAW_PAUSE_MS = 1_000
/** A marker in the machine's directory: the guest may be frozen. */
const MARKER = 'frozen'
/**
 * Makes an agent discard what it has read ("guest-sync-delimited"). It is invalid UTF-8, so it is
 * decoded as U+FFFD.
 */
const DELIMITER = Buffer.of(0xff)
const DELIMITER_READ = '\ufffd'
/** Maximum number of lines before the answer: answers to questions of earlier daemons. */
const STALE_LINES_MAX = 100

const answerSchema = z.union([
  z.object({ return: z.unknown() }),
  z.object({ error: z.object({ desc: z.string().max(1000) }) }),
])

/** Freezes and thaws guests through their agents. */
export function createFreezer({
  socketOf,
  monitorOf,
  homeOf,
  answerMs = ANSWER_DEADLINE_MS,
  clock,
  log,
}: FreezerTools): Freezer {
  const freezing = new Set<InstanceId>()
  const markerOf = (instance: InstanceId) => below(homeOf(instance), MARKER)

  async function thaw(instance: InstanceId): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await ask(socketOf(instance), ['guest-fsfreeze-thaw'], FREEZE_DEADLINE_MS)
        await rm(markerOf(instance), { force: true })
        return
      } catch (error) {
        if (attempt === THAW_ATTEMPTS) throw error
        await clock.sleep(THAW_PAUSE_MS)
      }
    }
  }

  async function frozen<T>(instance: InstanceId, work: () => Promise<T>): Promise<T> {
    freezing.add(instance)
    // Written first, so that the next daemon knows if this one dies.
    await writeFile(markerOf(instance), '')
    try {
      await ask(socketOf(instance), ['guest-fsfreeze-freeze'], FREEZE_DEADLINE_MS)
      return await work()
    } finally {
      await thaw(instance)
        .catch((error: unknown) => log.error({ instance, error }, 'a guest was not thawed'))
        .finally(() => freezing.delete(instance))
    }
  }

  return {
    async open(instance, signal) {
      try {
        if (!(await isPortOpen(await monitorOf(instance)))) {
          log.info({ instance }, 'no guest agent listens')
          return null
        }
        const [status] = await ask(socketOf(instance), ['guest-fsfreeze-status'], answerMs, signal)
        return status === 'thawed' ? (work) => frozen(instance, work) : null
      } catch (error) {
        signal.throwIfAborted()
        log.info({ instance, error }, 'no guest agent answers')
        return null
      }
    },
    async isSilent(instance) {
      if (freezing.has(instance)) return false
      if (!(await isPortOpen(await monitorOf(instance)).catch(() => false))) return false
      // One program at a time talks to an agent, so it may also be busy with another question.
      return await ask(socketOf(instance), [], SYNC_DEADLINE_MS).then(
        () => false,
        () => true,
      )
    },
    async thawLeft(instance) {
      if (freezing.has(instance) || !(await exists(markerOf(instance)))) return
      await thaw(instance)
      log.info({ instance }, 'thawed a guest that was left frozen')
    },
  }
}

/**
 * https://www.qemu.org/docs/master/interop/qemu-qmp-ref.html, "ChardevInfo": whether the guest has
 * the port open.
 */
const chardevsSchema = z.array(z.object({ label: z.string(), 'frontend-open': z.boolean() }))

/**
 * Whether a program in the guest has the agent's port open. Errors: `unavailable` when QEMU does
 * not answer.
 */
async function isPortOpen(monitor: Pick<Qmp, 'execute'> | null): Promise<boolean> {
  if (monitor === null) return false
  const chardevs = chardevsSchema.safeParse(await monitor.execute('query-chardev'))
  if (!chardevs.success)
    throw unavailable('QEMU does not report whether the guest agent listens', chardevs.error)
  return chardevs.data.some((one) => one.label === AGENT_CHARDEV && one['frontend-open'])
}

/**
 * Sends commands one after the other, over a connection of their own. Errors: `unavailable` when
 * the guest does not answer, or answers with an error.
 */
async function ask(
  path: string,
  commands: readonly string[],
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<readonly unknown[]> {
  const deadline = AbortSignal.timeout(timeoutMs)
  const ends = signal === undefined ? deadline : AbortSignal.any([signal, deadline])
  const socket = createConnection(path)
  socket.on('error', () => {})
  try {
    await once(socket, 'connect', { signal: ends })
    const lines = linesOf(socket, ends)
    const id = Math.floor(Math.random() * 2 ** 31)
    socket.write(DELIMITER)
    socket.write(question('guest-sync-delimited', { id }))
    await awaitSync(lines, id)
    const answers: unknown[] = []
    for (const command of commands) {
      socket.write(question(command))
      answers.push(answerIn(await nextLine(lines)))
    }
    return answers
  } catch (error) {
    throw unavailable('the guest agent does not answer', error)
  } finally {
    socket.destroy()
  }
}

function question(execute: string, args?: object): string {
  return `${JSON.stringify({ execute, ...(args === undefined ? {} : { arguments: args }) })}\n`
}

/** Reads up to the answer with this number. Earlier answers are for earlier daemons. */
async function awaitSync(lines: AsyncGenerator<string>, id: number): Promise<void> {
  for (let count = 0; count < STALE_LINES_MAX; count += 1) {
    const line = await nextLine(lines)
    const text = line.slice(line.lastIndexOf(DELIMITER_READ) + 1)
    try {
      if (answerIn(text) === id) return
    } catch {
      // An incomplete line, or an answer for somebody else.
    }
  }
  throw unavailable('the guest agent sent too much')
}

async function nextLine(lines: AsyncGenerator<string>): Promise<string> {
  const { value, done } = await lines.next()
  if (done === true) throw unavailable('the guest agent closed the connection')
  return value
}

function answerIn(line: string): unknown {
  const answer = answerSchema.parse(JSON.parse(line))
  if ('error' in answer) throw unavailable(`the guest agent refused: ${answer.error.desc}`)
  return answer.return
}
