/**
 * The HTTP encoding of a call (`call.ts`): signed forms in, XML out.
 *
 * Independent of the HTTP server. Every request gets a document that EC2 clients can read.
 */

import type { Log } from '../../lib/log.ts'
import type { Metrics } from '../../lib/metrics.ts'
import { refused } from '../../model/errors.ts'
import type { Action, ApiParts } from '../action.ts'
import { type Asked, type CallLimits, createCalls, type Encoding, type Outcome } from '../call.ts'
import { createCallMetrics } from '../call-metrics.ts'
import type { Fault } from '../faults.ts'
import { EC2_MODEL } from '../generated/ec2.ts'
import { STS_MODEL } from '../generated/sts.ts'
import { formatUuid } from '../request-id.ts'
import type { WireModel } from '../wire/model.ts'
import { decodeInput, type Parameter, parseForm, wireNameOf } from '../wire/query.ts'
import { encodeAnswer, encodeError } from '../wire/xml.ts'
import {
  authenticate,
  type RequestHead,
  readClaim,
  type SignedRequest,
  unknownKey,
} from './auth.ts'

/** What is there of a request before its body, and where it came from. */
interface ApiHead extends RequestHead {
  /** The query string of the request line, without `?`. */
  readonly query: string
  /** The client's address. */
  readonly remote: string
}

/** A request and where it came from. */
interface ApiRequest extends SignedRequest, ApiHead {}

/** What goes back: an XML document and the HTTP status it goes with. */
export interface ApiAnswer {
  readonly status: number
  readonly requestId: string
  readonly xml: string
  /**
   * Of what time (ISO 8601) the records were that it rests on, when they were not the shared ones.
   */
  readonly asOf?: string
}

/** What is told to whoever sent something that never became a request. */
export type Complaint = Pick<Fault, 'status' | 'code' | 'message'>

/** Requests in, answers out; whoever listens on a socket calls it. */
export interface Dispatcher {
  /**
   * Turns away who cannot be served, before a body is read: the answer for those whose head is not
   * signed, not in time, or by a key that does not exist; undefined for all others, who are
   * authenticated by `dispatch`. Never rejects.
   */
  checkHead(head: ApiHead): Promise<ApiAnswer | undefined>
  /**
   * Answers a request. Its part of its key's share is given back when `gone` aborts: the client has
   * the answer, or has left. Never rejects.
   */
  dispatch(request: ApiRequest, gone: AbortSignal): Promise<ApiAnswer>
  /** An error document for what never became a request: too large, not for us, not HTTP. */
  refuse(complaint: Complaint): ApiAnswer
}

/** What a dispatcher is built from. */
export interface DispatcherOptions {
  readonly parts: ApiParts
  readonly actions: readonly Action[]
  readonly log: Log
  readonly metrics: Metrics
  readonly limits: CallLimits
}

/** Throws a `bug` when an action is not in the generated model or is given twice. */
export function createDispatcher(options: DispatcherOptions): Dispatcher {
  const { parts, metrics } = options
  const measures = createCallMetrics(metrics, 'api')
  const malformed = metrics.counter(
    'atoll_api_malformed_total',
    'Requests refused before they were read',
  )
  const calls = createCalls({ ...options, measures, encoding: queryEncoding, what: 'api request' })
  return {
    async checkHead(head) {
      const outcome = await calls.checkHead(head, () => {
        const claim = readClaim(head, parts.clock.now())
        return { accessKey: claim.accessKey, unknown: () => unknownKey(claim) }
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

/** A form, taken apart. */
interface DecodedForm extends Asked {
  readonly version: string | undefined
}

const queryEncoding: Encoding<ApiHead, ApiRequest, DecodedForm> = {
  clientOf: ({ remote }) => ({ owner: remote, origin: remote }),
  authenticate,
  read(request) {
    const parameters = parseForm(formOf(request))
    return {
      action: first(parameters, 'Action'),
      version: first(parameters, 'Version'),
      input: (words) => decodeInput(words, parameters),
      nameOf: wireNameOf,
      // Signed, and so sent by the client itself.
      authority: request.headers['host']?.[0] ?? '',
    }
  },
  write: ({ requestId, output }, words, _asked, budget) =>
    encodeAnswer(words, requestId, output, budget),
  note: ({ remote }) => ({ remote }),
}

/** What goes back for a call that ended so. */
function documentOf(head: ApiHead, outcome: Outcome<DecodedForm>): ApiAnswer {
  const { requestId, result } = outcome
  if (result.kind === 'fault') return refusal(serviceOf(head, outcome), result.fault, requestId)
  const { text: xml, asOf } = result
  return { status: 200, requestId, xml, ...(asOf === null ? {} : { asOf }) }
}

function refusal(service: WireModel, complaint: Complaint, requestId: string): ApiAnswer {
  return { status: complaint.status, requestId, xml: encodeError(service, complaint, requestId) }
}

/**
 * Parameters may stand in the query string (GET, old clients) or in the body; both are covered by
 * the signature.
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

function first(parameters: readonly Parameter[], name: string): string | undefined {
  return parameters.find((parameter) => parameter.name === name)?.value
}

/**
 * The service whose words a refusal is in: the action's, that of the request's version, or what its
 * head gives away.
 */
function serviceOf(head: ApiHead, { words, asked }: Outcome<DecodedForm>): WireModel {
  if (words !== null) return words.service
  const isSts = asked === undefined ? isForSts(head) : asked.version === STS_MODEL.version
  return isSts ? STS_MODEL : EC2_MODEL
}

/**
 * Whether a request that was not decoded is for STS: by its query string or its credential's scope.
 */
function isForSts({ query, headers }: ApiHead): boolean {
  const [authorization = ''] = headers['authorization'] ?? []
  return STS_QUERY.test(query) || authorization.includes('/sts/aws4_request')
}

const STS_QUERY = new RegExp(
  `(?:^|&)(?:Version=${STS_MODEL.version}|Action=(?:${Object.keys(STS_MODEL.actions).join('|')}))(?:&|$)`,
)
