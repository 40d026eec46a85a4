/**
 * What the agent reads: the records that a want is made from, as cheaply as the truth allows.
 *
 * Every change to a host's part of the records advances that host's generation in the same transaction. So a reading asks which
 * hosts changed since the last one, reads their parts anew and keeps the others'; when none did, one statement has said so, and when only
 * others did, a second one says what. The cost of a pass then goes by what happens in the cluster, not by its size. What belongs to no
 * one host (networks, images, keys) matters here only through an instance, so it is read with this host's own part, in one snapshot, or
 * when somebody's part speaks of what is not known yet.
 * Nothing rests on the memory alone: `fresh` reads it all again, which the agent does at every resync.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../lib/clock.ts'
import { unavailable } from '../model/errors.ts'
import type { HostName, InstanceId } from '../model/ids.ts'
import type { InstanceChange } from '../model/lifecycle.ts'
import type { PeerHost, PlacedNic } from '../model/records.ts'
import type { HostWant } from '../model/want.ts'
import type { Snapshot } from '../plan/want.ts'
import type { ReadTx, Store } from '../store/store.ts'

/**
 * A change shows when its transaction is through, later than the time that is written in it, and nodes of a cluster have clocks of
 * their own: so far back each reading looks beyond the one before.
 */
const LOOK_BACK_MS = 10_000

export interface RecordsReader {
  /**
   * The newest snapshot, or the last one when it was read within `youngMs` (0 unless told); the very same object as last time when nothing changed.
   * Errors: as the store's `read`.
   */
  read(options: { readonly fresh: boolean; readonly youngMs?: number }): Promise<Snapshot>
  /** What the store's clock shows by now, in milliseconds since the epoch, by its last answer; null before the first. */
  storeMs(): number | null
  /** This host wrote to its own part: what, or null when only reading it anew can tell. */
  wrote(write: OwnWrite | null): void
}

/** What a host wrote to its own part of the records, and nobody else at the same time: so it need not be read. */
export interface OwnWrite {
  readonly changes: readonly { readonly instance: InstanceId; readonly to: InstanceChange }[]
  /** The host's own, after that; a state alone advances none. */
  readonly generation: number
}

/** What every host must know of one. */
interface Part {
  readonly host: PeerHost
  readonly nics: readonly PlacedNic[]
}

/** What only its own host need know of an instance; and what could not be read, whomever it is of. */
type Own = Pick<Snapshot, 'instances' | 'tags' | 'volumes' | 'unreadable'>
/** What belongs to no one host. */
type House = Omit<Snapshot, 'hosts' | 'nics' | keyof Own>

interface Known {
  readonly snapshot: Snapshot
  readonly parts: ReadonlyMap<HostName, Part>
  readonly own: Own
  readonly house: House
}

