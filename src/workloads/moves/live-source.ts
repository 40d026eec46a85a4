/** What a host gets from another one of a running instance (`live-protocol.ts`). */
import type { Duplex } from 'node:stream'
import { parseJson } from '../../lib/json.ts'
import { type CarriedFlow, MOST_FLOWS } from '../../model/carried-flow.ts'
import { explain, unavailable } from '../../model/errors.ts'
import {
  formatLiveRequest,
  LIVE_PROTOCOL,
  type LiveRequest,
  type LiveStream,
  liveMachineSchema,
  NEWS_MAX_CHARS,
  type News,
  newsSchema,
  parseFlow,
  STANDS_STILL,
} from './live-protocol.ts'
import { answerOf, ask, type MovePeer, problemIn, readJson } from './peer-source.ts'

type Of = Pick<LiveRequest, 'instance' | 'move'>

const OK = 200

/** How it runs there. Errors: `refused` and `unavailable`, as the other host says. */
export async function describeLive(peer: MovePeer, of: Of, signal: AbortSignal) {
  const path = formatLiveRequest({ ...of, what: 'live' })
  return await readJson(peer, path, liveMachineSchema, signal)
}

/** A connection for it, which ends with the signal. Errors: `unavailable`. */
export async function connectLive(
  peer: MovePeer,
  of: Of,
  what: LiveStream,
  signal: AbortSignal,
): Promise<Duplex> {
  const headers = { connection: 'Upgrade', upgrade: LIVE_PROTOCOL }
  const sent = ask(peer, formatLiveRequest({ ...of, what }), headers, signal)
  const upgraded = Promise.withResolvers<Duplex>()
  sent.on('upgrade', (_response, socket, head) => {
    socket.setTimeout(0)
    // Its end is noticed by whoever reads or writes it.
    socket.on('error', () => undefined)
    if (head.length > 0) socket.unshift(head)
    const end = () => socket.destroy()
    signal.addEventListener('abort', end, { once: true })
    socket.once('close', () => signal.removeEventListener('abort', end))
    upgraded.resolve(socket)
  })
  const answered = answerOf(peer, sent, signal).then(async (response) => {
    throw await problemIn(peer, response)
  })
  answered.catch(() => undefined)
  return await Promise.race([upgraded.promise, answered])
}

/** What is heard while an instance is sent. */
interface Heard {
  /** It has said anything. */
  readonly heard: () => void
  readonly progress: (message: string) => void
  /** It stands still there. Older versions do not say so. */
  readonly still: () => void
  /** Some of its connections. */
  readonly flows: (flows: readonly CarriedFlow[]) => void
}

/**
 * Has it sent over the connections. Resolves when it stands still there and everything was sent.
 * Errors: `unavailable`; it goes on there, or will when the move has ended.
 */
export async function sendLive(
  peer: MovePeer,
  of: Of,
  { heard, progress, still, flows: connections }: Heard,
  signal: AbortSignal,
): Promise<void> {
  const sent = ask(peer, formatLiveRequest({ ...of, what: 'send' }), {}, signal)
  const response = await answerOf(peer, sent, signal)
  if (response.statusCode !== OK) throw await problemIn(peer, response)
  response.setEncoding('utf8')
  let text = ''
  let flows = 0
  try {
    for await (const part of response) {
      heard()
      const lines = `${text}${part}`.split('\n')
      text = lines.pop() ?? ''
      for (const line of lines) {
        const news = newsIn(line)
        if (news.kind === 'sent') return
        if (news.kind === 'failed') throw unavailable(news.message)
        if (news.kind === 'progress') {
          if (news.message === STANDS_STILL) still()
          progress(news.message)
          continue
        }
        flows += news.flows.length
        if (flows > MOST_FLOWS) throw new Error('it has too many connections')
        connections(news.flows.map(parseFlow))
      }
      if (text.length > NEWS_MAX_CHARS) throw new Error('its answer is too long')
    }
  } catch (error) {
    signal.throwIfAborted()
    throw unavailable(`${peer.name}: ${explain(error)}`, error)
  }
  throw unavailable(`${peer.name} broke off`)
}

function newsIn(line: string): News {
  const { data } = newsSchema.safeParse(parseJson(line))
  if (data === undefined)
    throw new Error('it answers in a way that this version does not understand')
  return data
}
