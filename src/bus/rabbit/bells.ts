/**
 * Bells on their way out: each addressee has at most one under way and one to follow, however often it is rung.
 *
 * A bell that the broker has not confirmed is rung again on the next connection; while the broker is away only the set of those to
 * be rung is kept. A ring while a bell is under way is followed by another bell, because the first may have been heard before.
 *
 * A bell to all says nothing but "look again", so whoever is about to ring one and hears another host's needs not ring any more, as with
 * the reports of IGMP (RFC 2236, section 3): how often all are rung does not grow with the number of those that ring.
 */
import type { ConfirmChannel } from 'amqplib'
import type { Clock } from '../../lib/clock.ts'
import { nextTurn } from '../../lib/clock.ts'
import { throttle } from '../../lib/throttle.ts'
import type { HostName } from '../../model/ids.ts'
import { allBellMs } from '../bus.ts'
import type { Letter } from './letters.ts'
import { ALL_KEY, BELLS_EXCHANGE, hostKey } from './names.ts'
import type { Seal } from './seal.ts'

/** Hosts that may have a bell waiting; those beyond it are found by their timers. */
const ADDRESSEES_LIMIT = 8_192

/** By so much of itself the interval between two bells to all differs from host to host. */
const SPREAD = 0.5

/** `null` stands for all hosts. */
type Addressee = HostName | null

/** Rings hosts over whichever channel there is. */
export interface Bells {
  ring(host: HostName): void
  ringAll(): void
  /** Another host has rung all. */
  heardAll(): void
  /** The channel to ring over from now on, or null while there is none. */
  useChannel(channel: ConfirmChannel | null): void
  close(): void
}

/** What bells are made from. */
interface BellsOptions {
  readonly seal: Seal
  readonly clock: Pick<Clock, 'after' | 'monotonic'>
  /** From 0 up to 1. */
  readonly random: () => number
  /** How many hosts there are, as far as is known. */
  readonly hosts: () => number
  /** Hears of every bell that went out (`sent`) or was given up (`dropped`). */
  readonly counted: (what: 'sent' | 'dropped') => void
}

/** Nobody is to be rung yet. */
export function createBells({ seal, clock, random, hosts, counted }: BellsOptions): Bells {
  /** `due`: to be sent; `sent`: under way; `again`: under way, and due again. */
  const states = new Map<Addressee, 'due' | 'sent' | 'again'>()
  let channel: ConfirmChannel | null = null
  let flushing = false
  let closed = false

  function ring(to: Addressee): void {
    const state = states.get(to)
    if (closed || state === 'again') return
    if (state === 'sent') states.set(to, 'again')
    else if (state === undefined && states.size >= ADDRESSEES_LIMIT) counted('dropped')
    else {
      states.set(to, 'due')
      flushSoon()
    }
  }

  /** Bells of one turn of the event loop go out together. */
  function flushSoon(): void {
    if (flushing || channel === null) return
    flushing = true
    void nextTurn().then(() => {
      flushing = false
      for (const [to, state] of states) if (state === 'due') send(to)
    })
  }

  function send(to: Addressee): void {
    const over = channel
    if (over === null) return
    const bell = to === null ? 'shared' : 'own'
    const content = seal.close(to, [JSON.stringify({ kind: 'bell', bell } satisfies Letter)])
    states.set(to, 'sent')
    const key = to === null ? ALL_KEY : hostKey(to)
    try {
      over.publish(BELLS_EXCHANGE, key, content, {}, (error: unknown) => {
        if (over !== channel) return
        // The channel ends, or the broker would not have it: the next connection or the next ring sends it.
        if (error !== null) states.set(to, 'due')
        else confirmed(to)
      })
    } catch {
      // The channel has just ended: `useChannel` will be told, and makes it due again.
    }
  }

  function confirmed(to: Addressee): void {
    const again = states.get(to) === 'again'
    states.delete(to)
    counted('sent')
    if (again) ring(to)
  }

  const all = throttle(
    () => ring(null),
    // Those that heard the same bell would all ring at once.
    () => allBellMs(hosts()) * (1 + random() * SPREAD),
    clock,
  )
  return {
    ring,
    ringAll: () => all.call(),
    heardAll: () => all.done(),
    useChannel(next) {
      channel = next
      for (const to of states.keys()) states.set(to, 'due')
      flushSoon()
    },
    close() {
      closed = true
      all.close()
      states.clear()
    },
  }
}
