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
 * - Each VPC is served as soon as it is ready. A pass waits a moment for all, so that an instance
 *   in a new VPC starts in the same pass; then, or when another pass is due, it goes on, and the
 *   work does, too.
 */
import type { NamespaceHost, VpcNamespaces } from '../../host/host.ts'
import type { Clock } from '../../lib/clock.ts'
import { inTime } from '../../lib/deadline.ts'
import { createLimit } from '../../lib/queue.ts'
import { createIntervalCheck } from '../../lib/throttle.ts'
import type { VpcId } from '../../model/ids.ts'
import type { Fact, HostWant } from '../../model/want.ts'
import type { VpcWants } from '../../plan/vpc-wants.ts'
import type { HostService, Pass, WatchedNamespaces } from '../service.ts'
import { Asked, type Reason, throwAll } from './asked.ts'
import { linkPeers } from './peers.ts'

/** How often the services that answer are asked whether they lost a socket. */
const ANSWERS_MS = 5_000
/** Namespaces that are worked at at the same time: each waits for programs most of the time. */
const AT_ONCE = 4
/** Most of them for the same reason. */
const AT_ONCE_OF_ONE = AT_ONCE - 1
/**
 * How long a pass waits for the namespaces. A few are made in less. With hundreds the pass goes on
 * to what is ready, and another one follows.
 */
const WAIT_MS = 1_000
/**
 * How long it waits for those that only something else has changed, or that are looked at: what is
 * launched meanwhile waits for the next pass.
 */
const LOOK_WAIT_MS = 50
/** Work in one namespace takes a fraction of a second. */
const HANGING_MS = 15_000

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
  /**
   * To be applied after the machine's own firewall, and before workloads. They ask for a pass while
   * there is work that no pass waits for.
   */
  services(wake: () => void): readonly HostService[]
  /** The service, which is given the machine's own part of the want. */
  own(service: HostService): HostService
  /**
   * Calls back at kernel changes in all namespaces, the machine's own, too, until the returned
   * function is called.
   */
  watchKernel(heard: (where: WatchedNamespaces) => void): () => void
}

/** One VPC on this host. */
interface Running extends VpcServices {
  readonly host: NamespaceHost
  /** The part that was applied last; null: it was not applied as a whole. */
  applied: HostWant | null
  /** What was found out then. It may be reported again. */
  facts: Fact[]
  /** Whether something in the namespace has changed since. */
  isDirty: boolean
  areAnswersDue: boolean
  readonly stopWatching: () => void
}

/** What is to be done in one namespace. */
interface Task {
  readonly pass: Pass
  /** Null: the namespace is to be removed. */
  readonly part: { readonly vpc: VpcId; readonly want: HostWant } | null
  /** Whether also what lets packets pass is applied, and not only what answers. */
  readonly packets: boolean
}

/** `open` makes the services of a VPC. */
export function createVpcs(options: {
  readonly vpcs: VpcNamespaces
  /** The machine's own namespace. */
  readonly machine: Pick<NamespaceHost, 'watchKernel'>
  readonly open: (host: NamespaceHost, network: number) => VpcServices
  readonly clock: Pick<Clock, 'monotonic' | 'after'>
  readonly divide: (want: HostWant) => VpcWants
  /** How long a pass waits, whatever for, in milliseconds. */
  readonly waitMs?: number
}): Vpcs {
  const set = new RunningVpcs(options)
  const areAnswersDue = createIntervalCheck(options.clock, ANSWERS_MS)
  return {
    own: (service) => ({
      name: service.name,
      gate: service.gate,
      ...(service.passesGates === undefined ? {} : { passesGates: service.passesGates }),
      ...(service.engine === undefined ? {} : { engine: service.engine }),
      ...(service.watchesKernel === undefined ? {} : { watchesKernel: service.watchesKernel }),
      apply: (pass) => service.apply({ ...pass, want: options.divide(pass.want).own }),
      hanging: () => service.hanging?.() ?? [],
      close: () => service.close(),
    }),
    watchKernel: (heard) => set.watchKernel(heard),
    services: (wake) => [
      {
        name: 'vpc-networks',
        gate: false,
        watchesKernel: 'vpcs',
        apply: async (pass) => {
          await set.applyPackets(options.divide(pass.want), pass, wake)
          return set.facts()
        },
        hanging: () => set.hanging(),
        close: () => set.close(),
      },
      {
        name: 'vpc-services',
        gate: false,
        passesGates: true,
        apply: async (pass) => {
          await set.applyAnswers(options.divide(pass.want), pass, areAnswersDue())
          return []
        },
        close: async () => {},
      },
    ],
  }
}

