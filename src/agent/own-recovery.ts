/**
 * This host's instances that other hosts may start again (`recover`): when they may be started
 * here, and what the records and the process `fence` are told of them. The rules, and why they are
 * safe, are in `plan/failover/taker.ts`.
 *
 * - Nothing of them is started without permission, nor in a new term before this host has written
 *   a new epoch, nor before the commit that made an instance its own is too old to be lost and the
 *   records, read again, still say so.
 * - A wish is acknowledged once `fence` has the instance in its list. One that is withdrawn stays
 *   in the list until that acknowledgement cannot be lost.
 * - What runs is not touched: at the end of the permission `fence` stops it, whether this process
 *   lives or not.
 * - Nothing is remembered across a restart. A new daemon writes a new epoch, and looks again.
 */
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import { FIRST_DRIVERS } from '../model/driver.ts'
import { unavailable } from '../model/errors.ts'
import type { Guarded } from '../model/guarded.ts'
import type { InstanceId } from '../model/ids.ts'
import { machineUser, nicLinkName } from '../model/names.ts'
import type { Instance } from '../model/records.ts'
import type { Fact, InstanceWant } from '../model/want.ts'
import { durableAtMs, mayStart, type OwnCommit } from '../plan/failover/taker.ts'
import type { Snapshot } from '../plan/want.ts'
import type { HostService, Pass } from '../services/service.ts'
import type { HostSelf } from '../store/records/host.ts'
import type { Store } from '../store/store.ts'
import type { Duty } from './duty.ts'
import type { Fence } from './fence.ts'

export interface OwnRecoveryParts {
  readonly store: Store
  readonly fence: Fence
  readonly clock: Clock
  readonly log: Log
  /** Asks for a pass. */
  readonly wake: () => void
  /** Never the same twice. */
  readonly newId: () => string
}

export interface OwnRecoverySettings {
  readonly self: HostSelf
  /** The first user of virtual machines, which run as one each. */
  readonly firstUser: number
}

/** The service that comes before those of drivers, the duty, and what they ask before a start. */
export interface OwnRecovery extends Duty, HostService {
  readonly name: string
  /** Whether the instance may be started now. Always, if nobody else may start it. */
  mayStart(instance: InstanceWant): boolean
  /** Is told of the container of an instance. */
  found(instance: InstanceId, container: string): void
  /**
   * Resolves right before a start, when `fence` will stop what is started, and it may be started.
   * Errors: `unavailable`.
   */
  permit(instance: InstanceWant, container: string | null): Promise<void>
}

/** Where no process `fence` runs: what others may start again is not started here. */
export const WITHOUT_FENCE: Pick<OwnRecovery, 'mayStart' | 'found' | 'permit'> = {
  mayStart: ({ recover }) => recover?.acknowledged !== true,
  found: () => undefined,
  permit: async ({ id, recover }) => {
    if (recover?.acknowledged === true) throw notPermitted(id)
  },
}

/** The epoch of a term, in the records. */
interface OwnEpoch {
  readonly term: string
  readonly epoch: string
}

/** One of this host's assignments, in the term in which it was first seen. */
interface Seen extends Pick<OwnCommit, 'id' | 'confirmedAtMs'> {
  readonly term: string
  isCleared: boolean
}

/** Starts with nothing: no instance may be started yet. */
export function createOwnRecovery(
  parts: OwnRecoveryParts,
  settings: OwnRecoverySettings,
): OwnRecovery {
  return new Own(parts, settings)
}

function notPermitted(id: InstanceId): Error {
  return unavailable(`${id} may not be started here now, because another host may have started it`)
}

function isContainer({ driver }: InstanceWant): boolean {
  return driver === FIRST_DRIVERS.container
}

