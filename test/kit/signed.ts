/** Signature Version 4 for requests that no SDK would send. */
import type { AccessKey } from '../../src/model/account-records.ts'
import { signatureHeaders } from '../../tools/kit/sigv4.ts'
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
  const signer = { ...key, region: 'atoll', service: 'ec2' }
  return { host, ...signatureHeaders({ method, query, headers: { host }, body }, signer, nowMs) }
}