/** A reader for the agent of `self`. */
export function createRecordsReader(
  store: Store,
  self: HostName,
  clock: Pick<Clock, 'monotonic'>,
): RecordsReader {
  let known: Known | null = null
  let readAtMs = Number.NEGATIVE_INFINITY
  let readUntilMs = 0
  let ownIsOld = false

  /** What is known now, with the others' news in two statements; null when that does not do. */
  async function readOn(before: Known): Promise<Known | null> {
    const fromMs = readUntilMs - LOOK_BACK_MS
    const { hosts, nowMs, isWhole } = await store.single(async (tx) => {
      const { hosts, nowMs } = await tx.changedHosts(fromMs, self)
      return { hosts, nowMs, isWhole: tx.unreadable().length === 0 }
    })
    const changed = hosts.filter((host) => isNews(host, before))
    if (!isWhole || changed.some(({ name }) => name === self)) return null
    let left = 0
    // What is read now may be newer than the generation that it goes by: then it is read once more.
    const read = await readParts(
      (work) =>
        store.single(async (tx) => {
          const found = await work(tx)
          left += tx.unreadable().length
          return found
        }),
      changed,
    )
    // What cannot be read is told of in a snapshot that is read as a whole.
    if (left > 0 || !knowsAll(before.house, read)) return null
    readUntilMs = nowMs
    if (read.length === 0) return before
    return withHosts(before, read) ?? knownFrom([...before.parts.values(), ...read], before)
  }

  async function readAnew(before: Known | null): Promise<Known> {
    const rereadsOwn = ownIsOld
    const { nowMs, ...read } = await store.read(async (tx) => {
      const fromMs = before === null ? 0 : readUntilMs - LOOK_BACK_MS
      const { hosts, nowMs } = await tx.changedHosts(fromMs, self)
      if (tx.unreadable().some(({ host }) => host === self))
        throw unavailable(`The row of host "${self}" in the records cannot be read.`)
      // This host's part comes from one snapshot: an instance without its NIC would be worse than none.
      const changed = hosts.filter((host) => host.name === self || isNews(host, before))
      const parts = await readParts((work) => work(tx), changed, before === null)
      const own = await readOwn(tx, self)
      const house = await readHouse(tx, own, parts, before?.house)
      return { nowMs, parts, own: { ...own, unreadable: [...tx.unreadable()] }, house }
    })
    // The store's clock may have been set back: what it says now is where to go on from.
    readUntilMs = nowMs
    if (rereadsOwn) ownIsOld = false
    return knownFrom([...(before?.parts.values() ?? []), ...read.parts], read)
  }

  return {
    storeMs: () => (known === null ? null : readUntilMs + clock.monotonic() - readAtMs),
    wrote(write) {
      if (write === null || known === null) ownIsOld = true
      else known = withOwnWrite(known, self, write)
    },
    async read({ fresh, youngMs = 0 }) {
      const before = fresh ? null : known
      const beganMs = clock.monotonic()
      if (before !== null && !ownIsOld && beganMs - readAtMs < youngMs) return before.snapshot
      known =
        (before === null || ownIsOld ? null : await readOn(before)) ?? (await readAnew(before))
      readAtMs = beganMs
      return known.snapshot
    },
  }
}

/**
 * The instances that this host had, that its part of the records does not have any more though nobody ended them, and that are there
 * all the same: the host that their row names, or all of it, cannot be read.
 */
export async function unreadableElsewhere(
  store: Store,
  { instances, unreadable }: Pick<Snapshot, 'instances' | 'unreadable'>,
  known: HostWant | null,
): Promise<Snapshot['unreadable']> {
  const there = new Set([
    ...instances.map(({ id }) => id),
    ...unreadable.map((row) => row.instance),
  ])
  const had = known?.local.instances ?? []
  const ids = had.flatMap(({ id, run }) => (run === 'terminate' || there.has(id) ? [] : id))
  if (ids.length === 0) return []
  return await store.read(async (tx) => {
    await tx.instances({ ids })
    return [...tx.unreadable()]
  })
}

function isNews({ name, generation }: PeerHost, before: Known | null): boolean {
  return before?.parts.get(name)?.host.generation !== generation
}

/** Whether the parts speak of no network and no group but those that are known. */
function knowsAll({ vpcs, subnets, groups }: House, parts: readonly Part[]): boolean {
  const ids = new Set<string>([...vpcs, ...subnets, ...groups].map(({ id }) => id))
  const nics = parts.flatMap((part) => part.nics)
  return nics.every((nic) => [nic.vpc, nic.subnet, ...nic.groups].every((id) => ids.has(id)))
}

/** The parts of `hosts`, which are all that there are when `all` is true. */
async function readParts(
  ask: <T>(work: (tx: Pick<ReadTx, 'placedNics'>) => Promise<T>) => Promise<T>,
  hosts: readonly PeerHost[],
  all = false,
): Promise<readonly Part[]> {
  if (hosts.length === 0) return []
  const names = hosts.map(({ name }) => name)
  const nics = await ask((tx) => tx.placedNics(all ? {} : { hosts: names }))
  const nicsOf = Map.groupBy(nics, (nic) => nic.host)
  return hosts.map((host) => ({ host, nics: nicsOf.get(host.name) ?? [] }))
}

