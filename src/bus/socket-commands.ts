/**
 * Clients' commands on their way from the agent, which has the connection to the broker, to the
 * processes of the API, which read and answer them.
 *
 * The agent looks at no more than their sizes: commands are strangers' input. It takes commands off
 * the queue only while there is a process that answers them. A command whose process ends, or does
 * not answer in time, is given back to the queue. It is known by its id when it comes again.
 */
import type { Clock } from '../lib/clock.ts'
import { inTime, withDeadline } from '../lib/deadline.ts'
import { unavailable } from '../model/errors.ts'
import {
  COMMAND_LIMIT_BYTES,
  type CommandMessage,
  type CommandOutcome,
  type CommandQueue,
} from './command-queue.ts'
import {
  HEADER_LIMIT,
  HEADER_NAME,
  HEADERS_LIMIT,
  type SaidByAgent,
  type SaidByApi,
  SHORT_LIMIT,
} from './socket-messages.ts'

/** Longer than an action may take (`api/commands/serve.ts`). */
const ANSWERED_MS = 40_000
/** Given back: for any host, at once. */
const AT_ONCE = { kind: 'again', afterMs: 0 } as const satisfies CommandOutcome

type CommandLine = Extract<SaidByAgent, { kind: 'command' }>
type OutcomeLine = Extract<SaidByApi, { kind: 'outcome' }>

/** A command for the line. What is longer than any valid one is left out. */
function commandLine(re: number, message: CommandMessage): CommandLine {
  const { body, headers, replyTo, correlationId, deliveries } = message
  const kept = Object.entries(headers).flatMap(([name, value]) =>
    HEADER_NAME.test(name) && typeof value === 'string' && value.length <= HEADER_LIMIT
      ? [[name, value] as const]
      : [],
  )
  return {
    ...{ kind: 'command', re, deliveries },
    body: body.length > COMMAND_LIMIT_BYTES ? null : Buffer.from(body).toString('base64'),
    headers: Object.fromEntries(kept.slice(0, HEADERS_LIMIT)),
    replyTo: replyTo?.slice(0, SHORT_LIMIT) ?? null,
    correlationId: correlationId?.slice(0, SHORT_LIMIT) ?? null,
  }
}

/** The command of a line. A body that was too long is a longer one than is valid. */
function commandOf({ kind: _kind, re: _re, body, ...rest }: CommandLine): CommandMessage {
  const bytes =
    body === null ? new Uint8Array(COMMAND_LIMIT_BYTES + 1) : Buffer.from(body, 'base64')
  return { ...rest, body: bytes }
}

/** The commands of one connected process. */
export interface PassedCommands {
  /** Whether it takes commands from now on. */
  wants(areTaken: boolean): void
  hear(line: OutcomeLine): void
  /** It has ended. What it has not answered is given back. */
  end(): void
}

/** Commands of the queue, for the processes that answer them. */
export interface CommandPasser {
  /** A process has connected, and takes none yet. `send` passes a line to it. */
  connect(send: (line: CommandLine) => void): PassedCommands
}

type Take = (message: CommandMessage) => Promise<CommandOutcome>

/** No process is connected. */
export function passCommands(queue: CommandQueue, clock: Pick<Clock, 'after'>): CommandPasser {
  const takers = new Set<ReturnType<typeof createTaker>>()
  let stop: (() => Promise<void>) | null = null

  const handle: Take = async (message) => {
    const [least] = [...takers].toSorted((one, other) => one.count() - other.count())
    return (await least?.take(message)) ?? AT_ONCE
  }

  /** Commands are taken off the queue while there is a process that takes them. */
  function takeOrStop(): void {
    if (takers.size > 0) stop ??= queue.onCommand(handle)
    else {
      void stop?.()
      stop = null
    }
  }

  return {
    connect(send) {
      let areTaken = false
      const taker = createTaker(send, clock, consider)
      function consider(): void {
        if (areTaken && !taker.hangs()) takers.add(taker)
        else takers.delete(taker)
        takeOrStop()
      }
      const wants = (now: boolean) => {
        areTaken = now
        consider()
      }
      return {
        wants,
        hear: taker.hear,
        end() {
          wants(false)
          taker.giveBack()
        },
      }
    },
  }
}

/** `changed` is called when it hangs, and when it does not any more. */
function createTaker(
  send: (line: CommandLine) => void,
  clock: Pick<Clock, 'after'>,
  changed: () => void,
) {
  const waiting = new Map<number, (outcome: CommandOutcome) => void>()
  const late = () => unavailable('The API did not answer a command.')
  let count = 0
  let hangs = false

  /** A process that does not answer gets no more until it says something about one. */
  function noteWhether(now: boolean): void {
    if (now === hangs) return
    hangs = now
    changed()
  }

  const take: Take = async (message) => {
    count += 1
    const re = count
    const answered = Promise.withResolvers<CommandOutcome>()
    waiting.set(re, answered.resolve)
    try {
      send(commandLine(re, message))
      return await withDeadline({ clock, ms: ANSWERED_MS, late }, () => answered.promise)
    } catch {
      noteWhether(true)
      return AT_ONCE
    } finally {
      waiting.delete(re)
    }
  }
  return {
    take,
    hangs: () => hangs,
    count: () => waiting.size,
    hear({ re, outcome }: OutcomeLine) {
      waiting.get(re)?.(outcome)
      noteWhether(false)
    },
    giveBack() {
      for (const give of waiting.values()) give(AT_ONCE)
    },
  }
}

/** Commands as a process of the API gets them. */
export interface ReceivedCommands extends CommandQueue {
  /** Handles a command, and says by `send` what became of it. */
  hear(line: CommandLine, send: (line: OutcomeLine) => void): void
  /** Whether there is a handler. */
  areTaken(): boolean
}

/** Most commands that a process handles at once: more than an agent takes from the broker. */
const HANDLED_LIMIT = 64
/** How long commands under way may take when the process ends. */
const CLOSE_MS = 5_000

/** There is no handler. `changed` is called when that changes. */
export function receiveCommands(
  clock: Pick<Clock, 'after'>,
  changed: () => void,
): ReceivedCommands {
  let handle: Take | null = null
  const handling = new Set<Promise<void>>()
  return {
    areTaken: () => handle !== null,
    onCommand(next) {
      handle = next
      changed()
      return async () => {
        handle = null
        changed()
        await inTime(clock, CLOSE_MS, Promise.all(handling))
      }
    },
    hear(line, send) {
      const { re } = line
      const work = handle
      if (work === null || handling.size >= HANDLED_LIMIT) {
        send({ kind: 'outcome', re, outcome: AT_ONCE })
        return
      }
      const one = work(commandOf(line))
        .then((outcome) => send({ kind: 'outcome', re, outcome }))
        .finally(() => handling.delete(one))
      handling.add(one)
    },
  }
}
