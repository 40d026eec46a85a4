/**
 * The network namespaces of VPCs on this host, and the services in them.
 *
 * - Its part of want: every VPC with a number that has instances here. The pure function is
 *   `plan/vpc-wants.ts`. Each VPC has services of its own, which are given that part only and act
 *   in its namespace. So they are the same services as the machine's own, and know of no VPCs.
 * - A fresh daemon recognises the namespaces by name (`model/names.ts`). It removes those that want
 *   does not name.
 * - If we die on any line here, the next pass goes on. A namespace lives on without us, with all
 *   that is in it; one that has no name yet is gone.
 * - A VPC that is as it should be costs nothing in a pass. It is looked at when its part of the
 *   want or something in its namespace changes, and at each resync.
 */
import { isDeepStrictEqual } from 'node:util'
import type { NamespaceHost, VpcNamespaces } from '../host/host.ts'
import type { Clock } from '../lib/clock.ts'
import { createLimit, createQueues } from '../lib/queue.ts'
import { createIntervalCheck } from '../lib/throttle.ts'
import { messageOf, unavailable } from '../model/errors.ts'
import type { HostWant } from '../model/want.ts'
import { type VpcWants, wantsByVpc } from '../plan/vpc-wants.ts'
import type { HostService, Pass } from './service.ts'

/**
 * How often the sockets of each VPC are looked at: DHCP closes that of a NIC that floods it until
 * then.
 */
const ANSWERS_MS = 5_000
/** Namespaces that are worked at at the same time: each waits for programs most of the time. */
const AT_ONCE = 4

/** The services in one namespace. */
export interface VpcServices {
  /** What lets packets pass, in order. After one that fails the others wait. */
  readonly packets: readonly HostService[]
  /** What answers instances. */
  readonly answers: readonly HostService[]
  /** Called when the VPC has left this host, after all have been closed. */
  end(): void
}

/** What `createVpcs` returns. */
export interface Vpcs {
  /** To be applied after the machine's own firewall, and before workloads. */
  readonly services: readonly HostService[]
  /** The service, which is given the machine's own part of the want. */
  own(service: HostService): HostService
  /** Calls back at kernel changes in any namespace, until the returned function is called. */
  watchKernel(heard: () => void): () => void
}

/** One VPC on this host. */
interface Running extends VpcServices {
  readonly host: NamespaceHost
  /** The part that was applied last; null: it was not applied as a whole. */
  applied: HostWant | null
  /** Whether something in the namespace has changed since. */
  isDirty: boolean
  areAnswersDue: boolean
  readonly stopWatching: () => void
}

/** `open` makes the services of a VPC. */
export function createVpcs(options: {
  readonly vpcs: VpcNamespaces
  readonly open: (host: NamespaceHost, network: number) => VpcServices
  readonly clock: Pick<Clock, 'monotonic'>
}): Vpcs {
  const divide = createDivision()
  const set = new RunningVpcs(options)
  const areAnswersDue = createIntervalCheck(options.clock, ANSWERS_MS)
  return {
    own: (service) => ({
      name: service.name,
      gate: service.gate,
      ...(service.passesGates === undefined ? {} : { passesGates: service.passesGates }),
      ...(service.engine === undefined ? {} : { engine: service.engine }),
      ...(service.watchesKernel === undefined ? {} : { watchesKernel: service.watchesKernel }),
      apply: (pass) => service.apply({ ...pass, want: divide(pass.want).own }),
      hanging: () => service.hanging?.() ?? [],
      close: () => service.close(),
    }),
    watchKernel: (heard) => set.watchKernel(heard),
    services: [
      {
        name: 'vpc-networks',
        gate: false,
        watchesKernel: true,
        apply: async (pass) => {
          await set.applyPackets(divide(pass.want), pass)
          return []
        },
        close: () => set.close(),
      },
      {
        name: 'vpc-services',
        gate: false,
        passesGates: true,
        apply: async (pass) => {
          await set.applyAnswers(divide(pass.want), pass, areAnswersDue())
          return []
        },
        close: async () => {},
      },
    ],
  }
}

/** Divides wants. A part that has not changed is the same object. */
function createDivision(): (want: HostWant) => VpcWants {
  let last: { readonly want: HostWant; readonly parts: VpcWants } | null = null
  return (want) => {
    if (last?.want === want) return last.parts
    const before = last?.parts
    const fresh = wantsByVpc(want)
    const same = <T>(was: T | undefined, is: T): T =>
      isDeepStrictEqual(was, is) ? (was ?? is) : is
    const parts: VpcWants =
      fresh.own === want
        ? fresh
        : {
            own: same(before?.own, fresh.own),
            vpcs: new Map(
              [...fresh.vpcs].map(([network, part]) => [
                network,
                same(before?.vpcs.get(network), part),
              ]),
            ),
          }
    last = { want, parts }
    return parts
  }
}

