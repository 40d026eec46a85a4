/**
 * One request, from raw bytes to XML: what is asked (`wire/`), who asks (`auth.ts`), the action, its answer or refusal.
 *
 * Knows nothing of HTTP servers. Every request ends in exactly one answer, one log line and one count, whatever is thrown
 * on the way; it is cut off at a deadline, and only so many of them run at once.
 */
import type { Log } from '../../lib/log.ts'
import { AtollError, refused } from '../../model/errors.ts'
import type { Action, ApiParts, Caller } from '../action.ts'
import { createBudget } from '../budget.ts'
import { EC2_MODEL } from '../generated/ec2.ts'
import { STS_MODEL } from '../generated/sts.ts'
import { formatUuid } from '../request-id.ts'
import type { WireModel } from '../wire/model.ts'
import { decodeInput, type Parameter, parseForm } from '../wire/query.ts'
import { actionTable } from '../wire/table.ts'
import { encodeAnswer, encodeError } from '../wire/xml.ts'
import { authenticate, type SignedRequest } from './auth.ts'
import { withDeadline } from './deadline.ts'
import { type Fault, faultOf } from './faults.ts'
import type { ApiMeasures } from './measures.ts'

/** How much is worked on, and for how long. */
export interface DispatchLimits {
  /** How long an action may take before its caller is told to try again. */
  readonly actionTimeoutMs: number
  /** Requests worked on at the same time; more are answered `RequestLimitExceeded`, which every SDK retries. */
  readonly maxInFlight: number
  /** Items in one page of a list when the request names no `MaxResults`: the most that EC2 gives. */
  readonly pageItems: number
  /** Longest answer, in bytes. */
  readonly answerBytes: number
}

/** A request and where it came from. */
interface ApiRequest extends SignedRequest {
  /** The client's address, for the log. */
  readonly remote: string
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
  /** Answers a request. Never rejects. */
  dispatch(request: ApiRequest): Promise<ApiAnswer>
  /** An error document for what never became a request: too large, not for us, not HTTP. */
  refuse(fault: Pick<Fault, 'status' | 'code' | 'message'>): ApiAnswer
}

/** What is known of a request so far; an error anywhere is answered and logged with it. */
interface Exchange {
  readonly requestId: string
  readonly startedMs: number
  service: WireModel
  action?: string
  caller?: Caller
}

/** How much of an unknown action's name is said back. */
const SHOWN_ACTION_LENGTH = 64

/** Throws a `bug` when an action is not in the generated model or is given twice. */
export function createDispatcher(options: {
  readonly parts: ApiParts
  readonly actions: readonly Action[]
  readonly log: Log
  readonly measures: ApiMeasures
  readonly limits: DispatchLimits
}): Dispatcher {
  const { parts, log, measures, limits } = options
  const table = actionTable(options.actions)
  let inFlight = 0

  async function answer(request: ApiRequest, exchange: Exchange): Promise<string> {
    const budget = createBudget(parts, limits)
    await budget.turn()
    const parameters = parseForm(formOf(request))
    const name = first(parameters, 'Action')
    const entry = name === undefined ? undefined : table.get(name)
    exchange.service = entry?.wire.service ?? serviceOf(first(parameters, 'Version'))
    if (entry !== undefined) exchange.action = entry.action.name
    const findKey = (id: string) => parts.store.read((tx) => tx.accessKey(id))
    const caller = await authenticate(request, findKey, parts.clock.now())
    exchange.caller = caller
    if (name === undefined) {
      throw refused('MissingParameter', 'The request must contain the parameter Action')
    }
    if (entry === undefined) {
      const shown = name.slice(0, SHOWN_ACTION_LENGTH)
      throw refused('InvalidAction', `The action ${shown} is not valid for this web service.`)
    }
    const { requestId } = exchange
    const input = decodeInput(entry.wire.input, parameters)
    const callLog = log.child({ request: requestId, action: name })
    const output = await withDeadline(request.gone, limits.actionTimeoutMs, (signal) =>
      entry.action.run({ input, caller, requestId, parts, log: callLog, budget, signal }),
    )
    return await encodeAnswer(entry.wire, requestId, output, budget)
  }

  async function dispatch(request: ApiRequest): Promise<ApiAnswer> {
    const exchange: Exchange = {
      requestId: formatUuid(parts.random(16)),
      startedMs: parts.clock.monotonic(),
      service: EC2_MODEL,
    }
    const finish = (status: number, code: string, failure: object): void => {
      const { requestId, action = 'unknown', caller } = exchange
      const ms = parts.clock.monotonic() - exchange.startedMs
      measures.finished(action, code, ms)
      const who = { account: caller?.account, user: caller?.user, remote: request.remote }
      const what = { request: requestId, action, code, status, ms: Number(ms.toFixed(2)) }
      log.info({ ...what, ...who, ...failure }, 'api request')
    }
    inFlight += 1
    measures.inFlight.set(inFlight)
    try {
      if (inFlight > limits.maxInFlight) {
        throw refused('RequestLimitExceeded', 'Request limit exceeded: too many requests at once')
      }
      const xml = await answer(request, exchange)
      finish(200, 'OK', {})
      const asOf = parts.store.staleSince()
      return { status: 200, requestId: exchange.requestId, xml, ...(asOf === null ? {} : { asOf }) }
    } catch (error) {
      const fault = faultOf(error)
      logFailure(log, fault, error, exchange)
      finish(fault.status, fault.code, fault.kind === 'refused' ? reasonOf(fault, error) : {})
      return answerFault(exchange.service, fault, exchange.requestId)
    } finally {
      inFlight -= 1
      measures.inFlight.set(inFlight)
    }
  }

  return {
    dispatch,
    refuse(fault) {
      measures.malformed.inc()
      return answerFault(EC2_MODEL, fault, formatUuid(parts.random(16)))
    },
  }
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
