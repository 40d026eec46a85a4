/** Signature Version 4 for requests that no SDK would send. */
import { createHash, createHmac } from 'node:crypto'
import type { AccessKey } from '../../src/model/account-records.ts'
import { KEY } from './api.ts'

interface Unsigned {
  readonly method?: string
  /**
   * The query string as it stands in the request line; its pairs must be in order and fully
   * encoded.
   */
  readonly query?: string
  readonly body?: Uint8Array | string
  readonly host?: string
}

/**
 * The headers that make it a request of `key`, or one that only says so when the secret is another.
 */
export function signedHeaders(
  { method = 'POST', query = '', body = '', host = 'atoll' }: Unsigned,
  key: Pick<AccessKey, 'id' | 'secret'> = KEY,
  nowMs = Date.now(),
): { readonly host: string; readonly 'x-amz-date': string; readonly authorization: string } {
  const time = new Date(nowMs).toISOString().replaceAll(/[-:]|\.\d+/g, '')
  const scope = `${time.slice(0, 8)}/atoll/ec2/aws4_request`
  const sha256 = (data: Uint8Array | string) => createHash('sha256').update(data).digest('hex')
  const hmac = (secret: string | Buffer, text: string) =>
    createHmac('sha256', secret).update(text).digest()
  const canonical = `${method}\n/\n${query}\nhost:${host}\nx-amz-date:${time}\n\nhost;x-amz-date\n${sha256(body)}`
  const signing = scope.split('/').reduce<string | Buffer>(hmac, `AWS4${key.secret}`)
  const text = `AWS4-HMAC-SHA256\n${time}\n${scope}\n${sha256(canonical)}`
  const signature = hmac(signing, text).toString('hex')
  const authorization = `AWS4-HMAC-SHA256 Credential=${key.id}/${scope}, SignedHeaders=host;x-amz-date, Signature=${signature}`
  return { host, 'x-amz-date': time, authorization }
}
