/**
 * The HTTP encoding of a call (`call.ts`): signed forms as input, XML as output.
 *
 * It is independent of the HTTP server. Every response is a document that EC2 clients can read.
 */

import type { Log } from '../../lib/log.ts'
import type { Metrics } from '../../lib/metrics.ts'
import { refused } from '../../model/errors.ts'
import type { Action, ApiParts } from '../action.ts'
import { type Asked, type CallLimits, createCalls, type Encoding, type Outcome } from '../call.ts'
import { createCallMetrics } from '../call-metrics.ts'
import type { Fault } from '../faults.ts'
import { EC2_MODEL } from '../generated/ec2.ts'
import { IAM_MODEL } from '../generated/iam.ts'
import { STS_MODEL } from '../generated/sts.ts'
import { formatUuid } from '../request-id.ts'
import {
  decodeAwsJson,
  encodeAwsJson,
  encodeAwsJsonError,
  parseAwsJson,
  parseTarget,
  TARGET_HEADER,
} from '../wire/aws-json.ts'
import type { WireModel } from '../wire/model.ts'
import { decodeInput, type Parameter, parseForm, wireNameOf } from '../wire/query.ts'
import { encodeAnswer, encodeError } from '../wire/xml.ts'
import {
  authenticate,
  createSigningKeys,
  type RequestHead,
  readClaim,
  type SignedRequest,
  unknownKey,
} from './auth.ts'

/** The part of a request before its body, and the client's address. */
interface ApiHead extends RequestHead {
  /** The query string of the request line, without `?`. */
  readonly query: string
  /** The client's address. */
  readonly remote: string
}

/** A request, and the client's address. */
interface ApiRequest extends SignedRequest, ApiHead {}

/** A document and its HTTP status. */
export interface ApiAnswer {
  readonly status: number
  readonly requestId: string
  /** XML, or JSON for clients that speak it. */
  readonly text: string
  readonly isJson?: true
  /**
   * The time (ISO 8601) of the copy of the records that was used. Absent when the records
   * themselves were.
   */
  readonly asOf?: string
}

/** The error for input that never became a request. */
export type Complaint = Pick<Fault, 'status' | 'code' | 'message'>

/** Answers requests. The HTTP server calls it. */
export interface Dispatcher {
  /**
   * Refuses invalid requests before their body is read: those that are not signed, have a wrong
   * time, or an unknown key. Undefined for all others, which `dispatch` authenticates. Never
   * rejects.
   */
  checkHead(head: ApiHead): Promise<ApiAnswer | undefined>
  /**
   * Answers a request. Its part of its key's quota is returned when `gone` aborts: the client has
   * the response, or has disconnected. Never rejects.
   */
  dispatch(request: ApiRequest, gone: AbortSignal): Promise<ApiAnswer>
  /**
   * An error document for input that never became a request: too large, of another protocol,
   * invalid HTTP.
   */
  refuse(complaint: Complaint): ApiAnswer
}

/** What a dispatcher needs. */
export interface DispatcherOptions {
  readonly parts: ApiParts
  readonly actions: readonly Action[]
  readonly log: Log
  readonly metrics: Metrics
  readonly limits: CallLimits
}

/** Throws a `bug` when an action is not in the generated model, or is given twice. */
export function createDispatcher(options: DispatcherOptions): Dispatcher {
  const { parts, metrics } = options
  const measures = createCallMetrics(metrics, 'api')
  const signingKey = createSigningKeys()
  const encoding: typeof queryEncoding = {
    ...queryEncoding,
    authenticate: (request, findKey, nowMs) => authenticate(request, findKey, nowMs, signingKey),
  }
  const malformed = metrics.counter(
    'atoll_api_malformed_total',
    'Requests refused before they were read',
  )
  const calls = createCalls({
    ...options,
    measures,
    encoding,
    what: 'api request',
  })
  return {
    async checkHead(head) {
      const outcome = await calls.checkHead(head, () => {
        const claim = readClaim(head, parts.clock.now())
        return { accessKey: claim.accessKey, token: claim.token, unknown: () => unknownKey(claim) }
      })
      return outcome && documentOf(head, outcome)
    },
    dispatch: async (request, gone) => documentOf(request, await calls.run(request, gone)),
    refuse(complaint) {
      malformed.inc()
      return refusal(EC2_MODEL, complaint, formatUuid(parts.random(16)))
    },
  }
}

