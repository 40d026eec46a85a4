/**
 * The command door: the actions of the EC2 API, called by messages instead of HTTP requests.
 *
 * Every command ends in one answer, one log line and one count, whatever is thrown on the way. It is taken off the queue only then,
 * so a host that dies over it leaves it to another; a launch that had been committed is found by the command's id and not repeated.
 * When the world does not do its part (`unavailable`), the command is handed on a few times, since another host may be better off.
 */
import type { CommandDoor, CommandMessage, CommandOutcome } from '../../bus/door.ts'
import type { Log } from '../../lib/log.ts'
import type { Metrics } from '../../lib/metrics.ts'
import { AtollError, refused } from '../../model/errors.ts'
import { shareReads } from '../../store/fair-reads.ts'
import type { Action, ApiParts, Caller } from '../action.ts'
import { answerOf } from '../answer.ts'
import { type Budget, createBudget } from '../budget.ts'
import { type Fault, faultOf } from '../faults.ts'
import { withDeadline } from '../http/deadline.ts'
import { keyringOf } from '../keyring.ts'
import { createKnownKeys } from '../known-keys.ts'
import { formatUuid } from '../request-id.ts'
import { createRequestLog } from '../request-log.ts'
import { createShares } from '../shares.ts'
import { unknownAction } from '../unknown-action.ts'
import { decodeJson, encodeJson } from '../wire/json.ts'
import { actionTable, type Entry } from '../wire/table.ts'
import { authenticateCommand } from './auth.ts'
import {
  ANSWER_LIMIT_BYTES,
  COMMAND_LIMIT_BYTES,
  type Command,
  type CommandAnswer,
  PAGE_ITEMS,
  parseCommand,
} from './command.ts'

/** How long an action may take before its caller is told to try again. */
const ACTION_TIMEOUT_MS = 30_000
/** Of one access key; its answers are the broker's to hold. A host works on 16 commands at the same time. */
const SHARE_OF_KEY = {
  requestBurst: 1_000,
  requestsPerSecond: 100,
  maxInFlightOfOne: 12,
  unreadBytesOfOne: Number.POSITIVE_INFINITY,
}
/** Where commands come from: no address is known of who put them there. */
const THE_BUS = 'bus'
/** How often a command is handed on before its caller is told that the world is not well. */
const AGAIN_LIMIT = 3
const AGAIN_AFTER_MS = 500

/** What the door is built from. */
export interface CommandsOptions {
  readonly door: CommandDoor
  readonly parts: ApiParts
  readonly actions: readonly Action[]
  readonly log: Log
  readonly metrics: Metrics
}

/** What is known of a command so far. */
interface Exchange {
  readonly requestId: string
  readonly startedMs: number
  command?: Command
  action?: string
  caller?: Caller
}

/** What an action gave, and of what time the copy was that it rests on. */
interface Result {
  readonly result: Record<string, unknown>
  readonly asOf: string | null
}

/** Takes commands until the returned function is called, which waits for those under way. */
export function serveCommands(options: CommandsOptions): () => Promise<void> {
  const { parts, log } = options
  const table = actionTable(options.actions)
  const finish = createFinish(options)
  const admit = createAdmission(parts)

  async function handle(message: CommandMessage): Promise<CommandOutcome> {
    const requestId = formatUuid(parts.random(16))
    const exchange: Exchange = { requestId, startedMs: parts.clock.monotonic() }
    const limits = { pageItems: PAGE_ITEMS, answerBytes: ANSWER_LIMIT_BYTES }
    const budget = createBudget(parts, limits, ownerOf(message))
    try {
      await budget.turn()
      const { result, asOf } = await run(message, exchange, budget)
      // Encoded here, so that what cannot be is an error like others.
      const answer = await encodeJson(
        replyOf(exchange, { result, ...(asOf === null ? {} : { recordsAsOf: asOf }) }),
        budget,
      )
      finish(exchange, message, null, null)
      return { kind: 'answer', answer }
    } catch (error) {
      const fault = faultOf(error)
      finish(exchange, message, fault, error)
      if (fault.kind === 'unavailable' && message.deliveries < AGAIN_LIMIT)
        return { kind: 'again', afterMs: AGAIN_AFTER_MS }
      const { code, message: text, status } = fault
      return {
        kind: 'answer',
        answer: JSON.stringify(replyOf(exchange, { error: { code, message: text, status } })),
      }
    }
  }

  async function run(message: CommandMessage, exchange: Exchange, budget: Budget): Promise<Result> {
    refuseTooLong(message)
    const caller = await admit.prove(message)
    exchange.caller = caller
    const hold = admit.begin(caller)
    try {
      return await runFor(caller, message, exchange, budget)
    } finally {
      hold.release()
    }
  }

  async function runFor(
    caller: Caller,
    message: CommandMessage,
    exchange: Exchange,
    budget: Budget,
  ): Promise<Result> {
    const command = parseCommand(message.body)
    exchange.command = command
    const entry = table.get(command.action)
    const own = admit.partsFor(caller)
    if (entry === undefined) throw await unknownAction(command.action, caller.account, own)
    exchange.action = entry.action.name
    const { requestId } = exchange
    const input = inputOf(entry, command)
    const callLog = log.child({ request: requestId, action: entry.action.name })
    const call = { input, caller, requestId, parts: own, log: callLog, budget }
    const { signal: never } = new AbortController()
    const { output, asOf } = await withDeadline(never, ACTION_TIMEOUT_MS, (signal) =>
      answerOf(entry.action, { ...call, signal }),
    )
    return { result: { ...output }, asOf }
  }

  return options.door.onCommand(handle)
}

