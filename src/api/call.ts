/**
 * One call of an action, over HTTP or the bus: authentication, action, parameters, deadline,
 * execution, answer.
 *
 * Every call ends with one outcome, one count and one log line, whatever is thrown. A transport is
 * an encoding (`Encoding`): how a request is authenticated, what it asks for, and how the answer is
 * written (`http/dispatch.ts`, `commands/serve.ts`).
 */

import { withDeadline } from '../lib/deadline.ts'
import type { Log } from '../lib/log.ts'
import type { AccessKey } from '../model/account-records.ts'
import { AtollError, refused } from '../model/errors.ts'
import { shareReads } from '../store/fair-reads.ts'
import { createAuthorizer } from './accounts/authorization.ts'
import { createKeyQuotas, type KeyQuotaLimits } from './accounts/key-quotas.ts'
import { keyringOf } from './accounts/keyring.ts'
import { createKnownKeys } from './accounts/known-keys.ts'
import type { Action, ApiParts, Call, Caller } from './action.ts'
import { type AuditedExchange, createCallAudit } from './audit/call-audit.ts'
import { keptParameters, withoutSecrets } from './audit/parameters.ts'
import { actionDeadline, type Budget, type BudgetLimits, createBudget } from './budget.ts'
import type { CallMetrics } from './call-metrics.ts'
import { type Fault, faultOf } from './faults.ts'
import { type ParameterPath, ParameterRefusal } from './parameters.ts'
import { answerWithFallback } from './replica-fallback.ts'
import { formatUuid } from './request-id.ts'
import { createRequestLog } from './request-log.ts'
import { unknownAction } from './unknown-action.ts'
import type { Structure, WireAction } from './wire/model.ts'
import { actionTable, type Entry } from './wire/table.ts'

/** Limits of concurrent calls and their duration. */
export interface CallLimits extends KeyQuotaLimits, BudgetLimits {
  /** How long an action may take before its caller is told to retry. */
  readonly actionTimeoutMs: number
  /**
   * Maximum number of concurrent calls. Further ones get `RequestLimitExceeded`, which every SDK
   * retries.
   */
  readonly maxInFlight: number
}

/** A decoded request. */
export interface Asked {
  /** Undefined when the request names no action. */
  readonly action: string | undefined
  /**
   * The parameters in the SDK's names and types, decoded by the action's names on the wire. Refuses
   * invalid ones.
   */
  readonly input: (words: Structure) => Readonly<Record<string, unknown>>
  /** The transport's name of a parameter. Absent if it is the SDK's. */
  readonly nameOf?: (words: Structure, path: ParameterPath) => string
  /** Name or address, and port, that the client used to reach this API. Absent for the bus. */
  readonly authority?: string
}

/** The result of an action. */
interface Answer {
  readonly requestId: string
  readonly output: object
  /**
   * The time (ISO 8601) of the copy of the records that was used. Null when the records themselves
   * were.
   */
  readonly asOf: string | null
}

/**
 * How a transport encodes calls. `Head` is the part of a request that is known before the rest is
 * read.
 */
export interface Encoding<Head, Request extends Head, A extends Asked> {
  /**
   * The client, whose turn a call takes before it is authenticated, and who looks up unknown keys.
   */
  readonly clientOf: (head: Head) => { readonly owner: string; readonly origin: string }
  /** The client's IP address, for policies. Undefined where none is known. */
  readonly sourceOf: (head: Head) => string | undefined
  /** What the client says of its program. Absent: nothing. */
  readonly agentOf?: (head: Head) => string
  /** The id of the key that the request names, proved or not. */
  readonly keyOf?: (head: Head) => string | undefined
  /** Authenticates a request. Refuses one that is not signed, or too large. */
  readonly authenticate: (
    request: Request,
    findKey: (id: string, token: string | null) => Promise<AccessKey | undefined>,
    nowMs: number,
  ) => Promise<Caller>
  /** Decodes an authenticated request. Refuses an invalid one. */
  readonly read: (request: Request) => A
  /** The answer, encoded. Refuses one that is too long. */
  readonly write: (answer: Answer, words: WireAction, asked: A, budget: Budget) => Promise<string>
  /** What a log line contains for this transport, besides what all lines contain. */
  readonly note: (head: Head, asked: A | undefined) => object
}

/** How a call ended. */
export interface Outcome<A> {
  readonly requestId: string
  /** The decoded request, as far as it could be decoded. */
  readonly asked: A | undefined
  /** Null while the action is unknown, or does not exist. */
  readonly words: WireAction | null
  readonly result:
    | { readonly kind: 'answer'; readonly text: string; readonly asOf: string | null }
    | { readonly kind: 'fault'; readonly fault: Fault }
}

/** The calls of one transport. Nothing here rejects. */
export interface Calls<Head, Request, A> {
  /**
   * Answers a call. Its part of its key's quota is returned when `ended` aborts. If that is before
   * the answer, the call ends with the signal's reason, which is an `unavailable`.
   */
  run(request: Request, ended: AbortSignal): Promise<Outcome<A>>
  /**
   * Refuses a call by its head. Returns undefined when `claimed` returns an existing access key.
   * `claimed` returns the key in the head, and throws for an invalid head. Unknown keys are refused
   * as well.
   */
  checkHead(
    head: Head,
    claimed: () => {
      readonly accessKey: string
      readonly token: string | null
      readonly unknown: () => Error
    },
  ): Promise<Outcome<A> | undefined>
}

/** What calls need. */
export interface CallOptions<Head, Request extends Head, A extends Asked> {
  readonly parts: ApiParts
  readonly actions: readonly Action[]
  readonly encoding: Encoding<Head, Request, A>
  readonly limits: CallLimits
  readonly log: Log
  readonly measures: CallMetrics
  /** The subject of log lines. */
  readonly what: 'api request' | 'command'
}

