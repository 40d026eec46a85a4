/** A hand-written client of the Query API: sends forms, reads XML, over HTTP. */
import { request } from 'node:http'
import type { RunningApi } from './api.ts'
import { signedHeaders } from './signed.ts'

interface Sent {
  readonly method?: 'GET' | 'POST'
  /** What the client believes to call. */
  readonly host?: string
  readonly headers?: Readonly<Record<string, string>>
}

export interface QueryAnswer {
  readonly status: number
  readonly body: string
  /** Of a refusal. */
  readonly code: string | undefined
  readonly message: string | undefined
}

/** Sends `Action=…` and the form: in the body, or of a GET in the request line. */
export async function query(
  { port }: Pick<RunningApi, 'port'>,
  action: string,
  form = '',
  { method = 'POST', host = `127.0.0.1:${port}`, headers = {} }: Sent = {},
): Promise<QueryAnswer> {
  const text = `Action=${action}&Version=2016-11-15${form === '' ? '' : `&${form}`}`
  const line = method === 'GET' ? text : ''
  const body = method === 'GET' ? '' : text
  const signed = signedHeaders({ method, query: canonical(line), body, host })
  const { status, answer } = await send(port, {
    method,
    path: line === '' ? '/' : `/?${line}`,
    headers: { ...signed, 'content-length': String(Buffer.byteLength(body)), ...headers },
    body,
  })
  return {
    status,
    body: answer,
    code: /<Code>(.*?)<\/Code>/.exec(answer)?.[1],
    message: /<Message>(.*?)<\/Message>/s.exec(answer)?.[1]?.replaceAll('&quot;', '"'),
  }
}

/** As it is signed: each pair encoded again, all in order. */
function canonical(line: string): string {
  const pairs = line.split('&').filter((pair) => pair !== '')
  return pairs
    .map((pair) => {
      const [name = '', value = ''] = pair.split('=').map(decodeURIComponent)
      return `${encodeURIComponent(name)}=${encodeURIComponent(value)}`
    })
    .sort()
    .join('&')
}

/** What is between the tags of every element of that name, in the order of the document. */
export function elements({ body }: Pick<QueryAnswer, 'body'>, name: string): readonly string[] {
  return [...body.matchAll(new RegExp(`<${name}>(.*?)</${name}>`, 'gs'))].map(
    ([, text = '']) => text,
  )
}

interface Raw {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

async function send(
  port: number,
  { method, path, headers, body }: Raw,
): Promise<{ readonly status: number; readonly answer: string }> {
  return await new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, method, path, headers }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          answer: Buffer.concat(chunks).toString(),
        }),
      )
    })
    sent.on('error', reject)
    sent.end(body)
  })
}