class Own implements OwnRecovery {
  readonly name = 'recovery'
  readonly gate = false
  readonly #parts: OwnRecoveryParts
  readonly #settings: OwnRecoverySettings
  readonly #containers = new Map<InstanceId, string>()
  /** What others may start again, and until when an instance that is not such any more counts. */
  readonly #guarded = new Map<InstanceId, { guarded: Guarded; untilMs: number | null }>()
  #wants: readonly InstanceWant[] = []
  /** Null: nothing, since this process started. */
  #told: string | null = null
  #epoch: OwnEpoch | null = null
  readonly #seen = new Map<InstanceId, Seen>()
  readonly #stopListening: () => void
  readonly #ending = new AbortController()

  constructor(parts: OwnRecoveryParts, settings: OwnRecoverySettings) {
    this.#parts = parts
    this.#settings = settings
    this.#stopListening = parts.fence.onChange(() => parts.wake())
  }

  mayStart({ id, recover }: InstanceWant): boolean {
    if (recover?.acknowledged !== true) return true
    const seen = this.#seen.get(id)
    return (
      seen?.isCleared === true && seen.id === recover.assignment && this.#isPermitted(seen.term)
    )
  }

  found(instance: InstanceId, container: string): void {
    this.#containers.set(instance, container)
  }

  async permit(instance: InstanceWant, container: string | null): Promise<void> {
    if (container !== null) this.found(instance.id, container)
    if (instance.recover === undefined) return
    this.#guard(instance)
    await this.#tellFence()
    if (!this.mayStart(instance)) throw notPermitted(instance.id)
  }

  async apply({ want }: Pass): Promise<readonly Fact[]> {
    this.#wants = want.local.instances.filter(({ recover }) => recover !== undefined)
    this.#guardAll(this.#wants)
    // Now, and not after the pass: meanwhile its time goes on.
    this.#note()
    return []
  }

