/** One HTTPS request, verified with a CA that this process does not otherwise trust. */
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'

/** GET. Returns status and headers. Rejects when the server cannot be verified. */
export async function get(
  url: string,
  ca: string,
): Promise<Pick<IncomingMessage, 'statusCode' | 'headers'>> {
  const outgoing = request(url, { ca, agent: false })
  outgoing.end()
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage]
  answer.resume()
  return { statusCode: answer.statusCode, headers: answer.headers }
}
