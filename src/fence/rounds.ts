/**
 * The questions that this host asks all members, and their answers (`plan/failover/round.ts`). A
 * question that had an old ticket is asked again with the newest one, a few times at most.
 */
import type { HostName } from '../model/ids.ts'
import type { Membership } from '../plan/failover/membership.ts'
import type { Question } from '../plan/failover/peer.ts'
import { beginRound, counted, type Round } from '../plan/failover/round.ts'
import type { FailoverTimes } from '../plan/failover/times.ts'
import { type Message, NONCE_BYTES } from './datagram.ts'

interface RoundsParts {
  readonly host: HostName
  readonly times: FailoverTimes
  readonly nowMs: () => number
  /** Cryptographically random bytes. */
  readonly randomBytes: (bytes: number) => Uint8Array
  readonly after: (ms: number, run: () => void) => () => void
  /** Sends a datagram to a member. It may get lost. */
  readonly send: (to: HostName, message: Message) => void
  readonly answerSelf: (question: Question, about: HostName, version: number) => boolean
}

export interface Rounds {
  /**
   * Asks all members. `told` is called with the round after each answer that counts, until its time
   * is over, and then once more. Returns what ends that.
   */
  begin(ask: {
    readonly question: Question
    readonly about: HostName
    readonly membership: Membership
    readonly askedAtMs: number
    readonly told: (round: Round, isOver: boolean) => void
  }): () => void
  /** An answer has come. */
  hear(message: Message): void
}

interface Open {
  round: Round
  readonly question: Question
  readonly about: HostName
  readonly asked: Map<HostName, number>
  readonly told: (round: Round, isOver: boolean) => void
  readonly end: () => void
}

/** One with an old ticket, one whose answer was overtaken by another question, and one more. */
const ATTEMPTS = 3
const NO_TICKET = '00'.repeat(NONCE_BYTES)

/** Nothing is asked yet. */
export function createRounds(parts: RoundsParts): Rounds {
  const { host, times, nowMs, randomBytes, after, send, answerSelf } = parts
  const open = new Map<string, Open>()
  const tickets = new Map<HostName, string>()

  function put(to: HostName, { round, question, about, asked }: Open): void {
    const attempts = asked.get(to) ?? 0
    if (attempts >= ATTEMPTS) return
    asked.set(to, attempts + 1)
    const { version } = round.membership
    const ticket = tickets.get(to) ?? NO_TICKET
    send(to, { type: question, version, round: round.id, ticket, by: host, about })
  }

  function count(one: Open, by: HostName, version: number, yes: boolean): void {
    const before = one.round
    one.round = counted(before, { round: before.id, by, version, yes })
    if (one.round !== before) one.told(one.round, false)
  }

  return {
    begin({ question, about, membership, askedAtMs, told }) {
      const id = Buffer.from(randomBytes(NONCE_BYTES)).toString('hex')
      const end = () => {
        stop()
        open.delete(id)
      }
      const round = beginRound(id, membership, askedAtMs)
      const one: Open = { round, question, about, asked: new Map(), told, end }
      const stop = after(Math.max(0, askedAtMs + times.replyMs - nowMs()), () => {
        open.delete(id)
        told(one.round, true)
      })
      open.set(id, one)
      for (const member of membership.members) if (member !== host) put(member, one)
      if (membership.members.includes(host))
        count(one, host, membership.version, answerSelf(question, about, membership.version))
      return end
    },
    hear({ type, version, round: id, ticket, by, about }) {
      const one = open.get(id)
      const isAnswer = type === 'yes' || type === 'no' || type === 'again'
      if (one === undefined || !isAnswer || about !== one.about) return
      // One that nobody asked, or that was counted.
      if (!one.asked.has(by) || one.round.yes.has(by)) return
      tickets.set(by, ticket)
      if (type === 'again') put(by, one)
      else count(one, by, version, type === 'yes')
    },
  }
}