function refuseTooLong({ body }: CommandMessage): void {
  if (body.length <= COMMAND_LIMIT_BYTES) return
  throw refused('RequestEntityTooLarge', `The command is larger than ${COMMAND_LIMIT_BYTES} bytes`)
}

/** Who gives a command, and its part of the key's share. */
function createAdmission(parts: ApiParts) {
  const { clock } = parts
  const keys = keyringOf(parts)
  const shares = createShares(SHARE_OF_KEY)
  const known = createKnownKeys(keys.find, clock)
  const storeOf = shareReads(parts.store)
  const findKey = async (id: string) =>
    (await known.exists(id, THE_BUS)) ? await keys.find(id) : undefined
  return {
    async prove(message: CommandMessage): Promise<Caller> {
      const caller = await authenticateCommand(message, findKey, clock.now())
      known.proved(caller.accessKey)
      keys.used(caller.accessKey)
      return caller
    },
    /** What the action works with: the records as this key may ask them. */
    partsFor: ({ accessKey }: Caller): ApiParts => ({ ...parts, store: storeOf(accessKey) }),
    begin: ({ accessKey }: Caller) => shares.begin(accessKey, clock.monotonic()),
  }
}

/** The parameters, and the command's id as the client token of an action that takes one. */
function inputOf({ wire }: Entry, { id, parameters }: Command): Readonly<Record<string, unknown>> {
  const input = decodeJson(wire.input, parameters)
  const takesToken = wire.input.byMember.has('ClientToken') && input['ClientToken'] === undefined
  return takesToken ? { ...input, ClientToken: id } : input
}

/** By what it says of itself, which is not proved yet: whoever asks for much under many names has no more than one turn for each. */
function ownerOf({ headers }: CommandMessage): string {
  const key = headers['x-atoll-access-key']
  return typeof key === 'string' ? key.slice(0, OWNER_LENGTH) : ''
}

const OWNER_LENGTH = 128

function replyOf(
  { requestId, command }: Exchange,
  outcome: Pick<CommandAnswer, 'result' | 'recordsAsOf' | 'error'>,
): CommandAnswer {
  const id = command === undefined ? {} : { id: command.id }
  return { ...id, requestId, ...outcome }
}

/** Counts and logs the end of a command. */
function createFinish({ parts, log, metrics }: CommandsOptions) {
  const commands = metrics.counter(
    'atoll_commands_total',
    'Commands from the bus by action and result',
    ['action', 'code'],
  )
  const seconds = metrics.histogram('atoll_command_seconds', 'Duration of commands', ['action'])

  const commandLog = createRequestLog(log, parts.clock, 'command')

  return (
    exchange: Exchange,
    message: CommandMessage,
    fault: Fault | null,
    error: unknown,
  ): void => {
    const { requestId, action = 'unknown', caller, command, startedMs } = exchange
    const ms = parts.clock.monotonic() - startedMs
    const code = fault?.code ?? 'OK'
    commands.inc({ action, code })
    seconds.observe({ action }, ms / 1000)
    const detail = error instanceof AtollError ? error.detail : {}
    const what = {
      request: requestId,
      command: command?.id,
      action,
      code,
      ms: Number(ms.toFixed(2)),
    }
    const who = { account: caller?.account, user: caller?.user, deliveries: message.deliveries }
    const fields = { ...what, ...who }
    if (fault === null) commandLog.request(fields)
    else if (fault.kind === 'refused') {
      const isCheap = caller === undefined || code === 'RequestLimitExceeded'
      const line = { ...fields, reason: fault.message, ...detail }
      commandLog[isCheap ? 'turnedAway' : 'request'](line)
    } else if (fault.kind === 'bug')
      log.error({ ...fields, error, detail }, 'command failed by a bug')
    else log.warn({ ...fields, error, detail }, 'command could not be served')
  }
}
