/**
 * Sends bells: each addressee has at most one bell in flight and one to follow, however often it is
 * rung.
 *
 * A bell that the broker has not confirmed is sent again on the next connection. A ring while a
 * bell is in flight is followed by another bell, because the first may have arrived before the
 * change.
 *
 * A host that is about to ring all (or all that follow a VPC) and hears another host do so needs
 * not ring itself, like membership reports in IGMP (RFC 2236, section 3). So the rate of such bells
 * does not grow with the number of hosts that ring.
 */
import type { ConfirmChannel } from 'amqplib'
import { type Clock, nextTurn } from '../../lib/clock.ts'
import { throttle, throttleByKey } from '../../lib/throttle.ts'
import type { HostName, VpcId } from '../../model/ids.ts'
import { allBellMs, VPCS_LIMIT } from '../bus.ts'
import type { BusMessage } from './messages.ts'
import { ALL_KEY, BELLS_EXCHANGE, hostKey, vpcKey } from './names.ts'
import type { Signer } from './signing.ts'

/** Maximum number of addressees with a waiting bell. The timers of further ones make up for it. */
const ADDRESSEES_LIMIT = 8_192
/** The random share of the interval between two bells to all hosts. */
const SPREAD = 0.5

/** The addressee of a bell. */
type Addressee =
  | { readonly kind: 'host'; readonly host: HostName }
  | { readonly kind: 'vpc'; readonly vpc: VpcId }
  | { readonly kind: 'all' }

/** Sends bells over the current channel. */
export interface Bells {
  ring(host: HostName): void
  ringAll(): void
  ringVpc(vpc: VpcId): void
  /** Another host has rung all hosts, or all that follow this VPC. */
  heardAll(): void
  heardVpc(vpc: VpcId): void
  /** Sets the channel. Null while there is none. */
  useChannel(channel: ConfirmChannel | null): void
  close(): void
}

/** A bell: to be sent (`due`), in flight (`sent`), or in flight and due again (`again`). */
interface Waiting {
  readonly to: Addressee
  state: 'due' | 'sent' | 'again'
}

/** What bells need. */
interface BellsOptions {
  readonly signer: Signer
  readonly clock: Pick<Clock, 'after' | 'monotonic'>
  /** Returns 0 to 1. */
  readonly random: () => number
  /** The number of hosts, as far as known. */
  readonly hosts: () => number
  /** Called for every bell that was sent or dropped. */
  readonly counted: (what: 'sent' | 'dropped') => void
}

/** No bell waits at first. */
export function createBells(options: BellsOptions): Bells {
  const { signer, counted } = options
  /** By routing key. */
  const waiting = new Map<string, Waiting>()
  let channel: ConfirmChannel | null = null
  let flushing = false
  let closed = false

  function ring(to: Addressee): void {
    const key = keyOf(to)
    const bell = waiting.get(key)
    if (closed || bell?.state === 'again') return
    if (bell?.state === 'sent') bell.state = 'again'
    else if (bell === undefined && waiting.size >= ADDRESSEES_LIMIT) counted('dropped')
    else {
      waiting.set(key, { to, state: 'due' })
      flushSoon()
    }
  }

  /** Bells of one turn of the event loop are sent together. */
  function flushSoon(): void {
    if (flushing || channel === null) return
    flushing = true
    void nextTurn().then(() => {
      flushing = false
      for (const [key, bell] of waiting) if (bell.state === 'due') send(key, bell)
    })
  }

  function send(key: string, bell: Waiting): void {
    const over = channel
    if (over === null) return
    const { to } = bell
    const content = signer.sign(to.kind === 'host' ? to.host : null, [JSON.stringify(bellTo(to))])
    bell.state = 'sent'
    try {
      over.publish(BELLS_EXCHANGE, key, content, {}, (error: unknown) => {
        if (over !== channel) return
        // The channel is closing, or the broker rejected the bell. The next connection or the next
        // ring sends it.
        if (error !== null) waiting.set(key, { to, state: 'due' })
        else confirmed(key)
      })
    } catch {
      // The channel has just ended. `useChannel` will make the bell due again.
    }
  }

  function confirmed(key: string): void {
    const bell = waiting.get(key)
    waiting.delete(key)
    counted('sent')
    if (bell?.state === 'again') ring(bell.to)
  }

  const shared = createShared(ring, options)
  return {
    ring: (host) => ring({ kind: 'host', host }),
    ...shared,
    useChannel(next) {
      channel = next
      for (const bell of waiting.values()) bell.state = 'due'
      flushSoon()
    },
    close() {
      closed = true
      shared.close()
      waiting.clear()
    },
  }
}

/** Limits the rate of bells to many hosts. */
function createShared(
  ring: (to: Addressee) => void,
  { clock, random, hosts }: BellsOptions,
): Pick<Bells, 'ringAll' | 'ringVpc' | 'heardAll' | 'heardVpc' | 'close'> {
  // Random, because hosts that heard the same bell would otherwise all ring at once.
  const intervalMs = () => allBellMs(hosts()) * (1 + random() * SPREAD)
  const all = throttle(() => ring({ kind: 'all' }), intervalMs, clock)
  const vpcs = throttleByKey<VpcId>(
    (vpc) => ring({ kind: 'vpc', vpc }),
    intervalMs,
    clock,
    VPCS_LIMIT,
  )
  return {
    ringAll: () => all.call(),
    ringVpc: (vpc) => vpcs.call(vpc),
    heardAll: () => all.done(),
    heardVpc: (vpc) => vpcs.done(vpc),
    close() {
      all.close()
      vpcs.close()
    },
  }
}

function keyOf(to: Addressee): string {
  if (to.kind === 'all') return ALL_KEY
  return to.kind === 'host' ? hostKey(to.host) : vpcKey(to.vpc)
}

function bellTo(to: Addressee): BusMessage {
  if (to.kind === 'host') return { kind: 'bell', bell: 'own' }
  return { kind: 'bell', bell: 'shared', ...(to.kind === 'vpc' ? { vpc: to.vpc } : {}) }
}
