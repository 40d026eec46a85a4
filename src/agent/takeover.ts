/**
 * Takes over the instances of a lost host that are to be recovered. Any host does it; the rules are
 * in `plan/failover/taker.ts`.
 *
 * The host's epoch is read, then all members are asked, and with a majority's consent one
 * transaction gives each instance to a live host, and replaces the epoch. If it is too late, or
 * another host was faster, nothing has happened. Who was given an instance starts it by the rules
 * of its own (`own-recovery.ts`).
 */
import { type Clock, isoTime } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import { unavailable } from '../model/errors.ts'
import type { HostName, InstanceId } from '../model/ids.ts'
import { keptBy } from '../model/image-location.ts'
import { applyFact } from '../model/lifecycle.ts'
import type { Instance } from '../model/records.ts'
import { recoverPriority } from '../model/recovery.ts'
import { isOfKind } from '../model/storage.ts'
import { takersOf } from '../plan/failover/spare.ts'
import { mayCommit, type Takeover } from '../plan/failover/taker.ts'
import type { HostEpoch } from '../store/records/recovery.ts'
import { releaseInstance } from '../store/release.ts'
import type { Store, Tx } from '../store/store.ts'
import type { Fence } from './fence.ts'
import { type Loop, startLoop } from './loop.ts'
import { leavePlace, placeOf, takePlace } from './rehoming.ts'

export interface TakeoverParts {
  readonly store: Store
  readonly fence: Fence
  readonly clock: Clock
  readonly log: Log
  /** Never the same twice. */
  readonly newId: () => string
  /** Asks for a pass: this host may have been given something. */
  readonly wake: () => void
}

/** How often a host looks for lost ones. A look is one statement. */
const LOOK_MS = 700
/** Lost hosts that are asked about in one look, at once. The next look goes on after them. */
const HOSTS_AT_ONCE = 4
/** Hosts that are lost at the same time, as far as one look sees. */
const HOSTS_SEEN = 1_000
/**
 * Of unbroken permission before this host takes anything over, in ms. Hosts that are switched on
 * together are not ready together, and who is late is not lost. A lease says nothing here: all
 * leases run out when the database changes its members, as it does when one is lost with its host.
 */
export const SETTLED_MS = 15_000

/** What became of an instance of a lost host. */
interface Taken {
  readonly instance: InstanceId
  /** Null: it was to be terminated, and is. */
  readonly to: HostName | null
}

/** What a takeover has come to. */
interface Outcome {
  readonly taken: readonly Taken[]
  /**
   * Why instances with a disk on a storage that refuses by address stay with the lost host. Null:
   * none does.
   */
  readonly unfenced: string | null
}
const NOTHING: Outcome = { taken: [], unfenced: null }

/**
 * Looks for lost hosts until closed. When one of them has been taken over, by whomever, this host
 * looks at the records: the bell that it was given something may be lost with a broker.
 */
export function startTakeovers(parts: TakeoverParts, self: HostName): Loop {
  const { clock, log, wake } = parts
  const look = createLook(parts, self)
  let before = new Set<string>()
  return startLoop({
    work: async (signal) => {
      const lost = await look(signal)
      const now = new Set(lost.map(({ name, epoch }) => `${name} ${epoch}`))
      if (before.difference(now).size > 0) wake()
      before = now
    },
    intervalMs: LOOK_MS,
    clock,
    onError: (error) => log.debug({ error }, 'could not look for lost hosts'),
  })
}

/**
 * A function that takes over what is to be recovered of lost hosts, if this host may. It returns
 * those that it has found: hosts whose lease is over, or which say themselves that they may run
 * nothing. That is only a reason to ask; the members' consent decides. Errors: the store's.
 */
export function createLook(
  parts: TakeoverParts,
  self: HostName,
): (signal: AbortSignal) => Promise<readonly HostEpoch[]> {
  const { store, fence, log, wake } = parts
  let held = { id: '', sinceMs: 0 }
  /** The last host that was asked about. Those for which others vouch hold up nobody. */
  let last = ''
  const unfencedLog = createUnfencedLog(log)

  function maySearch(): boolean {
    const { id, untilMs } = fence.permission()
    const nowMs = fence.nowMs()
    if (id !== held.id) held = { id, sinceMs: nowMs }
    return nowMs < untilMs && nowMs - held.sinceMs >= SETTLED_MS
  }

  return async (signal) => {
    if (!maySearch()) return []
    const lost = await store.read((tx) => tx.hostsToTakeOver(HOSTS_SEEN))
    const others = lost.flatMap(({ name }) => (name === self ? [] : [name]))
    const inTurn = [
      ...others.filter((name) => name > last),
      ...others.filter((name) => name <= last),
    ]
    const asked = inTurn.slice(0, HOSTS_AT_ONCE)
    last = asked.at(-1) ?? last
    const found = await Promise.allSettled(
      asked.map(async (host) => {
        if (signal.aborted) return
        const { taken, unfenced: why } = await takeOver(parts, host)
        if (why !== null) unfencedLog.say(host, why)
        for (const { instance, to } of taken)
          log.warn({ instance, from: host, to }, 'recovered an instance of a lost host')
        if (taken.some(({ to }) => to === self)) wake()
      }),
    )
    for (const one of found)
      if (one.status === 'rejected') log.debug({ error: one.reason }, 'a host was not taken over')
    unfencedLog.keep(lost)
    return lost
  }
}

