/**
 * This host as a member: its answers to what other hosts ask, and to itself. The rules are those of
 * `plan/failover/peer.ts`; this adds the tickets that make an old question worthless.
 */
import type { HostName } from '../model/ids.ts'
import type { Membership } from '../plan/failover/membership.ts'
import { adopt, answer, type Peer, type Question, startPeer } from '../plan/failover/peer.ts'
import type { FailoverTimes } from '../plan/failover/times.ts'
import { type Message, NONCE_BYTES } from './datagram.ts'

interface AnswersParts {
  readonly host: HostName
  readonly times: FailoverTimes
  readonly nowMs: () => number
  /** Cryptographically random bytes. */
  readonly randomBytes: (bytes: number) => Uint8Array
  /** No process of this host has answered since then. */
  readonly startedAtMs: number
}

export interface Answers {
  /** Call it with the membership at the start, and with each newer one. */
  adopt(membership: Membership): void
  /** The answer to a question of a host that is a member. Null: to nobody else there is one. */
  to(question: Message): Message | null
  /** The host's answer to its own question. */
  toSelf(question: Question, about: HostName, version: number): boolean
}

/** A member that has just started: it says no to everything for as long as a promise lasts. */
export function createAnswers(parts: AnswersParts): Answers {
  const { host, times, nowMs, randomBytes, startedAtMs } = parts
  let peer: Peer | null = null
  const tickets = new Map<HostName, string>()
  const newTicket = (of: HostName): string => {
    const ticket = Buffer.from(randomBytes(NONCE_BYTES)).toString('hex')
    tickets.set(of, ticket)
    return ticket
  }

  function say(question: Question, about: HostName, version: number): boolean {
    if (peer === null) return false
    const said = answer(peer, question, about, version, nowMs(), times)
    peer = said.peer
    return said.yes
  }

  return {
    adopt(membership) {
      peer =
        peer === null
          ? startPeer(membership, nowMs(), times, startedAtMs)
          : adopt(peer, membership, nowMs(), times)
      for (const name of tickets.keys())
        if (!peer.membership.members.includes(name)) tickets.delete(name)
    },
    to({ type, version, round, ticket, by, about }) {
      if (peer === null || !peer.membership.members.includes(by) || by === host) return null
      if (type !== 'grant' && type !== 'consent') return null
      const reply = { version: peer.membership.version, round, by: host, about }
      if (ticket !== tickets.get(by))
        return { ...reply, type: 'again', ticket: tickets.get(by) ?? newTicket(by) }
      // Only a host itself asks that it may go on.
      const isItsOwn = type === 'consent' || about === by
      const yes = isItsOwn && say(type, about, version)
      return { ...reply, type: yes ? 'yes' : 'no', ticket: newTicket(by) }
    },
    toSelf: (question, about, version) => say(question, about, version),
  }
}
