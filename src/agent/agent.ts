/**
 * The agent: makes this host what the records say, pass after pass.
 *
 *     records --wantFor--> ledger.accept --> services in order --> facts --> records
 *
 * A pass needs nothing from the pass before it. It compares reality with the records, of which it
 * reads what has changed since.
 *
 * If the records are unavailable, the agent applies the want of the ledger. If there is no ledger
 * either, it touches nothing. A service that fails does not stop the others, unless it is a gate:
 * then the services after it wait for the next pass, so that no traffic opens before its rules are
 * loaded.
 */
import type { Bus } from '../bus/bus.ts'
import { type Clock, isoTime } from '../lib/clock.ts'
import { inTime } from '../lib/deadline.ts'
import type { Log } from '../lib/log.ts'
import type { Metrics } from '../lib/metrics.ts'
import { explain, messageOf } from '../model/errors.ts'
import type { HostName, VpcId } from '../model/ids.ts'
import type { Fact, HostWant } from '../model/want.ts'
import { consistentRecords } from '../plan/consistent.ts'
import type { Snapshot } from '../plan/want.ts'
import type { HostService, Pass } from '../services/service.ts'
import type { HostRun, HostSelf } from '../store/records/host.ts'
import type { RowWatch } from '../store/records/rows.ts'
import type { Store } from '../store/store.ts'
import { listenToBells } from './bells.ts'
import type { Duty } from './duty.ts'
import { failingServices } from './failing-services.ts'
import { createGates, type Gates, parallelGroups } from './gates.ts'
import type { Ledger } from './ledger.ts'
import { type Loop, startLoop } from './loop.ts'
import { overtakeLedger } from './overtake.ts'
import { createPlanner, type Planner } from './planner.ts'
import { createRecordsReader, type RecordsReader, unreadableElsewhere } from './reader.ts'
import { oneAtATime, type RepairParts, startRepairLoop } from './repair.ts'
import { purge, reportFacts } from './report.ts'
import { heldVpcs, hostsIn } from './vpc-parts.ts'

/** How long a repair waits for the first reading of the records before it uses the ledger. */
const FIRST_READING_MS = 50

export interface AgentParts {
  readonly store: Store
  readonly bus: Bus
  readonly ledger: Ledger
  /** Is told of records that contradict each other. */
  readonly rows: Pick<RowWatch, 'found'>
  /** In the order in which they are applied. */
  readonly services: readonly HostService[]
  /** What follows each pass, in this order. */
  readonly duties?: readonly Duty[]
  /**
   * Calls back at each kernel change that may concern us, until the returned function is called.
   */
  readonly watchKernel: RepairParts['watchKernel']
  /** Called when records have changed. */
  readonly onRecordsChanged: () => void
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  /** From 0 up to 1. */
  readonly random: () => number
}

export interface AgentSettings {
  readonly host: HostName
  /** This machine's identity: a host row of another machine is not acted on. */
  readonly identity: string
  /** This run of its daemon: a host row of an unknown run is not acted on. */
  readonly run?: HostRun
  readonly intervalMs: number
  readonly resyncMs: number
}

/** The outcome of the last pass, for `/healthz` and `atoll status`. */
export interface AgentStatus {
  readonly passes: number
  readonly lastPassAt: string | null
  /**
   * Where the want came from. `nothing`: there was none. `stranger`: the host row belongs to
   * another machine with the same host name.
   */
  readonly source: 'records' | 'ledger' | 'nothing' | 'stranger'
  readonly generation: number | null
  /** Why the last reading of the records failed; null if it did not. */
  readonly recordsTrouble?: string | null
  /** The reason for each service whose last `apply` failed or that waits for a hung program. */
  readonly failing: Readonly<Record<string, string>>
  /** Since when each of them fails (ISO 8601). */
  readonly failingSince?: Readonly<Record<string, string>>
  /** How far this host's clock is ahead of the store's; null if not known. */
  readonly clockAheadMs: number | null
}