/** Says once of each lost host why its storage cannot be told to refuse it. */
function createUnfencedLog(log: Log) {
  const said = new Map<HostName, string>()
  return {
    say(host: HostName, why: string): void {
      if (said.get(host) === why) return
      said.set(host, why)
      log.warn(
        { host, why },
        'instances of a lost host stay with it, because their storage cannot be told what to refuse',
      )
    },
    /** Forgets all other hosts: they are back. */
    keep(lost: readonly HostEpoch[]): void {
      const names = new Set(lost.map(({ name }) => name))
      for (const host of said.keys()) if (!names.has(host)) said.delete(host)
    },
  }
}

/**
 * Takes over what is to be recovered of one host. Returns what was taken: nothing, if the members
 * did not consent, or the host is back, or somebody else was faster. Errors: the store's, and
 * `unavailable` of `fence`.
 */
export async function takeOver(
  { store, fence, clock, newId }: Pick<TakeoverParts, 'store' | 'fence' | 'clock' | 'newId'>,
  host: HostName,
): Promise<Outcome> {
  const read = await store.read((tx) => tx.hostEpoch(host), { sees: 'latest' })
  if (read === undefined) return NOTHING
  const round = await fence.askConsent(host)
  const takeover: Takeover = { host, epoch: read.epoch ?? '', round }
  if (!mayCommit(takeover, fence.nowMs(), fence.times)) return NOTHING
  const to = newId()
  return await store.change(async (tx) => {
    const now = isoTime(clock.now())
    const instances = (await tx.instances({ hosts: [host], live: true })).filter(
      ({ recovery }) => recovery?.wanted === 'recover' && recovery.acknowledged === 'recover',
    )
    if ((await tx.hostEpoch(host))?.epoch !== read.epoch) return NOTHING
    const taken: Taken[] = []
    let unfenced: string | null = null
    for (const instance of await byPriority(tx, instances)) {
      const one = await take(tx, instance, { assignment: newId(), fence: to }, now)
      if (typeof one === 'string') unfenced = one
      else if (one !== null) taken.push(one)
    }
    // Where nobody has room, nothing changes at each look.
    if (taken.length === 0) return { taken, unfenced }
    if ((await tx.takeEpoch(host, { from: read.epoch, to })) !== 'done')
      throw unavailable(`${host} is back, or another host has taken it over`)
    return { taken, unfenced }
  })
}

/** The highest first. They get the room that there is. */
async function byPriority(tx: Tx, instances: readonly Instance[]): Promise<readonly Instance[]> {
  const tags = await tx.tags({ resources: instances.map(({ id }) => id) })
  const byResource = Map.groupBy(tags, ({ resource }) => resource)
  const priority = ({ id }: Instance) => recoverPriority(byResource.get(id) ?? [])
  return instances.toSorted((a, b) => priority(b) - priority(a))
}

/**
 * Null: no host has room, so it waits for one, or for its own. A text: why its storage cannot be
 * told which address to refuse, so it waits for its own. `fence`: the id of this takeover.
 */
async function take(
  tx: Tx,
  instance: Instance,
  { assignment, fence }: { readonly assignment: string; readonly fence: string },
  now: string,
): Promise<Taken | string | null> {
  const { id, host: from } = instance
  if (instance.wanted === 'terminate') return await end(tx, instance, now)
  const [image] = await tx.images({ ids: [instance.image] })
  if (image !== undefined && keptBy(image.location) !== null) return null
  const place = await placeOf(tx, instance)
  if (place === null) return null
  const refusal = await refusalOf(tx, from, place.storage)
  if (refusal !== null && 'problem' in refusal) return refusal.problem
  const to = await takePlace(tx, place, takersOf(await tx.hosts(), from))
  if (to === null) return null
  if ((await tx.takeInstance(id, from, { to, assignment })) !== 'done') {
    await leavePlace(tx, place, to)
    return null
  }
  if (refusal !== null) await tx.fenceStorage(from, { ...refusal, id: fence })
  await leavePlace(tx, place, from)
  const message = `Server.HostLost: its host ${from} was lost; it was started again on ${to} at ${now}`
  await tx.updateInstance(id, {
    // Its disk is made anew, unless it is where the new host reaches it.
    ...(place.storage === null ? { bootSeen: 0 } : {}),
    ...(instance.wanted === 'run'
      ? {
          state: 'pending',
          bootCount: instance.bootCount + 1,
          stateReason: { code: 'Server.HostLost', message },
        }
      : { state: 'stopped' }),
  })
  await tx.noteNotice(id, { word: 'instance-recovered', startsMs: Date.parse(now) }, to)
  return { instance: id, to }
}

/**
 * What the storage of a disk has to refuse before anybody else opens it. Null: it locks disks by
 * itself, or the disk is on no storage.
 */
async function refusalOf(
  tx: Tx,
  from: HostName,
  storage: string | null,
): Promise<
  { readonly storage: string; readonly address: string } | { readonly problem: string } | null
> {
  if (storage === null || !isOfKind(storage, 'ceph')) return null
  const found = await tx.addressToFence(from, storage)
  return 'problem' in found ? found : { storage, ...found }
}

/** Ends what was to be terminated. Its host removes what is left of it when it is back. */
async function end(tx: Tx, instance: Instance, now: string): Promise<Taken | null> {
  const change = applyFact(instance, { kind: 'gone', instance: instance.id }, now)
  if (change === null) return null
  await tx.updateInstance(instance.id, change)
  await releaseInstance(tx, instance)
  return { instance: instance.id, to: null }
}
