/** Requests of the EC2 Query API as boto3 sends them, signed and ready to be written. */
import { signatureHeaders } from '../../kit/sigv4.ts'
import { askOnce } from './load.ts'

/** Where a server is, and the key that signs. */
export interface Client {
  readonly port: number
  readonly id: string
  readonly secret: string
}

type Parameters = Readonly<Record<string, string | number>>

const VERSION = '2016-11-15'
const CONTENT_TYPE = 'application/x-www-form-urlencoded; charset=utf-8'

/** The bytes of one request. Its signature is valid for 15 minutes. */
export function formRequest({ port, id, secret }: Client, parameters: Parameters): Buffer {
  const pairs = Object.entries({ ...parameters, Version: VERSION })
  const body = new URLSearchParams(pairs.map(([name, value]) => [name, String(value)])).toString()
  const headers = { 'content-type': CONTENT_TYPE, host: `127.0.0.1:${port}` }
  const signer = { id, secret, region: 'us-east-1', service: 'ec2' }
  const signed = signatureHeaders({ method: 'POST', query: '', headers, body }, signer, Date.now())
  const lines = Object.entries({
    ...headers,
    'user-agent': 'Boto3/1.26.27 Python/3.11.2 Linux/6.1.0-18-amd64 Botocore/1.29.27',
    'accept-encoding': 'identity',
    ...signed,
    'content-length': String(body.length),
  }).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.from(`POST / HTTP/1.1\r\n${lines.join('')}\r\n${body}`)
}

/** The body of the answer to one request. Rejects when it is refused. */
export function call(client: Client, parameters: Parameters): Promise<string> {
  return askOnce(client.port, formRequest(client, parameters))
}

/** The texts of all elements with this name. */
export function textsOf(xml: string, element: string): readonly string[] {
  return [...xml.matchAll(new RegExp(`<${element}>([^<]*)</${element}>`, 'g'))].flatMap(
    ([, text]) => text ?? [],
  )
}

/** The text of the first element with this name. Rejects when there is none. */
export function textOf(xml: string, element: string): string {
  const [text] = textsOf(xml, element)
  if (text === undefined) throw new Error(`there is no ${element} in: ${xml}`)
  return text
}