/** Asked for passes because something on this machine changed. Bells announce changed records. */
export interface Agent extends Pick<Loop, 'wake' | 'wakeSoon'> {
  status(): AgentStatus
  /** The number of hosts, by the last reading. */
  hosts(): number
  /** Ends the loop and every service. Instances, links and rules stay. */
  close(): Promise<void>
}

/** Starts the agent; its first pass begins at once. */
export function startAgent(given: AgentParts, settings: AgentSettings): Agent {
  const parts = {
    ...given,
    services: given.services.map((service) =>
      service.watchesKernel === undefined ? service : oneAtATime(service),
    ),
  }
  const waker: { wake?: () => void } = {}
  const agent = new HostAgent(parts, settings, () => waker.wake?.())
  const loop = startLoop({
    work: (signal, again, woken) => agent.pass(signal, again, woken),
    intervalMs: settings.intervalMs,
    clock: parts.clock,
    onError: (error) => parts.log.error({ error }, 'reconcile failed'),
  })
  waker.wake = loop.wake
  const stopListening = listenToBells(parts, loop, agent)
  const stopRepairs = startRepairLoop({ ...parts, want: () => agent.want() })
  return {
    wake: loop.wake,
    wakeSoon: loop.wakeSoon,
    status: () => agent.status(),
    hosts: () => agent.hosts(),
    async close() {
      stopListening()
      await stopRepairs()
      await loop.close()
      for (const duty of parts.duties ?? []) await duty.close()
      for (const service of parts.services.toReversed()) await service.close()
    },
  }
}

class HostAgent {
  readonly #parts: AgentParts
  readonly #settings: AgentSettings
  readonly #wake: () => void
  readonly #host: HostName
  readonly #self: HostSelf
  readonly #reader: RecordsReader
  readonly #planner: Planner
  readonly #passSeconds
  readonly #failures
  readonly #storeUp
  readonly #failing = new Map<string, string>()
  readonly #failingSince = new Map<string, string>()
  #passes = 0
  #lastPassAt: string | null = null
  #source: AgentStatus['source'] = 'nothing'
  #generation: number | null = null
  #lastResync = Number.NEGATIVE_INFINITY
  #recordsTrouble: string | null = null
  /** The last reading, and the want made from it. */
  #read: { readonly snapshot: Snapshot; readonly want: HostWant | null } | null = null
  #applied: HostWant | null = null
  readonly #firstReading = Promise.withResolvers<void>()
  #hasRead = false
  readonly #gates: Gates

