/**
 * One call of an action, over HTTP or the bus: authentication, action, parameters, deadline, the
 * action itself, the answer.
 *
 * Every call ends in one outcome, one count and one log line, whatever is thrown. A transport is an
 * encoding (`Encoding`): how a request proves its sender, what it asks for, and how the answer is
 * written (`http/dispatch.ts`, `commands/serve.ts`).
 */

import { withDeadline } from '../lib/deadline.ts'
import type { Log } from '../lib/log.ts'
import { AtollError, refused } from '../model/errors.ts'
import type { AccessKey } from '../model/records.ts'
import { shareReads } from '../store/fair-reads.ts'
import type { Action, ApiParts, Call, Caller } from './action.ts'
import { actionDeadline, type Budget, type BudgetLimits, createBudget } from './budget.ts'
import type { CallMetrics } from './call-metrics.ts'
import { type Fault, faultOf } from './faults.ts'
import { createKeyQuotas, type KeyQuotaLimits } from './key-quotas.ts'
import { keyringOf } from './keyring.ts'
import { createKnownKeys } from './known-keys.ts'
import { type ParameterPath, ParameterRefusal } from './parameters.ts'
import { answerWithFallback } from './replica-fallback.ts'
import { formatUuid } from './request-id.ts'
import { createRequestLog } from './request-log.ts'
import { unknownAction } from './unknown-action.ts'
import type { Structure, WireAction } from './wire/model.ts'
import { actionTable, type Entry } from './wire/table.ts'

/** How much is worked on, and for how long. */
export interface CallLimits extends KeyQuotaLimits, BudgetLimits {
  /** How long an action may take before its caller is told to try again. */
  readonly actionTimeoutMs: number
  /** Calls at the same time; more are answered `RequestLimitExceeded`, which every SDK retries. */
  readonly maxInFlight: number
}

/** What a call asks for, as its door understands it. */
export interface Asked {
  /** Undefined when the request names no action. */
  readonly action: string | undefined
  /**
   * The parameters by the action's words on the wire, in the SDK's names and types. Refuses what
   * does not fit them.
   */
  readonly input: (words: Structure) => Readonly<Record<string, unknown>>
  /** What a client of this door calls a parameter; left out where it is as in the SDK. */
  readonly nameOf?: (words: Structure, path: ParameterPath) => string
  /**
   * Name or address, and port, under which the client reached this API; left out by doors that have
   * none.
   */
  readonly authority?: string
}

/** What an action gave. */
interface Answer {
  readonly requestId: string
  readonly output: object
  /**
   * Of what time (ISO 8601) the copy of the records was that it rests on; null when it rests on the
   * records.
   */
  readonly asOf: string | null
}

/**
 * How a door writes down a call. `Head` is what is there of a request before the rest of it was
 * read.
 */
export interface Encoding<Head, Request extends Head, A extends Asked> {
  /** Whose turn a call takes before anybody is proved, and who looks up keys that are not known. */
  readonly clientOf: (head: Head) => { readonly owner: string; readonly origin: string }
  /** Who sent a request. Refuses what is not signed, or too large to look at. */
  readonly authenticate: (
    request: Request,
    findKey: (id: string) => Promise<AccessKey | undefined>,
    nowMs: number,
  ) => Promise<Caller>
  /** What a request of somebody proved asks for. Refuses what cannot be read. */
  readonly read: (request: Request) => A
  /** The answer in the door's form. Refuses one that is too long. */
  readonly write: (answer: Answer, words: WireAction, asked: A, budget: Budget) => Promise<string>
  /** What a log line says of a request beside what all lines say. */
  readonly note: (head: Head, asked: A | undefined) => object
}

/** How a call ended. */
export interface Outcome<A> {
  readonly requestId: string
  /** What was asked for, as far as it was understood. */
  readonly asked: A | undefined
  /** Null while it is not known, and of an action that there is none of. */
  readonly words: WireAction | null
  readonly result:
    | { readonly kind: 'answer'; readonly text: string; readonly asOf: string | null }
    | { readonly kind: 'fault'; readonly fault: Fault }
}