/** What is known of a call so far. An error is answered, logged and recorded with it. */
interface Exchange<Head, A extends Asked> extends AuditedExchange<Head> {
  readonly startedMs: number
  caller?: Caller
  asked?: A
}

/** Throws a `bug` when an action is not in the generated model, or is given twice. */
export function createCalls<Head, Request extends Head, A extends Asked>(
  options: CallOptions<Head, Request, A>,
): Calls<Head, Request, A> {
  const { parts, encoding, limits, measures } = options
  const table = actionTable(options.actions)
  const admission = createAdmission(options)
  const authorizer = createAuthorizer(parts)
  const audit = createCallAudit(parts.audit, encoding)
  const { begin, end } = createExchanges(options, audit.ended)
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
    if (entry === undefined) throw await unknownAction(asked.action, caller, own)
    exchange.entry = entry
    const budget = createBudget(parts, limits, caller.accessKey)
    const deadline = actionDeadline(parts.clock, limits.actionTimeoutMs, ended)
    const { output, asOf } = await withDeadline(deadline, async (signal) => {
      const input = asked.input(entry.wire.input)
      exchange.input = input
      const { service } = entry.wire
      const sourceIp = encoding.sourceOf(request)
      const who = { service: service.name, action: entry.action.name, input, caller, sourceIp }
      await authorizer.check(who, own)
      const call = { caller, parts: own, budget, signal, input, sourceIp, ...audit.of(exchange) }
      return runAction(entry, asked, call)
    })
    exchange.output = output
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
      const exchange = begin(head)
      try {
        const { accessKey, token, unknown } = claimed()
        if (await admission.exists(accessKey, token, head)) return undefined
        throw unknown()
      } catch (error) {
        return end(exchange, { kind: 'fault', fault: faultOf(error) }, error)
      }
    },
  }
}

/** Runs an action. Its refusals name parameters as the transport's clients do. */
async function runAction(
  { action, wire }: Entry,
  asked: Asked,
  call: Omit<Call, 'records' | 'authority'>,
) {
  const { nameOf, authority } = asked
  try {
    return await answerWithFallback(action, {
      ...call,
      ...(authority === undefined ? {} : { authority }),
    })
  } catch (error) {
    if (nameOf === undefined || !(error instanceof ParameterRefusal)) throw error
    throw error.named((path) => nameOf(wire.input, path))
  }
}

/** Who makes a call, and its key's quota on this host. */
function createAdmission<Head, Request extends Head, A extends Asked>({
  parts,
  encoding,
  limits,
}: CallOptions<Head, Request, A>) {
  const { clock } = parts
  const keys = keyringOf(parts)
  const known = createKnownKeys((id) => keys.find(id, null), clock)
  const shares = createKeyQuotas(limits)
  const storeOf = shareReads(parts.store)

  const exists = async (accessKey: string, token: string | null, head: Head) => {
    const permanent = keys.permanent(accessKey, token)
    // Nobody but hosts can seal a token, so there is nothing to look up for strangers.
    if (permanent === undefined || permanent === 'sealed') return permanent === 'sealed'
    return known.exists(permanent.key, encoding.clientOf(head).origin)
  }
  return {
    exists,
    async authenticate(request: Request): Promise<Caller> {
      const findKey = async (id: string, token: string | null) =>
        (await exists(id, token, request)) ? await keys.find(id, token) : undefined
      const caller = await encoding.authenticate(request, findKey, clock.now())
      if (caller.role !== undefined) return caller
      known.proved(caller.accessKey)
      keys.used(caller.accessKey)
      return caller
    },
    /** Takes the call's part of the quota, until `ended` aborts. */
    begin({ accessKey }: Caller, ended: AbortSignal) {
      const hold = shares.begin(accessKey, clock.monotonic())
      if (ended.aborted) hold.release()
      else ended.addEventListener('abort', hold.release, { once: true })
      return hold
    },
    /** What the action gets: the records, as this key may read them. */
    partsFor: ({ accessKey }: Caller): ApiParts => ({ ...parts, store: storeOf(accessKey) }),
  }
}

/** The fault, without what is secret in the request. */
function clearedOf<Head, A extends Asked>(
  fault: Fault,
  { entry, input }: Exchange<Head, A>,
): Fault {
  if (entry === undefined) return fault
  const { secrets } = keptParameters(entry.wire.input, input)
  return { ...fault, message: withoutSecrets(fault.message, secrets) }
}

/** Beginning and end of every call: its id, its log line and its count. */
function createExchanges<Head, Request extends Head, A extends Asked>(
  options: CallOptions<Head, Request, A>,
  ended: (exchange: Exchange<Head, A>, fault: Fault | null) => void,
) {
  const { parts, encoding, log, measures, what } = options
  const requestLog = createRequestLog(log, parts.clock, what)

  function begin(head: Head): Exchange<Head, A> {
    return {
      head,
      requestId: formatUuid(parts.random(16)),
      startedMs: parts.clock.monotonic(),
      atMs: parts.clock.now(),
    }
  }

  /** `error` is the cause of the fault. */
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
    ended(exchange, fault)
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
    else tell(line, clearedOf(fault, exchange), error, caller !== undefined)
    return { requestId, asked, words: entry?.wire ?? null, result }
  }

  /** A refusal concerns the caller; other faults concern the operator. */
  function tell(line: object, fault: Fault, error: unknown, isProved: boolean): void {
    const detail = error instanceof AtollError ? error.detail : {}
    if (fault.kind === 'bug')
      log.error({ ...line, error, detail }, `${what} failed because of a bug`)
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