/** A decoded request. */
interface DecodedForm extends Asked {
  /** Of the API, as the request says. */
  readonly version: string | undefined
  readonly isJson: boolean
}

/** The key in a signature's head. */
const CREDENTIAL = /\bCredential=(\w{1,128})\//
/** Longest user agent that anything is made of, in characters. */
const AGENT_LIMIT = 1024

const queryEncoding: Encoding<ApiHead, ApiRequest, DecodedForm> = {
  clientOf: ({ remote }) => ({ owner: remote, origin: remote }),
  sourceOf: ({ remote }) => remote,
  agentOf: ({ headers }) => (headers['user-agent']?.[0] ?? '').slice(0, AGENT_LIMIT),
  keyOf: ({ headers }) => CREDENTIAL.exec(headers['authorization']?.[0] ?? '')?.[1],
  authenticate,
  read(request) {
    const target = targetOf(request)
    if (target !== undefined) return readJson(request, target)
    const parameters = parseForm(formOf(request))
    return {
      action: single(parameters, 'Action'),
      version: single(parameters, 'Version'),
      isJson: false,
      input: (words) => decodeInput(words, parameters),
      nameOf: wireNameOf,
      // It is signed, so the client itself sent it.
      authority: request.headers['host']?.[0] ?? '',
    }
  },
  write: ({ requestId, output }, words, { isJson }, budget) =>
    isJson ? encodeAwsJson(output, budget) : encodeAnswer(words, requestId, output, budget),
  note: ({ remote }) => ({ remote }),
}

/** The value of the header that a client of JSON sends. */
function targetOf({ headers }: ApiHead | SignedRequest): string | undefined {
  return Object.hasOwn(headers, TARGET_HEADER) ? (headers[TARGET_HEADER]?.[0] ?? '') : undefined
}

function readJson(request: SignedRequest, target: string): DecodedForm {
  const action = parseTarget(target)
  const parameters = parseAwsJson(decodeUtf8(request.body))
  const input: Asked['input'] = (words) => decodeAwsJson(words, parameters)
  return { action, version: undefined, isJson: true, input }
}

/** The response for the outcome of a call. */
function documentOf(head: ApiHead, outcome: Outcome<DecodedForm>): ApiAnswer {
  const { requestId, result } = outcome
  const isJson = targetOf(head) !== undefined
  if (result.kind === 'fault') {
    const { fault } = result
    if (!isJson) return refusal(serviceOf(head, outcome), fault, requestId)
    const text = encodeAwsJsonError(fault)
    return { status: fault.status, requestId, text, isJson }
  }
  const { text, asOf } = result
  const answer = { status: 200, requestId, text, ...(asOf === null ? {} : { asOf }) }
  return isJson ? { ...answer, isJson } : answer
}

function refusal(service: WireModel, complaint: Complaint, requestId: string): ApiAnswer {
  return { status: complaint.status, requestId, text: encodeError(service, complaint, requestId) }
}

/**
 * Parameters may be in the query string (GET, old clients) or in the body. The signature covers
 * both.
 */
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

/** The value of a parameter that a request has at most once, in query string and body together. */
function single(parameters: readonly Parameter[], name: string): string | undefined {
  const [found, more] = parameters.filter((parameter) => parameter.name === name)
  if (more === undefined) return found?.value
  throw refused(
    'InvalidParameterValue',
    `The value of parameter ${name} is invalid: it is given more than once`,
  )
}

/**
 * The service whose error format is used: the action's, the one of the request's version, or the
 * one that the head suggests.
 */
function serviceOf(head: ApiHead, { words, asked }: Outcome<DecodedForm>): WireModel {
  if (words !== null) return words.service
  const isOf =
    asked === undefined
      ? (model: WireModel) => isFor(head, model)
      : ({ version }: WireModel) => asked.version === version
  return OTHER_MODELS.find(isOf) ?? EC2_MODEL
}

/** Services besides EC2, whose errors have another form. */
const OTHER_MODELS = [IAM_MODEL, STS_MODEL]

/**
 * Whether a request that was not decoded is for the service, by its query string or its
 * credential's scope.
 */
function isFor({ query, headers }: ApiHead, { name, version, actions }: WireModel): boolean {
  const [authorization = ''] = headers['authorization'] ?? []
  if (authorization.includes(`/${name}/aws4_request`)) return true
  const parameters = new Set(query.split('&'))
  if (parameters.has(`Version=${version}`)) return true
  return Object.keys(actions).some((action) => parameters.has(`Action=${action}`))
}