class RunningVpcs {
  readonly #options: Parameters<typeof createVpcs>[0]
  readonly #running = new Map<number, Running>()
  /** What is done in one namespace, one after the other. */
  readonly #inTurn = createQueues<number>()
  readonly #places = createLimit({ places: AT_ONCE })
  #heard: () => void = () => undefined

  constructor(options: Parameters<typeof createVpcs>[0]) {
    this.#options = options
  }

  watchKernel(heard: () => void): () => void {
    this.#heard = heard
    return () => {
      this.#heard = () => undefined
    }
  }

  /** Makes and removes namespaces, and applies what lets packets pass in each. */
  async applyPackets({ vpcs }: VpcWants, pass: Pass): Promise<void> {
    const errors: unknown[] = []
    const attempt = async (network: number, work: () => Promise<void>) => {
      const inTurn = async () => {
        if (!pass.signal.aborted) await this.#inTurn(network, work)
      }
      await this.#places.run({}, inTurn).catch((error: unknown) => errors.push(error))
    }
    const { ids, any } = pass.want.local.unreadable
    // Of instances whose rows cannot be read nobody knows where their NICs are.
    const found = ids.length === 0 && !any ? await this.#options.vpcs.list() : []
    const unwanted = found.filter((network) => !vpcs.has(network))
    await Promise.all(
      unwanted.map((network) => attempt(network, () => this.#remove(network, pass))),
    )
    const intact =
      vpcs.size === 0 ? new Set<number>() : await this.#options.vpcs.intact([...vpcs.keys()])
    const due = [...vpcs].filter(([network, { want }]) => {
      const one = this.#running.get(network)
      return one?.applied !== want || one.isDirty || pass.resync || !intact.has(network)
    })
    await Promise.all(
      due.map(([network, { vpc, want }]) => {
        const log = pass.log.child({ vpc })
        return attempt(network, () => this.#apply(network, { ...pass, want, log }))
      }),
    )
    throwAll(errors, 'VPCs have no network as they should')
  }

  /** Applies what answers instances, where it is due. */
  async applyAnswers({ vpcs }: VpcWants, pass: Pass, areAllDue: boolean): Promise<void> {
    const errors: unknown[] = []
    for (const [network, { vpc, want }] of vpcs) {
      const one = this.#running.get(network)
      if (one === undefined || !(one.areAnswersDue || areAllDue || pass.resync)) continue
      one.areAnswersDue = false
      const log = pass.log.child({ vpc })
      await this.#inTurn(network, async () => {
        for (const service of one.answers) {
          // It may have been removed meanwhile.
          if (pass.signal.aborted || this.#running.get(network) !== one) return
          await service.apply({ ...pass, want, log }).catch((error: unknown) => {
            one.areAnswersDue = true
            errors.push(error)
          })
        }
      })
    }
    throwAll(errors, 'services of VPCs do not answer as they should')
  }

  async close(): Promise<void> {
    for (const network of [...this.#running.keys()])
      await this.#inTurn(network, () => this.#stop(network))
  }

  async #apply(network: number, pass: Pass): Promise<void> {
    const { host, changed } = await this.#options.vpcs.ensure(network)
    if (changed.length > 0)
      pass.log.info({ network, changed }, 'network namespace made or repaired')
    const one = await this.#services(network, host)
    one.applied = null
    one.isDirty = false
    one.areAnswersDue = true
    for (const service of one.packets) await service.apply(pass)
    one.applied = pass.want
  }

  /** The services in the namespace; new ones when it is another one. */
  async #services(network: number, host: NamespaceHost): Promise<Running> {
    const known = this.#running.get(network)
    if (known?.host === host) return known
    await this.#stop(network)
    const one: Running = {
      ...this.#options.open(host, network),
      ...{ host, applied: null, isDirty: true, areAnswersDue: true },
      stopWatching: host.watchKernel(() => {
        one.isDirty = true
        this.#heard()
      }),
    }
    this.#running.set(network, one)
    return one
  }

  async #stop(network: number): Promise<void> {
    const one = this.#running.get(network)
    if (one === undefined) return
    this.#running.delete(network)
    one.stopWatching()
    for (const service of [...one.packets, ...one.answers].toReversed()) await service.close()
    one.end()
  }

  async #remove(network: number, pass: Pass): Promise<void> {
    await this.#stop(network)
    await this.#options.vpcs.remove(network)
    pass.log.info({ network }, 'network namespace removed: no instance uses it')
  }
}

function throwAll(errors: readonly unknown[], what: string): void {
  const [first] = errors
  if (first === undefined) return
  throw unavailable(`${errors.length} ${what}: ${messageOf(first)}`, new AggregateError(errors))
}