/** Calls of one door. Nothing here rejects. */
export interface Calls<Head, Request, A> {
  /**
   * Answers a call. Its part of its key's share is given back when `ended` aborts. When that is
   * before the answer, the call ends with the signal's reason, which is an `unavailable`.
   */
  run(request: Request, ended: AbortSignal): Promise<Outcome<A>>
  /**
   * Turns a call away by its head: undefined when `claimed` gives an access key that exists. It
   * gives the key that the head names, and throws what is wrong with the head, or with a key that
   * there is none of.
   */
  checkHead(
    head: Head,
    claimed: () => { readonly accessKey: string; readonly unknown: () => Error },
  ): Promise<Outcome<A> | undefined>
}

/** What a door's calls are built from. */
export interface CallOptions<Head, Request extends Head, A extends Asked> {
  readonly parts: ApiParts
  readonly actions: readonly Action[]
  readonly encoding: Encoding<Head, Request, A>
  readonly limits: CallLimits
  readonly log: Log
  readonly measures: CallMetrics
  /** What log lines are about. */
  readonly what: 'api request' | 'command'
}

/** What is known of a call so far; an error anywhere is answered and logged with it. */
interface Exchange<Head, A> {
  readonly head: Head
  readonly requestId: string
  readonly startedMs: number
  caller?: Caller
  asked?: A
  entry?: Entry
}

/** Throws a `bug` when an action is not in the generated model or is given twice. */
export function createCalls<Head, Request extends Head, A extends Asked>(
  options: CallOptions<Head, Request, A>,
): Calls<Head, Request, A> {
  const { parts, encoding, limits, measures } = options
  const table = actionTable(options.actions)
  const admission = createAdmission(options)
  const { begin, end } = createExchanges(options)
  let inFlight = 0

  async function answer(
    request: Request,
    exchange: Exchange<Head, A>,
    ended: AbortSignal,
  ): Promise<{ readonly text: string; readonly asOf: string | null }> {
    if (inFlight > limits.maxInFlight)
      throw refused('RequestLimitExceeded', 'Request limit exceeded: too many requests at once')
    await parts.turns.next(encoding.clientOf(request).owner)
    const caller = await admission.authenticate(request)
    exchange.caller = caller
    const hold = admission.begin(caller, ended)
    const asked = encoding.read(request)
    exchange.asked = asked
    if (asked.action === undefined)
      throw refused('MissingParameter', 'The request must contain the parameter Action')
    const entry = table.get(asked.action)
    const own = admission.partsFor(caller)
    if (entry === undefined) throw await unknownAction(asked.action, caller.account, own)
    exchange.entry = entry
    const budget = createBudget(parts, limits, caller.accessKey)
    const deadline = actionDeadline(parts.clock, limits.actionTimeoutMs, ended)
    const { output, asOf } = await withDeadline(deadline, (signal) =>
      runAction(entry, asked, { caller, parts: own, budget, signal }),
    )
    const { requestId } = exchange
    const text = await encoding.write({ requestId, output, asOf }, entry.wire, asked, budget)
    hold.answer(text.length)
    return { text, asOf }
  }

  return {
    async run(request, ended) {
      const exchange = begin(request)
      inFlight += 1
      measures.inFlight.set(inFlight)
      try {
        const result = await answer(request, exchange, ended)
        return end(exchange, { kind: 'answer', ...result })
      } catch (error) {
        return end(exchange, { kind: 'fault', fault: faultOf(error) }, error)
      } finally {
        inFlight -= 1
        measures.inFlight.set(inFlight)
      }
    },
    async checkHead(head, claimed) {
      try {
        const { accessKey, unknown } = claimed()
        if (await admission.exists(accessKey, head)) return undefined
        throw unknown()
      } catch (error) {
        return end(begin(head), { kind: 'fault', fault: faultOf(error) }, error)
      }
    },
  }
}

/**
 * Runs an action by the words of its door: what it says of a parameter has the name that this
 * door's clients know.
 */
