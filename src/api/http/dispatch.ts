/**
 * One request, from raw bytes to XML: what is asked (`wire/`), who asks (`auth.ts`), the action, its answer or refusal.
 *
 * Knows nothing of HTTP servers. Every request ends in exactly one answer, one log line and one count, whatever is thrown
 * on the way; it is cut off at a deadline, and only so many of them run at once.
 */
import type { Log } from '../../lib/log.ts'
import { AtollError, refused } from '../../model/errors.ts'
import { shareReads } from '../../store/fair-reads.ts'
import type { Action, ApiParts, Call, Caller } from '../action.ts'
import { type ActionAnswer, answerOf } from '../answer.ts'
import { createBudget } from '../budget.ts'
import { type Fault, faultOf } from '../faults.ts'
import { EC2_MODEL } from '../generated/ec2.ts'
import { STS_MODEL } from '../generated/sts.ts'
import { keyringOf } from '../keyring.ts'
import { createKnownKeys } from '../known-keys.ts'
import type { ApiMeasures } from '../measures.ts'
import { ParameterRefusal } from '../parameters.ts'
import { formatUuid } from '../request-id.ts'
import { createRequestLog } from '../request-log.ts'
import { createShares, type ShareLimits } from '../shares.ts'
import { unknownAction } from '../unknown-action.ts'
import type { WireModel } from '../wire/model.ts'
import { decodeInput, type Parameter, parseForm, wireNameOf } from '../wire/query.ts'
import { actionTable, type Entry } from '../wire/table.ts'
import { encodeAnswer, encodeError } from '../wire/xml.ts'
import {
  authenticate,
  type RequestHead,
  readClaim,
  type SignedRequest,
  unknownKey,
} from './auth.ts'
import { withDeadline } from './deadline.ts'

/** How much is worked on, and for how long. */
export interface DispatchLimits extends ShareLimits {
  /** How long an action may take before its caller is told to try again. */
  readonly actionTimeoutMs: number
  /** Requests worked on at the same time; more are answered `RequestLimitExceeded`, which every SDK retries. */
  readonly maxInFlight: number
  /** Items in one page of a list when the request names no `MaxResults`: the most that EC2 gives. */
  readonly pageItems: number
  /** Longest answer, in bytes. */
  readonly answerBytes: number
}

/** What is there of a request before its body, and where it came from. */
interface ApiHead extends RequestHead {
  /** The query string of the request line, without `?`. */
  readonly query: string
  /** The client's address. */
  readonly remote: string
}

/** A request and where it came from. */
interface ApiRequest extends SignedRequest, ApiHead {
  /** Aborts when the client is gone. */
  readonly gone: AbortSignal
}

/** What goes back: an XML document and the HTTP status it goes with. */
export interface ApiAnswer {
  readonly status: number
  readonly requestId: string
  readonly xml: string
  /** Of what time (ISO 8601) the records were that it rests on, when they were not the shared ones. */
  readonly asOf?: string
}

/** Requests in, answers out; whoever listens on a socket calls it. */
export interface Dispatcher {
  /**
   * Turns away who cannot be served, before a body is read: the answer for those whose head is not signed, not in time, or by a key that
   * does not exist; undefined for all others, who are authenticated by `dispatch`. Never rejects.
   */
  screen(head: ApiHead): Promise<ApiAnswer | undefined>
  /** Answers a request. Its part of its key's share is given back when `gone` aborts. Never rejects. */
  dispatch(request: ApiRequest): Promise<ApiAnswer>
  /** An error document for what never became a request: too large, not for us, not HTTP. */
  refuse(fault: Pick<Fault, 'status' | 'code' | 'message'>): ApiAnswer
}

/** What is known of a request so far; an error anywhere is answered and logged with it. */
interface Exchange {
  readonly requestId: string
  readonly startedMs: number
  readonly remote: string
  service: WireModel
  action?: string
  caller?: Caller
}