  constructor(parts: AgentParts, settings: AgentSettings, wake: () => void) {
    this.#parts = parts
    this.#settings = settings
    this.#wake = wake
    this.#gates = createGates(parts.clock, wake)
    const { host: name, identity, run } = settings
    this.#host = name
    this.#self = { name, identity, ...(run === undefined ? {} : { run }) }
    this.#reader = createRecordsReader(parts.store, settings.host, parts.clock)
    this.#planner = createPlanner(settings.host)
    this.#passSeconds = parts.metrics.histogram('atoll_agent_pass_seconds', 'Duration of a pass')
    this.#failures = parts.metrics.counter(
      'atoll_agent_service_failures_total',
      'Times that a service could not be applied',
      ['service'],
    )
    this.#storeUp = parts.metrics.gauge(
      'atoll_agent_records_reachable',
      '1 when the last pass read the records',
    )
  }

  status(): AgentStatus {
    const storeMs = this.#reader.storeMs()
    return {
      ...{ passes: this.#passes, lastPassAt: this.#lastPassAt, source: this.#source },
      ...{ generation: this.#generation, recordsTrouble: this.#recordsTrouble },
      failing: failingServices(this.#failing, this.#parts.services),
      failingSince: Object.fromEntries(this.#failingSince),
      clockAheadMs: storeMs === null ? null : Math.round(this.#parts.clock.now() - storeMs),
    }
  }

  hosts(vpc?: VpcId): number {
    return this.#read === null ? 1 : hostsIn(this.#read.snapshot, vpc)
  }

  /**
   * The want that was applied last. Before the first pass it is the ledger's. Null while nothing is
   * known, or when the host row belongs to another machine.
   */
  async want(): Promise<HostWant | null> {
    if (!this.#hasRead)
      await inTime(this.#parts.clock, FIRST_READING_MS, this.#firstReading.promise)
    return this.#hasRead ? this.#applied : await this.#parts.ledger.load()
  }

  /** Whether this host has instances; true while that is not known. */
  hasInstances(): boolean {
    const want = this.#read?.want ?? null
    return want === null || want.local.instances.length > 0
  }

  async pass(signal: AbortSignal, again: () => void, hurry: AbortSignal): Promise<void> {
    const { clock, log } = this.#parts
    const stop = this.#passSeconds.startTimer()
    const resync = clock.monotonic() - this.#lastResync >= this.#settings.resyncMs
    const want = await this.#readWant(resync)
    this.#applied = want
    this.#hasRead = true
    this.#firstReading.resolve()
    if (want !== null) {
      const facts = await this.#applyServices({ want, resync, signal, hurry })
      // If a service failed, the next pass is a resync again.
      if (resync && this.#failing.size === 0) this.#lastResync = clock.monotonic()
      if (await this.#report(facts)) again()
      if (await this.#doDuties(signal)) again()
      if (resync) await this.#purge()
    } else {
      log.debug({ host: this.#host, source: this.#source }, 'no desired state yet')
    }
    this.#passes += 1
    this.#lastPassAt = isoTime(clock.now())
    stop()
  }

  /** The want from the records, else from the ledger, else null. */
  async #readWant(fresh: boolean): Promise<HostWant | null> {
    const { ledger, log } = this.#parts
    try {
      const snapshot = await this.#reader.read({ fresh })
      this.#storeUp.set(1)
      this.#recordsTrouble = null
      if (snapshot !== this.#read?.snapshot) {
        this.#read = { snapshot, want: await this.#plan(snapshot) }
        this.#parts.bus.follow(heldVpcs(this.#host, snapshot))
        this.#parts.onRecordsChanged()
      }
      const { want: newest } = this.#read
      if (newest === null) {
        this.#source = this.#isStrangers(snapshot) ? 'stranger' : 'nothing'
        return null
      }
      if (this.#source === 'ledger') log.info({ host: this.#host }, 'records available again')
      this.#source = 'records'
      const want = await ledger.accept(newest)
      if (want.local.generation > newest.local.generation)
        if (await overtakeLedger(this.#parts, want.local)) this.#wake()
      this.#generation = want.local.generation
      return want
    } catch (error) {
      this.#storeUp.set(0)
      this.#recordsTrouble = explain(error)
      // The host name is another machine's now, so this machine's ledger must not be applied.
      if (this.#source === 'stranger') return null
      const want = await ledger.load()
      if (this.#source !== 'ledger')
        log.warn(
          { host: this.#host, error, known: want !== null },
          'database unavailable; using the ledger',
        )
      this.#source = want === null ? 'nothing' : 'ledger'
      this.#generation = want?.local.generation ?? null
      return want
    }
  }

  /** The want by these records. Those that contradict each other are reported and left out. */
  async #plan(snapshot: Snapshot): Promise<HostWant | null> {
    if (!this.#isOurs(snapshot)) return null
    const records = consistentRecords(this.#host, snapshot)
    for (const row of records.unreadable.slice(snapshot.unreadable.length))
      this.#parts.rows.found(row)
    // What cannot be read keeps its old want. Without the ledger it is left untouched.
    const known = await this.#parts.ledger.load().catch(() => null)
    const lost = await unreadableElsewhere(this.#parts.store, records, known)
    const unreadable = [...records.unreadable, ...lost]
    return this.#planner({ ...records, unreadable }, known)
  }

  /** Whether the host row belongs to another machine. */
  #isStrangers({ hosts }: Snapshot): boolean {
    const identity = hosts.find(({ name }) => name === this.#host)?.identity ?? null
    return identity !== null && identity !== this.#settings.identity
  }

  /**
   * Whether the host row is this machine's and of a known run of its daemon. Of an unknown run only
   * the lease can tell whether it is over.
   */
  #isOurs(snapshot: Snapshot): boolean {
    const life = snapshot.hosts.find(({ name }) => name === this.#host)?.life ?? null
    const { run } = this.#settings
    if (this.#isStrangers(snapshot)) return false
    return life === null || run === undefined || [run.own, run.proven].includes(life)
  }

  async #applyServices(pass: Omit<Pass, 'log'>): Promise<readonly Fact[]> {
    const facts: Fact[] = []
    let hasGateFailed = false
    for (const group of parallelGroups(this.#parts.services)) {
      if (pass.signal.aborted) break
      const able = group.filter(({ passesGates }) => !hasGateFailed || passesGates === true)
      const applied = await Promise.all(able.map((service) => this.#applyService(service, pass)))
      for (const one of applied) facts.push(...(one ?? []))
      if (able.some(({ gate }, index) => gate && applied[index] === null)) hasGateFailed = true
    }
    return facts
  }

  /** Returns null when the service failed. */
  async #applyService(
    service: HostService,
    pass: Omit<Pass, 'log'>,
  ): Promise<readonly Fact[] | null> {
    const { clock } = this.#parts
    const { generation } = pass.want.local
    const log = this.#parts.log.child({ service: service.name, generation })
    const began = clock.monotonic()
    try {
      const one = service.gate ? this.#gates.withDeadline(service) : service
      const facts = await one.apply({ ...pass, log })
      log.debug({ ms: Math.round(clock.monotonic() - began) }, 'service applied')
      this.#failingSince.delete(service.name)
      if (this.#failing.delete(service.name)) log.info({}, 'service works again')
      return facts
    } catch (error) {
      if (pass.signal.aborted) return null
      this.#failures.inc({ service: service.name })
      const reason = messageOf(error)
      if (this.#failing.get(service.name) !== reason)
        log.error({ error, gate: service.gate }, 'service failed to apply')
      this.#failing.set(service.name, reason)
      if (!this.#failingSince.has(service.name))
        this.#failingSince.set(service.name, isoTime(clock.now()))
      return null
    }
  }

  /** Writes facts. Returns whether that changed this host's want. */
  async #report(facts: readonly Fact[]): Promise<boolean> {
    const { store, clock, log } = this.#parts
    if (this.#source !== 'records' || this.#read === null) return false
    try {
      const { snapshot } = this.#read
      const reported = await reportFacts(store, this.#self, facts, snapshot, clock)
      const { changes, wantChanged, wrote } = reported
      for (const fact of changes) log.info({ ...fact }, 'fact')
      if (changes.length > 0 || wantChanged) this.#reader.wrote(wrote)
      return wantChanged
    } catch (error) {
      // Nothing is lost: the next pass finds every fact again.
      log.warn({ error }, 'could not write facts to the records')
      return false
    }
  }

  /** Returns whether another pass should follow. */
  async #doDuties(signal: AbortSignal): Promise<boolean> {
    const { duties = [], log } = this.#parts
    if (this.#source !== 'records' || this.#read === null) return false
    let hasMore = false
    for (const duty of duties) {
      try {
        if (await duty.run(this.#read.snapshot, signal)) hasMore = true
      } catch (error) {
        log.warn({ error, duty: duty.name }, 'could not do what follows a pass')
      }
    }
    return hasMore
  }

  async #purge(): Promise<void> {
    const { store, clock, log, random } = this.#parts
    try {
      // On average one host per interval deletes what belongs to no host.
      const ofAll = random() * this.hosts() < 1
      const count = await purge(store, this.#host, clock, ofAll)
      if (count > 0) log.info({ count }, 'removed terminated instances from the records')
    } catch (error) {
      log.warn({ error }, 'could not remove terminated instances')
    }
  }
}