async function runAction(
  { action, wire }: Entry,
  asked: Asked,
  call: Omit<Call, 'records' | 'input' | 'authority'>,
) {
  const input = asked.input(wire.input)
  const { nameOf, authority } = asked
  try {
    return await answerWithFallback(action, {
      ...call,
      input,
      ...(authority === undefined ? {} : { authority }),
    })
  } catch (error) {
    if (nameOf === undefined || !(error instanceof ParameterRefusal)) throw error
    throw error.named((path) => nameOf(wire.input, path))
  }
}

/** Who makes a call, and that key's share of what this host does. */
function createAdmission<Head, Request extends Head, A extends Asked>({
  parts,
  encoding,
  limits,
}: CallOptions<Head, Request, A>) {
  const { clock } = parts
  const keys = keyringOf(parts)
  const known = createKnownKeys(keys.find, clock)
  const shares = createKeyQuotas(limits)
  const storeOf = shareReads(parts.store)

  const exists = (accessKey: string, head: Head) =>
    known.exists(accessKey, encoding.clientOf(head).origin)
  return {
    exists,
    async authenticate(request: Request): Promise<Caller> {
      const findKey = async (id: string) =>
        (await exists(id, request)) ? await keys.find(id) : undefined
      const caller = await encoding.authenticate(request, findKey, clock.now())
      known.proved(caller.accessKey)
      keys.used(caller.accessKey)
      return caller
    },
    /** Takes the call's part of the share, until `ended` aborts. */
    begin({ accessKey }: Caller, ended: AbortSignal) {
      const hold = shares.begin(accessKey, clock.monotonic())
      if (ended.aborted) hold.release()
      else ended.addEventListener('abort', hold.release, { once: true })
      return hold
    },
    /** What the action works with: the records as this key may ask them. */
    partsFor: ({ accessKey }: Caller): ApiParts => ({ ...parts, store: storeOf(accessKey) }),
  }
}

/** The beginning and the end of every call: its id, its one line and its one count. */
function createExchanges<Head, Request extends Head, A extends Asked>(
  options: CallOptions<Head, Request, A>,
) {
  const { parts, encoding, log, measures, what } = options
  const requestLog = createRequestLog(log, parts.clock, what)

  function begin(head: Head): Exchange<Head, A> {
    return {
      head,
      requestId: formatUuid(parts.random(16)),
      startedMs: parts.clock.monotonic(),
    }
  }

  /** `error` is what the fault was made of. */
  function end(
    exchange: Exchange<Head, A>,
    result: Outcome<A>['result'],
    error?: unknown,
  ): Outcome<A> {
    const { head, requestId, caller, asked, entry, startedMs } = exchange
    const ms = parts.clock.monotonic() - startedMs
    const action = entry?.action.name ?? 'unknown'
    const fault = result.kind === 'fault' ? result.fault : null
    const code = fault?.code ?? 'OK'
    measures.finished(action, code, ms)
    const line = {
      request: requestId,
      action,
      code,
      status: fault?.status ?? 200,
      ms: Number(ms.toFixed(2)),
      account: caller?.account,
      user: caller?.user,
      ...encoding.note(head, asked),
    }
    if (fault === null) requestLog.request(line)
    else tell(line, fault, error, caller !== undefined)
    return { requestId, asked, words: entry?.wire ?? null, result }
  }

  /** A refusal is the caller's business; the rest is the operator's. */
  function tell(line: object, fault: Fault, error: unknown, isProved: boolean): void {
    const detail = error instanceof AtollError ? error.detail : {}
    if (fault.kind === 'bug') log.error({ ...line, error, detail }, `${what} failed by a bug`)
    else if (fault.kind === 'unavailable')
      log.warn({ ...line, error, detail }, `${what} could not be served`)
    else {
      const costsNothing = !isProved || fault.code === 'RequestLimitExceeded'
      const refusal = { ...line, reason: fault.message, ...detail }
      if (costsNothing) requestLog.turnedAway(refusal)
      else requestLog.request(refusal)
    }
  }

  return { begin, end }
}
