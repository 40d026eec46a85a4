/**
 * The forwarder. It asks upstream servers, checks replies with `upstream.ts`, and caches them as
 * long as they are valid.
 *
 * Equal questions share one exchange. This also protects from birthday attacks, which need many
 * exchanges for one question (RFC 5452 section 5). A question is tried `TRIES` times, each time
 * with a new socket, id and letter case, and takes at most `TRIES * timeoutMs`. Servers are asked
 * in order, but those that did not answer lately come last. Failures are cached for a short time,
 * too, so that a name whose servers are down costs little (RFC 9520).
 */
import { randomFillSync } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Clock } from '../../lib/clock.ts'
import type { Counter, Gauge, Metrics } from '../../lib/metrics.ts'
import { askByTcp, askByUdp, type Server } from './exchange.ts'
import { RCODE } from './packet.ts'
import { serverName } from './servers.ts'
import {
  composeQuestion,
  QUESTION_RANDOM_BYTES,
  questionKey,
  type Reading,
  readReply,
  type Sent,
  type UpstreamAnswer,
  type UpstreamQuestion,
} from './upstream.ts'

/** Exchanges for each question. */
const TRIES = 3
/** For how long a server that did not answer is asked last. */
const SILENCE_PENALTY_MS = 10_000
/** RFC 9520 section 3.2: at least one second, at most five minutes. */
const FAILURE_SECONDS = 1
/** Larger answers are served but not cached. */
const MAX_KEPT_BYTES = 4096

/** Limits of the forwarder. */
export interface ForwarderSettings {
  /** Deadline of one exchange. */
  readonly timeoutMs: number
  /** Maximum number of questions under way. */
  readonly maxOutstanding: number
  /** Maximum number of cached answers. 0 disables the cache. */
  readonly cacheEntries: number
  /** Maximum time that an answer is cached. */
  readonly maxTtlSeconds: number
}

/** The result of a question. */
export type Outcome =
  | { readonly kind: 'answer'; readonly answer: UpstreamAnswer; readonly ageSeconds: number }
  | { readonly kind: 'failure' }

interface Kept {
  readonly outcome: UpstreamAnswer | null
  readonly sinceMs: number
  readonly untilMs: number
}

/** The result of one exchange with one server. */
type Heard = Exclude<Reading, { readonly kind: 'stray' }> | undefined

/** What the forwarder needs. */
export interface ForwarderParts {
  readonly settings: ForwarderSettings
  /** Whether a name lies in one of this host's zones now. */
  readonly isOurs: (key: string) => boolean
  readonly clock: Clock
  readonly metrics: Metrics
}

/** Asks upstream servers. No method throws. */
export class Forwarder {
  readonly #settings: ForwarderSettings
  readonly #isOurs: (key: string) => boolean
  readonly #clock: Clock
  readonly #kept: LRUCache<string, Kept> | null
  readonly #underWay = new Map<string, Promise<Outcome>>()
  readonly #silentUntil = new Map<string, number>()
  readonly #closing = new AbortController()
  readonly #events: Counter<'event'>
  readonly #outstanding: Gauge<string>
  #servers: readonly Server[] = []

