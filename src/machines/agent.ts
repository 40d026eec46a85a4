/**
 * The QEMU guest agent, a program in the guest that can hold its file systems still
 * (https://www.qemu.org/docs/master/interop/qemu-ga-ref.html): one JSON object a line over a virtio
 * serial port.
 *
 * Whatever comes out of that port the guest says, so it is read with limits and never believed in
 * more than it is asked: a guest that lies about having written everything out spoils its own image
 * only. Whether a program in the guest holds the port open, QEMU knows: only then is anything
 * asked, and a guest that then says nothing for some seconds is taken to have no agent.
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
  /** Where the port of an instance's guest is reached. */
  readonly socketOf: (instance: InstanceId) => string
  /** The machine's monitor; null when there is none that answers. */
  readonly monitorOf: (instance: InstanceId) => Promise<Pick<Qmp, 'execute'> | null>
  /** The machine's directory. */
  readonly homeOf: (instance: InstanceId) => string
  /** How long to wait for a guest that may have no agent, in milliseconds. */
  readonly answerMs?: number
  readonly clock: Clock
  readonly log: Log
}

export interface Freezer {
  /** How to hold the guest still; null when no agent answers that could. */
  open(instance: InstanceId, signal: AbortSignal): Promise<FreezeGuest | null>
  /**
   * Lets a guest go on that a daemon before us may have left frozen. Does nothing for all others.
   */
  thawLeft(instance: InstanceId): Promise<void>
}

/**
 * An agent that is there answers in milliseconds; under emulation, on a crowded host, it may take
 * seconds.
 */
const ANSWER_DEADLINE_MS = 15_000
/** The guest writes out all that it has in memory. */
const FREEZE_DEADLINE_MS = 20_000
const THAW_ATTEMPTS = 5
const THAW_PAUSE_MS = 1_000
/** The marker in the machine's directory that says that its guest may be frozen. */
const MARKER = 'frozen'
/**
 * Ends whatever an agent before had begun to read ("guest-sync-delimited"). Invalid in UTF-8, so it
 * is read as U+FFFD.
 */
const DELIMITER = Buffer.of(0xff)
const DELIMITER_READ = '\ufffd'
/** Lines that may come before the answer: those to questions of others before us. */
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
    // First, so that whoever lives then knows.
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
    async thawLeft(instance) {
      if (freezing.has(instance) || !(await exists(markerOf(instance)))) return
      await thaw(instance)
      log.info({ instance }, 'a guest that was left frozen goes on')
    },
  }
}

/**
 * https://www.qemu.org/docs/master/interop/qemu-qmp-ref.html, "ChardevInfo": whether the guest's
 * end is open.
 */
const chardevsSchema = z.array(z.object({ label: z.string(), 'frontend-open': z.boolean() }))

/**
 * Whether a program in the guest listens for what an agent is asked. Errors: `unavailable` when
 * QEMU does not say.
 */
async function isPortOpen(monitor: Pick<Qmp, 'execute'> | null): Promise<boolean> {
  if (monitor === null) return false
  const chardevs = chardevsSchema.safeParse(await monitor.execute('query-chardev'))
  if (!chardevs.success) throw unavailable('QEMU does not say who listens', chardevs.error)
  return chardevs.data.some((one) => one.label === AGENT_CHARDEV && one['frontend-open'])
}

/**
 * Asks one thing after the other over a connection of its own. Errors: `unavailable` when the guest
 * does not answer, or not well.
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

/** Reads up to the answer that bears this number: what comes before was for somebody else. */
async function awaitSync(lines: AsyncGenerator<string>, id: number): Promise<void> {
  for (let count = 0; count < STALE_LINES_MAX; count += 1) {
    const line = await nextLine(lines)
    const text = line.slice(line.lastIndexOf(DELIMITER_READ) + 1)
    try {
      if (answerIn(text) === id) return
    } catch {
      // Half a line, or an answer to what somebody else asked.
    }
  }
  throw unavailable('the guest agent says too much')
}

async function nextLine(lines: AsyncGenerator<string>): Promise<string> {
  const { value, done } = await lines.next()
  if (done === true) throw unavailable('the guest agent hung up')
  return value
}

function answerIn(line: string): unknown {
  const answer = answerSchema.parse(JSON.parse(line))
  if ('error' in answer) throw unavailable(`the guest agent refused: ${answer.error.desc}`)
  return answer.return
}