class RunningVpcs {
  readonly #options: Parameters<typeof createVpcs>[0]
  readonly #running = new Map<number, Running>()
  /** What has not begun. The newest replaces what waits. */
  readonly #tasks = new Map<number, Task>()
  /** Since when (monotonic) a namespace is worked at, and for which want. */
  readonly #busy = new Map<number, { readonly since: number; readonly want: HostWant | null }>()
  /** Which wait for a place, with what they wait for. */
  readonly #waiting = new Set<string>()
  /** Why the last work in a namespace failed. */
  readonly #failed = { packets: new Map<number, unknown>(), answers: new Map<number, unknown>() }
  readonly #places = createLimit({ places: AT_ONCE, ofOne: AT_ONCE_OF_ONE })
  readonly #pending = new Set<Promise<void>>()
  #heard: (where: WatchedNamespaces) => void = () => undefined
  #isWatched = false
  /** Whether something in the machine's own namespace may have changed. */
  #isMachineDirty = true
  #cancelWake: () => void = () => undefined
  #isClosed = false

  constructor(options: Parameters<typeof createVpcs>[0]) {
    this.#options = options
  }

  watchKernel(heard: (where: WatchedNamespaces) => void): () => void {
    this.#heard = heard
    this.#isWatched = true
    const unwatch = this.#options.machine.watchKernel(() => {
      this.#isMachineDirty = true
      heard('machine')
    })
    return () => {
      unwatch()
      this.#isWatched = false
      this.#isMachineDirty = true
      this.#heard = () => undefined
    }
  }

  /**
   * Makes and removes namespaces, and applies what lets packets pass in each, then what answers.
   */
  async applyPackets({ vpcs }: VpcWants, pass: Pass, wake: () => void): Promise<void> {
    const { ids, any } = pass.want.local.unreadable
    // Of instances whose rows cannot be read nobody knows where their NICs are.
    const found = ids.length === 0 && !any ? await this.#options.vpcs.list() : []
    const asked = new Asked()
    for (const network of found)
      if (!vpcs.has(network))
        asked.add('change', this.#ask(network, { pass, part: null, packets: true }, 'change'))
    const intact = await this.#intact([...vpcs.keys()], pass.resync)
    for (const [network, part] of vpcs) {
      const one = this.#running.get(network)
      const hasChanged = one?.applied !== part.want || one.isDirty || !intact.has(network)
      // Our own changes are noticed, too, so each VPC is looked at again after it was made.
      const why = !hasChanged ? 'look' : one?.applied === part.want ? 'repair' : 'change'
      const isUnderWay = this.#busy.get(network)?.want === part.want && one?.isDirty !== true
      if (isUnderWay && !pass.resync) continue
      if (hasChanged || pass.resync)
        asked.add(why, this.#ask(network, { pass, part, packets: true }, why))
    }
    for (const failed of Object.values(this.#failed))
      for (const network of failed.keys())
        if (!vpcs.has(network) && !found.includes(network)) failed.delete(network)
    await this.#settle(asked, pass)
    if (this.#pending.size > 0) {
      this.#cancelWake()
      this.#cancelWake = this.#options.clock.after(WAIT_MS, wake)
    }
    throwAll(this.#failed.packets, 'VPCs have no network as they should')
  }

  /** Those whose names and links are right. Links are read when something has changed. */
  async #intact(networks: readonly number[], isResync: boolean): Promise<ReadonlySet<number>> {
    const named = this.#options.vpcs.named(networks)
    if (named.size === 0 || !(this.#isMachineDirty || isResync)) return named
    this.#isMachineDirty = !this.#isWatched
    const linked = await this.#options.vpcs.linked([...named])
    // Those that are not are looked at again, until they are.
    if (linked.size < named.size) this.#isMachineDirty = true
    return linked
  }

  /**
   * Applies what answers instances where it is due. Where packets are worked at, it follows anyway.
   */
  async applyAnswers({ vpcs }: VpcWants, pass: Pass, askThem: boolean): Promise<void> {
    const asked = new Asked()
    for (const [network, part] of vpcs) {
      const one = this.#running.get(network)
      if (one === undefined || this.#busy.has(network) || this.#tasks.has(network)) continue
      const isDue =
        one.areAnswersDue || (askThem && one.answers.some((service) => service.isDue?.() === true))
      const why = isDue ? 'repair' : 'look'
      if (isDue || pass.resync)
        asked.add(why, this.#ask(network, { pass, part, packets: false }, why))
    }
    await this.#settle(asked, pass)
    throwAll(this.#failed.answers, 'services of VPCs do not answer as they should')
  }

  /** What was found out in all namespaces. */
  facts(): readonly Fact[] {
    return [...this.#running.values()].flatMap(({ facts }) => facts)
  }

  /** The namespaces in which work takes much too long. */
  hanging(): readonly string[] {
    const now = this.#options.clock.monotonic()
    return [...this.#busy].flatMap(([network, { since }]) =>
      now - since < HANGING_MS ? [] : [`a program does not answer for VPC number ${network}`],
    )
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancelWake()
    await Promise.all(this.#pending)
    for (const network of [...this.#running.keys()]) await this.#stop(network)
  }

  /** Waits a moment for what was asked for. What was asked for before has been waited for. */
  async #settle({ changes, looks }: Asked, { hurry }: Pass): Promise<void> {
    const { clock, waitMs } = this.#options
    const due = Promise.withResolvers<void>()
    hurry?.addEventListener('abort', () => due.resolve(), { once: true })
    const wait = async (ms: number, some: readonly Promise<void>[]) => {
      if (some.length > 0 && hurry?.aborted !== true)
        await inTime(clock, waitMs ?? ms, Promise.race([Promise.all(some), due.promise]))
    }
    await wait(WAIT_MS, changes)
    await wait(LOOK_WAIT_MS, looks)
  }

  /** Asks for work in a namespace. Reasons take turns. Null: it waits already. */
  #ask(network: number, task: Task, owner: Reason): Promise<void> | null {
    const waiting = this.#tasks.get(network)
    const isResync = task.pass.resync || waiting?.pass.resync === true
    this.#tasks.set(network, {
      ...task,
      packets: task.packets || waiting?.packets === true,
      pass: { ...task.pass, resync: isResync },
    })
    const key = `${owner} ${network}`
    if (this.#waiting.has(key)) return null
    this.#waiting.add(key)
    const work = async () => {
      this.#waiting.delete(key)
      await this.#work(network)
    }
    const done = this.#places
      .run({ owner, key: `${network}` }, work)
      .finally(() => this.#pending.delete(done))
    this.#pending.add(done)
    return done
  }

  /** Does what was asked for last, if nobody has done it yet. Never rejects. */
  async #work(network: number): Promise<void> {
    const task = this.#tasks.get(network)
    this.#tasks.delete(network)
    if (task === undefined || task.pass.signal.aborted || this.#isClosed) return
    const { part, packets } = task
    const pass =
      part === null
        ? task.pass
        : { ...task.pass, want: part.want, log: task.pass.log.child({ vpc: part.vpc }) }
    const since = this.#options.clock.monotonic()
    this.#busy.set(network, { since, want: packets ? (part?.want ?? null) : null })
    if (part === null) await this.#attempt('packets', network, () => this.#remove(network, pass))
    else if (packets)
      await this.#attempt('packets', network, () => this.#applyPackets(network, pass))
    await this.#attempt('answers', network, () => this.#applyAnswers(network, pass))
    this.#busy.delete(network)
  }

  async #attempt(
    what: 'packets' | 'answers',
    network: number,
    work: () => Promise<void>,
  ): Promise<void> {
    try {
      await work()
      this.#failed[what].delete(network)
    } catch (error) {
      this.#failed[what].set(network, error)
    }
  }

  async #applyPackets(network: number, pass: Pass): Promise<void> {
    const { host, changed } = await this.#options.vpcs.ensure(network)
    if (changed.length > 0)
      pass.log.info({ network, changed }, 'network namespace made or repaired')
    const one = await this.#services(network, host)
    one.applied = null
    one.isDirty = false
    one.areAnswersDue = true
    one.facts = []
    for (const service of one.packets) one.facts.push(...(await service.apply(pass)))
    one.applied = pass.want
    try {
      const isReady = (peer: number) => (this.#running.get(peer)?.applied ?? null) !== null
      await linkPeers(this.#options.vpcs, network, pass, isReady)
    } catch (error) {
      one.applied = null
      throw error
    }
  }

  async #applyAnswers(network: number, pass: Pass): Promise<void> {
    const one = this.#running.get(network)
    if (one === undefined) return
    one.areAnswersDue = false
    const errors: unknown[] = []
    for (const service of one.answers)
      await service.apply(pass).catch((error: unknown) => errors.push(error))
    if (errors.length === 0) return
    one.areAnswersDue = true
    throw errors[0]
  }

  /** The services in the namespace; new ones when it is another one. */
  async #services(network: number, host: NamespaceHost): Promise<Running> {
    const known = this.#running.get(network)
    if (known?.host === host) return known
    await this.#stop(network)
    const one: Running = {
      ...this.#options.open(host, network),
      ...{ host, applied: null, facts: [], isDirty: true, areAnswersDue: true },
      stopWatching: host.watchKernel(() => {
        one.isDirty = true
        this.#heard('vpcs')
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