async function readOwn(tx: ReadTx, self: HostName): Promise<Omit<Own, 'unreadable'>> {
  const all = await tx.instances({ hosts: [self] })
  const instances = all.filter(({ state }) => state !== 'terminated')
  return {
    instances,
    tags: await tx.tags({ resources: instances.map(({ id }) => id) }),
    volumes: await tx.volumes({ hosts: [self] }),
  }
}

/**
 * What does not belong to any one host. Key pairs are those of the accounts whose instances here have one: under a known name there may be another
 * one. Networks and types are what they are, so they are read when somebody speaks of one that is not known.
 */
async function readHouse(
  tx: ReadTx,
  { instances }: Pick<Own, 'instances'>,
  parts: readonly Part[],
  before: House | undefined,
): Promise<House> {
  const accounts = new Set(
    instances.filter(({ keyName }) => keyName !== null).map(({ account }) => account),
  )
  const keyPairs = await Promise.all([...accounts].map((account) => tx.keyPairs({ account })))
  const types = new Set(before?.types.map(({ name }) => name))
  const isKnown =
    before !== undefined &&
    knowsAll(before, parts) &&
    instances.every(({ type }) => types.has(type))
  const { vpcs, subnets, groups, types: known } = isKnown ? before : await readLasting(tx)
  return {
    vpcs,
    subnets,
    groups,
    types: known,
    images: await tx.images({}),
    keyPairs: keyPairs.flat(),
  }
}

async function readLasting(tx: ReadTx) {
  return {
    vpcs: await tx.vpcs({}),
    subnets: await tx.subnets({}),
    groups: await tx.groups({}),
    types: await tx.instanceTypes(),
  }
}

/** What is known once this host has written that. */
function withOwnWrite(known: Known, self: HostName, { changes, generation }: OwnWrite): Known {
  const byId = new Map(known.own.instances.map((one) => [one.id, one]))
  for (const { instance, to } of changes) {
    const one = byId.get(instance)
    if (one !== undefined) byId.set(instance, { ...one, ...to })
  }
  const instances = [...byId.values()]
  const part = known.parts.get(self)
  const { house, own, parts, snapshot } =
    part === undefined ? known : withParts(known, [{ ...part, host: { ...part.host, generation } }])
  return { house, own: { ...own, instances }, parts, snapshot: { ...snapshot, instances } }
}

/**
 * What is known once these parts were read, if nothing but the hosts themselves is another one in them, as when an instance was claimed;
 * else null.
 */
function withHosts(known: Known, read: readonly Part[]): Known | null {
  const isSame = ({ host, nics }: Part): boolean => {
    const before = known.parts.get(host.name)
    return before?.host.state === host.state && isDeepStrictEqual(before.nics, nics)
  }
  return read.every(isSame) ? withParts(known, read) : null
}

/** With these parts in the place of those of the same hosts, whose NICs they have: what is made of those only need not be made again. */
function withParts(known: Known, changed: readonly Part[]): Known {
  const parts = new Map(known.parts)
  for (const part of changed) parts.set(part.host.name, part)
  const hosts = known.snapshot.hosts.map((host) => parts.get(host.name)?.host ?? host)
  return { ...known, parts, snapshot: { ...known.snapshot, hosts } }
}

/** Of two parts of one host the later one counts, and of two that have the same NIC, because its instance was just moved. */
function knownFrom(
  all: readonly Part[],
  { own, house }: { readonly own: Own; readonly house: House },
): Known {
  const parts = new Map(all.map((part) => [part.host.name, part]))
  const hosts = [...parts.values()].map(({ host }) => host)
  const nics = new Map(
    all
      .filter((part) => parts.get(part.host.name) === part)
      .flatMap((part) => part.nics.map((nic) => [nic.id, nic])),
  )
  const snapshot = {
    ...house,
    ...own,
    hosts: hosts.filter(({ state }) => state !== 'forgotten'),
    nics: [...nics.values()].sort((a, b) => (a.id < b.id ? -1 : 1)),
  }
  return { snapshot, parts, own, house }
}