interface DispatcherOptions {
  readonly parts: ApiParts
  readonly actions: readonly Action[]
  readonly log: Log
  readonly measures: ApiMeasures
  readonly limits: DispatchLimits
}

/** Throws a `bug` when an action is not in the generated model or is given twice. */
export function createDispatcher(options: DispatcherOptions): Dispatcher {
  const { parts, log, measures, limits } = options
  const table = actionTable(options.actions)
  const keys = keyringOf(parts)
  const findKey = keys.find
  const known = createKnownKeys(findKey, parts.clock)
  const shares = createShares(limits)
  const storeOf = shareReads(parts.store)
  const { begin, finish, fail } = createExchanges(options)
  let inFlight = 0

  async function answer(
    request: ApiRequest,
    exchange: Exchange,
  ): Promise<{ readonly xml: string; readonly asOf: string | null }> {
    await parts.turns.next(request.remote)
    const caller = await authenticate(request, findKey, parts.clock.now())
    exchange.caller = caller
    known.proved(caller.accessKey)
    keys.used(caller.accessKey)
    const hold = shares.begin(caller.accessKey, parts.clock.monotonic())
    releaseWhen(request.gone, hold.release)
    const parameters = parseForm(formOf(request))
    const name = first(parameters, 'Action')
    const entry = table.get(name ?? '')
    exchange.service = entry?.wire.service ?? serviceOf(first(parameters, 'Version'))
    if (entry !== undefined) exchange.action = entry.action.name
    if (name === undefined) throw noAction()
    const own = { ...parts, store: storeOf(caller.accessKey) }
    if (entry === undefined) throw await unknownAction(name, caller.account, own)
    const budget = createBudget(parts, limits, caller.accessKey)
    const { requestId } = exchange
    const input = decodeInput(entry.wire.input, parameters)
    const callLog = log.child({ request: requestId, action: name })
    // Signed, and so sent by the client itself.
    const authority = request.headers['host']?.[0] ?? ''
    const call = { input, caller, requestId, parts: own, log: callLog, budget, authority }
    const { output, asOf } = await withDeadline(request.gone, limits.actionTimeoutMs, (signal) =>
      runAction(entry, { ...call, signal }),
    )
    const xml = await encodeAnswer(entry.wire, requestId, output, budget)
    hold.answer(xml.length)
    return { xml, asOf }
  }

  async function screen(head: ApiHead): Promise<ApiAnswer | undefined> {
    try {
      const claim = readClaim(head, parts.clock.now())
      if (await known.exists(claim.accessKey, head.remote)) return undefined
      throw unknownKey(claim)
    } catch (error) {
      return fail(begin(head), error)
    }
  }

  async function dispatch(request: ApiRequest): Promise<ApiAnswer> {
    const exchange = begin(request)
    inFlight += 1
    measures.inFlight.set(inFlight)
    try {
      if (inFlight > limits.maxInFlight) {
        throw refused('RequestLimitExceeded', 'Request limit exceeded: too many requests at once')
      }
      const { xml, asOf } = await answer(request, exchange)
      finish(exchange, 200, 'OK', {})
      return { status: 200, requestId: exchange.requestId, xml, ...(asOf === null ? {} : { asOf }) }
    } catch (error) {
      return fail(exchange, error)
    } finally {
      inFlight -= 1
      measures.inFlight.set(inFlight)
    }
  }

  return {
    screen,
    dispatch,
    refuse(fault) {
      measures.malformed.inc()
      return answerFault(EC2_MODEL, fault, formatUuid(parts.random(16)))
    },
  }
}

function noAction(): Error {
  return refused('MissingParameter', 'The request must contain the parameter Action')
}

/** Gives a request's share back when its client has gone. */
function releaseWhen(gone: AbortSignal, release: () => void): void {
  if (gone.aborted) release()
  else gone.addEventListener('abort', release, { once: true })
}