  constructor(parts: ForwarderParts) {
    this.#settings = parts.settings
    this.#isOurs = parts.isOurs
    this.#clock = parts.clock
    const { cacheEntries } = parts.settings
    this.#kept = cacheEntries > 0 ? new LRUCache({ max: cacheEntries }) : null
    this.#events = parts.metrics.counter(
      'atoll_dns_forward_events_total',
      'Questions to other resolvers, by result',
      ['event'],
    )
    this.#outstanding = parts.metrics.gauge(
      'atoll_dns_forward_outstanding',
      'Questions to other resolvers that are under way',
    )
  }

  /**
   * Sets the servers, best first. It clears the cache, because new servers may give other
   * answers.
   */
  setServers(servers: readonly Server[]): void {
    this.#servers = servers
    this.#silentUntil.clear()
    this.#kept?.clear()
  }

  /** The cached answer, if there is one. It asks nobody. */
  recall(question: UpstreamQuestion): Outcome | undefined {
    const nowMs = this.#clock.monotonic()
    const kept = this.#kept?.get(questionKey(question))
    if (kept === undefined || kept.untilMs <= nowMs) return undefined
    this.#events.inc({ event: 'remembered' })
    if (kept.outcome === null) return { kind: 'failure' }
    const ageSeconds = Math.floor((nowMs - kept.sinceMs) / 1000)
    return { kind: 'answer', answer: kept.outcome, ageSeconds }
  }

  /**
   * Asks, or waits for an equal question that is under way. Never rejects. A question above the
   * limit fails at once.
   */
  ask(question: UpstreamQuestion): Promise<Outcome> {
    const key = questionKey(question)
    const underWay = this.#underWay.get(key)
    if (underWay !== undefined) {
      this.#events.inc({ event: 'joined' })
      return underWay
    }
    if (this.#underWay.size >= this.#settings.maxOutstanding) {
      this.#events.inc({ event: 'limit' })
      return Promise.resolve({ kind: 'failure' })
    }
    const outcome = this.#resolve(question).finally(() => {
      this.#underWay.delete(key)
      this.#outstanding.set(this.#underWay.size)
    })
    this.#underWay.set(key, outcome)
    this.#outstanding.set(this.#underWay.size)
    return outcome
  }

  /** Resolves when whoever waits now has an answer or a failure. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay.values())
  }

  /** Ends every exchange. Whoever waits for one gets a failure. */
  async close(): Promise<void> {
    this.#closing.abort()
    await this.settled()
  }

  async #resolve(question: UpstreamQuestion): Promise<Outcome> {
    const servers = this.#inTurn()
    let withEdns = true
    let turn = 0
    for (let tries = 0; tries < TRIES && servers.length > 0; tries += 1) {
      const server = servers[turn % servers.length]
      if (server === undefined || this.#closing.signal.aborted) break
      const heard = await this.#exchange(server, question, withEdns)
      if (heard?.kind === 'answer') return this.#keep(question, heard.answer)
      // A server that does not know EDNS answers with one of these codes (RFC 6891 section 7). It
      // is asked once more without EDNS.
      const plainer = withEdns && heard?.kind === 'useless' && isAboutEdns(heard.rcode)
      if (plainer) withEdns = false
      else turn += 1
    }
    this.#events.inc({ event: 'failed' })
    if (!this.#closing.signal.aborted) this.#remember(question, null, FAILURE_SECONDS)
    return { kind: 'failure' }
  }

  /** The servers, with those that did not answer lately at the end. */
  #inTurn(): readonly Server[] {
    const nowMs = this.#clock.monotonic()
    const isSilent = (server: Server) =>
      (this.#silentUntil.get(serverName(server)) ?? Number.NEGATIVE_INFINITY) > nowMs
    return [
      ...this.#servers.filter((server) => !isSilent(server)),
      ...this.#servers.filter(isSilent),
    ]
  }

  /**
   * One exchange by UDP, and another by TCP if the UDP reply does not suffice. Both end within
   * `timeoutMs`.
   */
  async #exchange(server: Server, question: UpstreamQuestion, withEdns: boolean): Promise<Heard> {
    const random = randomFillSync(new Uint8Array(QUESTION_RANDOM_BYTES))
    const sent = composeQuestion(question, random, withEdns)
    const accept = (bytes: Buffer) => this.#accept(bytes, sent, question)
    const { signal, cancel } = this.#deadline()
    this.#events.inc({ event: 'asked' })
    let heard: Heard = await askByUdp(server, sent.message, accept, signal)
    if (heard?.kind === 'truncated' || heard?.kind === 'recased') {
      this.#events.inc({ event: heard.kind })
      heard = await askByTcp(server, sent.message, accept, signal)
      // TCP proves who sent the reply. So a server that changes the letter case of names can
      // safely be asked in lower case.
      if (heard?.kind === 'recased') heard = await this.#askInLowerCase(server, question, signal)
    }
    cancel()
    this.#note(server, heard)
    return heard
  }

  async #askInLowerCase(
    server: Server,
    question: UpstreamQuestion,
    signal: AbortSignal,
  ): Promise<Heard> {
    const random = new Uint8Array(QUESTION_RANDOM_BYTES)
    randomFillSync(random.subarray(0, 2))
    const sent = composeQuestion(question, random, true)
    return askByTcp(server, sent.message, (bytes) => this.#accept(bytes, sent, question), signal)
  }

  #accept(bytes: Buffer, sent: Sent, question: UpstreamQuestion): Heard {
    const reading = readReply(bytes, sent, question, this.#isOurs)
    if (reading.kind !== 'stray') return reading
    this.#events.inc({ event: 'stray' })
    return undefined
  }

  #note(server: Server, heard: Heard): void {
    const name = serverName(server)
    if (heard !== undefined) this.#silentUntil.delete(name)
    else if (!this.#closing.signal.aborted) {
      this.#events.inc({ event: 'silent' })
      this.#silentUntil.set(name, this.#clock.monotonic() + SILENCE_PENALTY_MS)
    }
    if (heard?.kind === 'useless') this.#events.inc({ event: heard.reason })
  }

  /** A signal that aborts after `timeoutMs`, or when the forwarder closes. */
  #deadline(): { readonly signal: AbortSignal; readonly cancel: () => void } {
    const deadline = new AbortController()
    const abort = () => deadline.abort()
    this.#closing.signal.addEventListener('abort', abort, { once: true })
    this.#clock.sleep(this.#settings.timeoutMs, deadline.signal).then(abort, () => {})
    return {
      signal: deadline.signal,
      cancel: () => {
        this.#closing.signal.removeEventListener('abort', abort)
        abort()
      },
    }
  }

  #keep(question: UpstreamQuestion, answer: UpstreamAnswer): Outcome {
    this.#events.inc({ event: 'answered' })
    if (answer.body.bytes.length <= MAX_KEPT_BYTES)
      this.#remember(question, answer, Math.min(answer.ttlSeconds, this.#settings.maxTtlSeconds))
    return { kind: 'answer', answer, ageSeconds: 0 }
  }

  #remember(question: UpstreamQuestion, outcome: UpstreamAnswer | null, seconds: number): void {
    if (seconds <= 0) return
    const sinceMs = this.#clock.monotonic()
    this.#kept?.set(questionKey(question), { outcome, sinceMs, untilMs: sinceMs + seconds * 1000 })
  }
}

function isAboutEdns(rcode: number): boolean {
  return rcode === RCODE.FORMERR || rcode === RCODE.NOTIMP
}
