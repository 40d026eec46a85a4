/**
 * Signature Version 4, for requests that no SDK would send, and for many at a time.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
import { createHash, createHmac } from 'node:crypto'

/** A request, with everything that its signature covers. */
interface Unsigned {
  readonly method: string
  /** As it stands in the request line. Its pairs must be in order and fully encoded. */
  readonly query: string
  /** By lower-case name. All are signed. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | string
}

/** Whose signature it is, and for what. */
interface Signer {
  readonly id: string
  readonly secret: string
  readonly region: string
  readonly service: string
}

/** The headers to add, with the time `nowMs` (milliseconds since the epoch). */
export function signatureHeaders(
  { method, query, headers, body }: Unsigned,
  { id, secret, region, service }: Signer,
  nowMs: number,
): { readonly 'x-amz-date': string; readonly authorization: string } {
  const time = new Date(nowMs).toISOString().replaceAll(/[-:]|\.\d+/g, '')
  const scope = `${time.slice(0, 8)}/${region}/${service}/aws4_request`
  const signed = Object.entries({ ...headers, 'x-amz-date': time }).sort(([a], [b]) =>
    a < b ? -1 : 1,
  )
  const names = signed.map(([name]) => name).join(';')
  const lines = signed.map(([name, value]) => `${name}:${value}`).join('\n')
  const canonical = `${method}\n/\n${query}\n${lines}\n\n${names}\n${sha256(body)}`
  const text = `AWS4-HMAC-SHA256\n${time}\n${scope}\n${sha256(canonical)}`
  const signing = scope.split('/').reduce<string | Buffer>(hmac, `AWS4${secret}`)
  const signature = hmac(signing, text).toString('hex')
  return {
    'x-amz-date': time,
    authorization: `AWS4-HMAC-SHA256 Credential=${id}/${scope}, SignedHeaders=${names}, Signature=${signature}`,
  }
}

function sha256(data: Uint8Array | string): string {
  return createHash('sha256').update(data).digest('hex')
}

function hmac(secret: string | Buffer, text: string): Buffer {
  return createHmac('sha256', secret).update(text).digest()
}