/** Runs an action. What it says of a parameter has the name that this client knows. */
async function runAction({ action, wire }: Entry, call: Call): Promise<ActionAnswer> {
  try {
    return await answerOf(action, call)
  } catch (error) {
    if (!(error instanceof ParameterRefusal)) throw error
    throw error.named((path) => wireNameOf(wire.input, path))
  }
}

/** The beginning and the end of every request: its id, its one line and its one count. */
function createExchanges({ parts, log, measures }: DispatcherOptions) {
  const requestLog = createRequestLog(log, parts.clock, 'api request')

  function begin({ query, remote, headers }: ApiHead): Exchange {
    return {
      requestId: formatUuid(parts.random(16)),
      startedMs: parts.clock.monotonic(),
      remote,
      service: isForSts(query, headers['authorization']?.[0] ?? '') ? STS_MODEL : EC2_MODEL,
    }
  }

  function finish(exchange: Exchange, status: number, code: string, failure: object): void {
    const { requestId, action = 'unknown', caller, remote } = exchange
    const ms = parts.clock.monotonic() - exchange.startedMs
    measures.finished(action, code, ms)
    const who = { account: caller?.account, user: caller?.user, remote }
    const what = { request: requestId, action, code, status, ms: Number(ms.toFixed(2)) }
    const isCheap = caller === undefined || code === 'RequestLimitExceeded'
    requestLog[isCheap ? 'turnedAway' : 'request']({ ...what, ...who, ...failure })
  }

  function fail(exchange: Exchange, error: unknown): ApiAnswer {
    const fault = faultOf(error)
    logFailure(log, fault, error, exchange)
    const failure = fault.kind === 'refused' ? reasonOf(fault, error) : {}
    finish(exchange, fault.status, fault.code, failure)
    return answerFault(exchange.service, fault, exchange.requestId)
  }

  return { begin, finish, fail }
}

/** Parameters may stand in the query string (GET, old clients) or in the body; both are covered by the signature. */
function formOf(request: SignedRequest): string {
  if (request.body.length === 0) return request.query
  const body = decodeUtf8(request.body)
  return request.query === '' ? body : `${request.query}&${body}`
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw refused('MalformedQueryString', 'The query string is malformed: the body is not UTF-8')
  }
}

function first(parameters: readonly Parameter[], name: string): string | undefined {
  return parameters.find((parameter) => parameter.name === name)?.value
}

function serviceOf(version: string | undefined): WireModel {
  return version === STS_MODEL.version ? STS_MODEL : EC2_MODEL
}

/** Whether what is known of a request before it is decoded says that it is for STS: by its query string or its credential's scope. */
function isForSts(query: string, authorization: string): boolean {
  return STS_QUERY.test(query) || authorization.includes('/sts/aws4_request')
}

const STS_QUERY = new RegExp(
  `(?:^|&)(?:Version=${STS_MODEL.version}|Action=(?:${Object.keys(STS_MODEL.actions).join('|')}))(?:&|$)`,
)

function answerFault(
  service: WireModel,
  fault: Pick<Fault, 'status' | 'code' | 'message'>,
  requestId: string,
): ApiAnswer {
  return { status: fault.status, requestId, xml: encodeError(service, fault, requestId) }
}

/** A refusal is the caller's business and stays in the request's one line; the rest is the operator's. */
function logFailure(log: Log, fault: Fault, error: unknown, exchange: Exchange): void {
  if (fault.kind === 'refused') return
  const detail = error instanceof AtollError ? error.detail : {}
  const fields = { request: exchange.requestId, action: exchange.action, error, detail }
  if (fault.kind === 'bug') log.error(fields, 'api request failed by a bug')
  else log.warn(fields, 'api request could not be served')
}

function reasonOf(fault: Fault, error: unknown): object {
  return { reason: fault.message, ...(error instanceof AtollError ? error.detail : {}) }
}
