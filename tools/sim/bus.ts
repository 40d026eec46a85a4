/**
 * The bus of a simulation: it loses, repeats, delays and reorders bells, and takes events or not.
 */
import { allBellMs, type Bus, VPCS_LIMIT } from '../../src/bus/bus.ts'
import { createInbox, type Inbox } from '../../src/bus/inbox.ts'
import type { Clock } from '../../src/lib/clock.ts'
import { withDeadline } from '../../src/lib/deadline.ts'
import { throttle, throttleByKey } from '../../src/lib/throttle.ts'
import type { CloudEvent } from '../../src/model/cloud-event.ts'
import { unavailable } from '../../src/model/errors.ts'
import type { HostName, VpcId } from '../../src/model/ids.ts'
import type { Network } from './network.ts'
import type { Stream } from './random.ts'
import type { VirtualTime } from './time.ts'

/** How the bus treats messages. */
interface BusTroubles {
  /** Share of the bells that are lost, or come twice, or come late. */
  lost: number
  repeated: number
  late: number
  /** Share of the events that the broker does not take. */
  refused: number
}

const LATEST_MS = 5_000
const ANSWER_MS = 100

interface Joined {
  readonly inbox: Inbox
  followed: ReadonlySet<VpcId>
}

/** All hosts that have joined. */
export interface BusWorld {
  readonly troubles: BusTroubles
  /** Events that the broker has taken, by id. */
  readonly taken: Map<string, CloudEvent>
  /** The bus as a host uses it, until `leave`. */
  join(host: HostName, clock: Clock, hosts: () => number): { readonly bus: Bus; leave(): void }
}

/** A bus without troubles. */
export function createBusWorld(time: VirtualTime, network: Network, random: Stream): BusWorld {
  const joined = new Map<HostName, Joined>()
  const taken = new Map<string, CloudEvent>()
  const troubles: BusTroubles = { lost: 0, repeated: 0, late: 0, refused: 0 }

  function deliver(from: HostName, to: HostName, hear: (inbox: Inbox) => void): void {
    if (random.chance(troubles.lost)) return
    const times = random.chance(troubles.repeated) ? 2 : 1
    for (let copy = 0; copy < times; copy += 1) {
      const lateMs = random.chance(troubles.late) ? random.between(0, LATEST_MS) : 0
      time.after(lateMs, () =>
        network.send(from, to, () => {
          const one = joined.get(to)
          if (one !== undefined) hear(one.inbox)
        }),
      )
    }
  }

  return {
    troubles,
    taken,
    join(self, clock, hosts) {
      const inbox = createInbox()
      const closing = new AbortController()
      const own: Joined = { inbox, followed: new Set() }
      joined.set(self, own)
      const interval = () => allBellMs(hosts())
      const all = throttle(
        () => {
          for (const to of joined.keys()) deliver(self, to, (one) => one.hear('shared'))
        },
        interval,
        clock,
      )
      const vpcs = throttleByKey<VpcId>(
        (vpc) => {
          for (const [to, { followed }] of joined)
            if (followed.has(vpc)) deliver(self, to, (one) => one.hear(vpc))
        },
        interval,
        clock,
        VPCS_LIMIT,
      )
      const isHere = () => joined.get(self) === own
      const bus: Bus = {
        ring(host) {
          if (isHere()) deliver(self, host, (one) => one.hear('own'))
        },
        ringAll: () => all.call(),
        ringVpc: (vpc) => vpcs.call(vpc),
        follow(some) {
          const before = own.followed
          own.followed = new Set(some)
          for (const vpc of own.followed) if (!before.has(vpc)) inbox.hear(vpc)
        },
        onBell: inbox.onBell,
        ask: askingOver(clock, closing.signal, (host, arrive) =>
          network.send(self, host, () => arrive(joined.get(host)?.inbox)),
        ),
        onAsk: inbox.onAsk,
        async publish(event) {
          closing.signal.throwIfAborted()
          inbox.hearEvent(event)
          await clock.sleep(random.between(0, ANSWER_MS))
          if (random.chance(troubles.refused)) throw unavailable('the broker is away')
          taken.set(event.id, event)
          return 'taken'
        },
        onEvent: inbox.onEvent,
        async close() {
          for (const one of [all, vpcs, inbox]) one.close()
          closing.abort(unavailable('the bus is closed'))
        },
      }
      return {
        bus,
        leave() {
          if (isHere()) joined.delete(self)
          inbox.close()
        },
      }
    },
  }
}

/** Asks the host that a message arrives at; no answer comes where nobody is. */
function askingOver(
  clock: Clock,
  closing: AbortSignal,
  send: (host: HostName, arrive: (inbox: Inbox | undefined) => void) => void,
): Bus['ask'] {
  return async (host, question, asked, { timeoutMs: ms, signal: gone }) => {
    const copy = structuredClone(asked)
    const late = () => unavailable('no answer')
    const signal = gone === undefined ? closing : AbortSignal.any([closing, gone])
    const answer = await withDeadline(
      { clock, ms, late, signal },
      () =>
        new Promise<Awaited<ReturnType<Inbox['answer']>>>((resolve, reject) =>
          send(host, (inbox) => inbox?.answer(question, copy).then(resolve, reject)),
        ),
    )
    return structuredClone(answer)
  }
}
