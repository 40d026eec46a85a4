/**
 * Decides how the metadata service answers one request. Pure.
 *
 * The caller is known from its connection. Nothing in the request is trusted for that. The rules of
 * IMDSv1 and IMDSv2:
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-v2-how-it-works.html
 */
import type { InstanceId } from '../../model/ids.ts'
import type { MetadataOptions } from '../../model/metadata-options.ts'
import type { Tokens } from './tokens.ts'
import { MAX_TOKEN_SECONDS } from './tokens.ts'
import type { Directory } from './tree.ts'
import { documentOf, nodeAt } from './tree.ts'

/** One request. Header names are in lower case. */
export interface MetadataRequest {
  readonly method: string
  /** Path and query as received. */
  readonly target: string
  readonly token: string | undefined
  readonly tokenTtl: string | undefined
  /** Whether a header says that a proxy forwarded the request. */
  readonly isForwarded: boolean
  readonly hasBody: boolean
}

export interface MetadataCaller {
  readonly instance: InstanceId
  readonly tree: Directory
  readonly options: Pick<MetadataOptions, 'tokens' | 'endpoint'>
}

export interface MetadataReply {
  readonly status: 200 | 400 | 401 | 403 | 404 | 405 | 413 | 429
  readonly contentType: string
  readonly headers: Readonly<Record<string, string>>
  /** Also set for HEAD. The server then sends only its length. */
  readonly body: string | Uint8Array
}

/** Header of the token's lifetime, in requests and responses. */
export const TOKEN_TTL_HEADER = 'x-aws-ec2-metadata-token-ttl-seconds'
/** Request header with a token. */
export const TOKEN_HEADER = 'x-aws-ec2-metadata-token'

const TOKEN_PATH = 'latest/api/token'
const REASONS = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  413: 'Content Too Large',
  429: 'Too Many Requests',
} as const

/** The reply to a request of the given caller at `nowMs` (milliseconds since the epoch). */
export function answer(
  request: MetadataRequest,
  caller: MetadataCaller,
  tokens: Tokens,
  nowMs: number,
): MetadataReply {
  if (request.hasBody) return problem(413)
  if (caller.options.endpoint === 'disabled') return problem(403)
  const segments = segmentsOf(request.target)
  if (segments === undefined) return problem(400)
  if (segments.join('/') === TOKEN_PATH) return answerToken(request, caller, tokens, nowMs)
  if (request.method !== 'GET' && request.method !== 'HEAD') return notAllowed('GET, HEAD')
  // A request without a token is IMDSv1. A token must be valid, even where none is required.
  const isGood =
    request.token === undefined
      ? caller.options.tokens === 'optional'
      : tokens.isValid(request.token, caller.instance, nowMs)
  if (!isGood) return problem(401)
  const node = nodeAt(caller.tree, segments)
  if (node === undefined) return problem(404)
  const document = documentOf(node, nowMs)
  return { status: 200, contentType: document.contentType, headers: {}, body: document.body }
}

/** An error reply: an XHTML page like EC2's. */
export function problem(status: keyof typeof REASONS): MetadataReply {
  const title = `${status} - ${REASONS[status]}`
  const body = `<?xml version="1.0" encoding="iso-8859-1"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"
	"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">
 <head>
  <title>${title}</title>
 </head>
 <body>
  <h1>${title}</h1>
 </body>
</html>
`
  return { status, contentType: 'text/html', headers: {}, body }
}

function answerToken(
  request: MetadataRequest,
  caller: MetadataCaller,
  tokens: Tokens,
  nowMs: number,
): MetadataReply {
  if (request.method !== 'PUT') return notAllowed('PUT')
  // A proxy on the instance must not get tokens for others.
  if (request.isForwarded) return problem(403)
  const ttlSeconds = readTtl(request.tokenTtl)
  if (ttlSeconds === undefined) return problem(400)
  return {
    status: 200,
    contentType: 'text/plain',
    headers: { [TOKEN_TTL_HEADER]: String(ttlSeconds) },
    body: tokens.issue(caller.instance, ttlSeconds, nowMs),
  }
}

function readTtl(header: string | undefined): number | undefined {
  if (header === undefined || !/^\d{1,5}$/.test(header)) return undefined
  const ttlSeconds = Number(header)
  return ttlSeconds >= 1 && ttlSeconds <= MAX_TOKEN_SECONDS ? ttlSeconds : undefined
}

/**
 * The decoded segments of the path. Empty ones are dropped, because EC2 accepts doubled slashes.
 * Undefined when the encoding is invalid.
 */
function segmentsOf(target: string): readonly string[] | undefined {
  const [path = ''] = target.split('?', 1)
  try {
    return path.split('/').filter(Boolean).map(decodeURIComponent)
  } catch {
    return undefined
  }
}

function notAllowed(allow: string): MetadataReply {
  return { ...problem(405), headers: { allow } }
}