  async run(snapshot: Snapshot, signal: AbortSignal): Promise<boolean> {
    const { name } = this.#settings.self
    const own = snapshot.instances.filter(({ host }) => host === name)
    if (this.#lacksContainers(this.#wants)) return false
    await this.#tellFence()
    const { id: term, untilMs } = this.#parts.fence.permission()
    if (this.#parts.fence.nowMs() >= untilMs) return false
    // Before it has any, too: a takeover of the time before may still be under way, and what it is
    // given need not wait for it.
    if (this.#epoch?.term !== term) await this.#beginTerm(term)
    if (this.#epoch?.term !== term) return false
    const changed = await this.#acknowledge(own, signal)
    this.#note()
    return changed || (await this.#clear(signal))
  }

  async close(): Promise<void> {
    this.#ending.abort()
    this.#stopListening()
  }

  #isPermitted(term: string): boolean {
    const { fence } = this.#parts
    const now = fence.permission()
    return now.id === term && fence.nowMs() < now.untilMs
  }

  /** Takes a new epoch, so that nobody's takeover of the term before can have its way. */
  async #beginTerm(term: string): Promise<void> {
    const { store, log, newId } = this.#parts
    const { self } = this.#settings
    const epoch = newId()
    const outcome = await store.change(async (tx) => {
      const from = (await tx.hostEpoch(self.name))?.epoch ?? null
      return await tx.beginEpoch(self, { from, to: epoch })
    })
    if (outcome !== 'done') return
    this.#epoch = { term, epoch }
    this.#seen.clear()
    log.info({ term }, 'this host may run instances that others may start again')
  }

  /** Notes since when the records say that these are this host's. */
  #note(): void {
    const term = this.#epoch?.term
    if (term === undefined || !this.#isPermitted(term)) return
    const ours = this.#wants.filter(({ recover }) => recover?.acknowledged === true)
    const ids = new Set(ours.map(({ id }) => id))
    for (const id of this.#seen.keys()) if (!ids.has(id)) this.#seen.delete(id)
    for (const { id, recover } of ours) {
      const assignment = recover?.assignment ?? null
      const known = this.#seen.get(id)
      if (assignment === null || (known?.id === assignment && known.term === term)) continue
      const confirmedAtMs = this.#parts.fence.nowMs()
      this.#seen.set(id, { id: assignment, confirmedAtMs, term, isCleared: false })
      this.#wakeAfter(this.#parts.fence.times.durableMs)
    }
  }

  /** Reads again what cannot be lost any more. Returns whether something may be started now. */
  async #clear(signal: AbortSignal): Promise<boolean> {
    const { fence, store } = this.#parts
    const { self } = this.#settings
    const readAtMs = fence.nowMs()
    const due = [...this.#seen].filter(
      ([, seen]) => !seen.isCleared && readAtMs >= durableAtMs(seen, fence.times),
    )
    if (due.length === 0 || signal.aborted) return false
    const ids = due.map(([id]) => id)
    const found = await store.read(
      async (tx) => ({
        epoch: (await tx.hostEpoch(self.name))?.epoch,
        instances: await tx.instances({ ids }),
      }),
      { sees: 'latest' },
    )
    if (found.epoch !== this.#epoch?.epoch) {
      // The commit was lost, or somebody has taken this host over: it takes another one.
      this.#epoch = null
      return true
    }
    for (const [id, seen] of due) {
      const one = found.instances.find((instance) => instance.id === id)
      const { run = 0, assignment = null } = one?.recovery ?? {}
      const now = one === undefined ? null : { host: one.host, run, id: assignment ?? '' }
      const ours = { ...seen, host: self.name, run }
      if (mayStart(ours, now, readAtMs, fence.times)) seen.isCleared = true
    }
    return due.some(([, seen]) => seen.isCleared)
  }

  /** Returns whether the records have changed. */
  async #acknowledge(own: readonly Instance[], signal: AbortSignal): Promise<boolean> {
    const { store, log, newId } = this.#parts
    const due = own.filter(
      ({ claimed, recovery }) =>
        claimed && recovery !== undefined && recovery.wanted !== recovery.acknowledged,
    )
    for (const { id, recovery } of due) {
      if (signal.aborted || recovery === undefined) break
      const { wanted } = recovery
      const assignment = newId()
      const outcome = await store.change((tx) =>
        tx.acknowledgeRecovery(id, this.#settings.self, wanted, assignment),
      )
      log.info({ instance: id, wanted, outcome }, 'what happens when its host is lost')
    }
    return due.length > 0
  }

  /** What `fence` has to stop of these, and for a while of what was such before. */
  #guardAll(all: readonly InstanceWant[]): void {
    const { fence } = this.#parts
    const now = new Set(all.map(({ id }) => id))
    for (const [id, one] of this.#guarded) {
      if (now.has(id)) continue
      // Its acknowledgement, or its move, may be lost until then.
      one.untilMs ??= fence.nowMs() + fence.times.durableMs
      if (fence.nowMs() >= one.untilMs) this.#guarded.delete(id)
      else this.#wakeAfter(fence.times.durableMs)
    }
    for (const instance of all) this.#guard(instance)
  }

  #guard(instance: InstanceWant): void {
    const { firstUser } = this.#settings
    const container = this.#containers.get(instance.id)
    const guarded: Guarded = {
      instance: instance.id,
      containers: container === undefined ? [] : [container],
      user: isContainer(instance) ? null : machineUser(firstUser, instance.id),
      links: instance.nics.map(({ id, network }) => ({
        name: nicLinkName(id),
        network: network ?? null,
      })),
      addresses: instance.nics.flatMap(({ publicIp }) => publicIp ?? []),
    }
    this.#guarded.set(instance.id, { guarded, untilMs: null })
  }

  /**
   * Whether a container that may run is not known yet: `fence` knows it from the daemon before, and
   * must not forget it.
   */
  #lacksContainers(all: readonly InstanceWant[]): boolean {
    return all.some((one) => isContainer(one) && one.ran && !this.#containers.has(one.id))
  }

  async #tellFence(): Promise<void> {
    const all = [...this.#guarded.values()].map(({ guarded }) => guarded)
    const said = JSON.stringify(all)
    if (said === this.#told) return
    await this.#parts.fence.guard(all)
    this.#told = said
  }

  #wakeAfter(ms: number): void {
    const { clock, wake } = this.#parts
    clock.sleep(ms, this.#ending.signal).then(wake, () => undefined)
  }
}
