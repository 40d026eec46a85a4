/**
 * The bus encoding of a call (`call.ts`): the actions of the EC2 API as commands.
 *
 * A command is acknowledged only when it is answered, so another host gets it if this one dies. A
 * launch that was committed is found by the command's id, and not repeated. After `unavailable` the
 * command is given to another host a few times.
 */
import {
  ANSWER_LIMIT_BYTES,
  COMMAND_LIMIT_BYTES,
  type CommandMessage,
  type CommandOutcome,
  type CommandQueue,
} from '../../bus/command-queue.ts'
import type { Log } from '../../lib/log.ts'
import type { Metrics } from '../../lib/metrics.ts'
import { refused } from '../../model/errors.ts'
import type { Action, ApiParts } from '../action.ts'
import { type Asked, createCalls, type Encoding, type Outcome } from '../call.ts'
import { createCallMetrics } from '../call-metrics.ts'
import { decodeJson, encodeJson } from '../wire/json.ts'
import { authenticateCommand } from './auth.ts'
import { type CommandAnswer, PAGE_ITEMS, parseCommand } from './command.ts'

const LIMITS = {
  actionTimeoutMs: 30_000,
  // The command queue delivers at most 16 at once.
  maxInFlight: Number.POSITIVE_INFINITY,
  pageItems: PAGE_ITEMS,
  answerBytes: ANSWER_LIMIT_BYTES,
  requestBurst: 1_000,
  requestsPerSecond: 100,
  maxInFlightOfOne: 12,
  // The broker stores answers.
  unreadBytesOfOne: Number.POSITIVE_INFINITY,
}
/** The client of all commands, because no address is known. */
const THE_BUS = 'bus'
/** How often a command is given to another host before its client gets the error. */
const AGAIN_LIMIT = 3
const AGAIN_AFTER_MS = 500

/** What serving commands needs. */
export interface CommandsOptions {
  readonly commands: CommandQueue
  readonly parts: ApiParts
  readonly actions: readonly Action[]
  readonly log: Log
  readonly metrics: Metrics
}

/** Handles commands until the returned function is called, which waits for those under way. */
export function serveCommands(options: CommandsOptions): () => Promise<void> {
  const calls = createCalls({
    ...options,
    encoding: commandEncoding,
    limits: LIMITS,
    measures: createCallMetrics(options.metrics, 'commands'),
    what: 'command',
  })
  return options.commands.onCommand(async (message) => {
    const ended = new AbortController()
    try {
      return outcomeOf(message, await calls.run(message, ended.signal))
    } finally {
      ended.abort()
    }
  })
}

/** A command, taken apart. */
interface DecodedCommand extends Asked {
  readonly id: string
}

const commandEncoding: Encoding<CommandMessage, CommandMessage, DecodedCommand> = {
  sourceOf: () => undefined,
  keyOf: ownerOf,
  clientOf: (message) => ({ owner: ownerOf(message), origin: THE_BUS }),
  async authenticate(message, findKey, nowMs) {
    refuseTooLong(message)
    return await authenticateCommand(message, findKey, nowMs)
  },
  read({ body }) {
    const { id, action, parameters } = parseCommand(body)
    return {
      id,
      action,
      input(words) {
        const input = decodeJson(words, parameters)
        // The command's id is the client token, if the action has one.
        const takesId = words.byMember.has('ClientToken') && input['ClientToken'] === undefined
        return takesId ? { ...input, ClientToken: id } : input
      },
    }
  },
  write: ({ requestId, output, asOf }, _words, { id }, budget) =>
    encodeJson(replyOf(id, requestId, { result: { ...output }, ...recordsOf(asOf) }), budget),
  note: ({ deliveries }, asked) => ({ command: asked?.id, deliveries }),
}

function refuseTooLong({ body }: CommandMessage): void {
  if (body.length <= COMMAND_LIMIT_BYTES) return
  throw refused('RequestEntityTooLarge', `The command is larger than ${COMMAND_LIMIT_BYTES} bytes`)
}

/**
 * The key that the command names, not yet authenticated. A client with many names gets only one
 * turn for each.
 */
function ownerOf({ headers }: CommandMessage): string {
  const key = headers['x-atoll-access-key']
  return typeof key === 'string' ? key.slice(0, OWNER_LENGTH) : ''
}

const OWNER_LENGTH = 128

function recordsOf(asOf: string | null): Pick<CommandAnswer, 'recordsAsOf'> {
  return asOf === null ? {} : { recordsAsOf: asOf }
}

/** What happens to a command after its call. */
function outcomeOf(message: CommandMessage, outcome: Outcome<DecodedCommand>): CommandOutcome {
  const { requestId, asked, result } = outcome
  if (result.kind === 'answer') return { kind: 'answer', answer: result.text }
  const { kind, code, message: text, status } = result.fault
  if (kind === 'unavailable' && message.deliveries < AGAIN_LIMIT)
    return { kind: 'again', afterMs: AGAIN_AFTER_MS }
  const reply = replyOf(asked?.id, requestId, { error: { code, message: text, status } })
  return { kind: 'answer', answer: JSON.stringify(reply) }
}

function replyOf(
  id: string | undefined,
  requestId: string,
  outcome: Pick<CommandAnswer, 'result' | 'recordsAsOf' | 'error'>,
): CommandAnswer {
  return { ...(id === undefined ? {} : { id }), requestId, ...outcome }
}
