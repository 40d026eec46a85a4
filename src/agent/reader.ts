/**
 * What the agent reads: the records that a want is made from, as cheaply as the truth allows.
 *
 * Every change to a host's part of the records advances that host's generation in the same transaction. So a reading asks which
 * hosts changed since the last one, reads their parts anew and keeps the others'; when none did, one statement has said so. The cost of
 * a pass then goes by what happens in the cluster, not by its size. What belongs to no one host (networks, images, keys) matters here
 * only through an instance, so it is read with this host's own part, or when somebody's part speaks of what is not known yet.
 * Nothing rests on the memory alone: `fresh` reads it all again, which the agent does at every resync.
 */
import type { HostName } from '../model/ids.ts'
import type { Host, Instance, Nic, Tag } from '../model/records.ts'
import type { Snapshot } from '../plan/want.ts'
import type { ReadTx, Store } from '../store/store.ts'

/**
 * A change shows when its transaction is through, later than the time that is written in it, and nodes of a cluster have clocks of
 * their own: so far back each reading looks beyond the one before.
 */
const LOOK_BACK_MS = 10_000

export interface RecordsReader {
  /**
   * The newest snapshot; the very same object as last time when nothing changed. Other hosts' instances come without their user
   * data. Errors: as the store's `read`.
   */
  read(options: { readonly fresh: boolean }): Promise<Snapshot>
  /** This host wrote something that no generation tells of, the state of an instance: its part is read anew next time. */
  forgetOwn(): void
}

/** One host's part of the records. */
interface Part {
  readonly host: Host
  readonly instances: readonly Instance[]
  readonly nics: readonly Nic[]
  readonly tags: readonly Tag[]
}

type House = Omit<Snapshot, 'hosts' | 'instances' | 'nics' | 'tags'>

/** A reader for the agent of `self`. */
export function createRecordsReader(store: Store, self: HostName): RecordsReader {
  let parts = new Map<HostName, Part>()
  let known: Snapshot | null = null
  let readUntilMs = 0
  let ownIsOld = false

  return {
    forgetOwn() {
      ownIsOld = true
    },
    async read({ fresh }) {
      const before = fresh ? null : known
      const from = before === null ? 0 : readUntilMs - LOOK_BACK_MS
      const rereadsOwn = ownIsOld
      if (before !== null && !rereadsOwn) {
        const { hosts, nowMs } = await store.single((tx) => tx.changedHosts(from))
        if (!hosts.some(isNews)) {
          readUntilMs = Math.max(readUntilMs, nowMs)
          return before
        }
      }
      const reading = await store.read(async (tx) => {
        const { hosts, nowMs } = await tx.changedHosts(from)
        const changed = before === null ? hosts : hosts.filter(isNews)
        const own = rereadsOwn ? parts.get(self)?.host : undefined
        const isThere = changed.some(({ name }) => name === self)
        const some = own === undefined || isThere ? changed : [...changed, own]
        const read = await readParts(tx, some, before === null)
        const isEnough = before !== null && !read.has(self) && knowsAll(before, read)
        return { nowMs, read, house: isEnough ? before : await readHouse(tx, read.get(self)) }
      })
      readUntilMs = Math.max(readUntilMs, reading.nowMs)
      if (rereadsOwn) ownIsOld = false
      const merged = before === null ? new Map<HostName, Part>() : new Map(parts)
      for (const [name, part] of reading.read)
        merged.set(name, name === self ? part : withoutUserData(part))
      parts = merged
      known = snapshotOf(merged, reading.house)
      return known
    },
  }

  function isNews({ name, generation }: Host): boolean {
    return parts.get(name)?.host.generation !== generation
  }
}

/** Whether the parts speak of no network and no group but those that are known. */
function knowsAll({ vpcs, subnets, groups }: House, parts: ReadonlyMap<HostName, Part>): boolean {
  const ids = new Set<string>([...vpcs, ...subnets, ...groups].map(({ id }) => id))
  const nics = [...parts.values()].flatMap((part) => part.nics)
  return nics.every((nic) => [nic.vpc, nic.subnet, ...nic.groups].every((id) => ids.has(id)))
}

async function readParts(
  tx: ReadTx,
  hosts: readonly Host[],
  all: boolean,
): Promise<ReadonlyMap<HostName, Part>> {
  const names = hosts.map(({ name }) => name)
  const instances = (await tx.instances(all ? {} : { hosts: names })).filter(
    (one) => one.state !== 'terminated',
  )
  const ids = instances.map(({ id }) => id)
  const nics = await tx.nics(all ? {} : { instances: ids })
  const tags = await tx.tags(all ? {} : { resources: ids })
  const instancesOf = Map.groupBy(instances, (one) => one.host)
  const nicsOf = Map.groupBy(nics, (nic) => nic.instance)
  const tagsOf = Map.groupBy(tags, (tag) => tag.resource)
  return new Map(
    hosts.map((host) => {
      const own = instancesOf.get(host.name) ?? []
      const part = {
        host,
        instances: own,
        nics: own.flatMap(({ id }) => nicsOf.get(id) ?? []),
        tags: own.flatMap(({ id }) => tagsOf.get(id) ?? []),
      }
      return [host.name, part]
    }),
  )
}

/** What does not belong to any one host. Key pairs are those of the accounts that have instances here. */
async function readHouse(tx: ReadTx, own: Part | undefined): Promise<House> {
  const accounts = new Set(own?.instances.map(({ account }) => account))
  const keyPairs = await Promise.all([...accounts].map((account) => tx.keyPairs({ account })))
  return {
    vpcs: await tx.vpcs({}),
    subnets: await tx.subnets({}),
    groups: await tx.groups({}),
    images: await tx.images({}),
    types: await tx.instanceTypes(),
    keyPairs: keyPairs.flat(),
  }
}

function withoutUserData(part: Part): Part {
  return { ...part, instances: part.instances.map((one) => ({ ...one, userData: null })) }
}

function snapshotOf(parts: ReadonlyMap<HostName, Part>, house: House): Snapshot {
  const all = [...parts.values()]
  const { vpcs, subnets, groups, images, types, keyPairs } = house
  return {
    vpcs,
    subnets,
    groups,
    images,
    types,
    keyPairs,
    hosts: all.map(({ host }) => host).filter(({ state }) => state !== 'forgotten'),
    instances: all.flatMap(({ instances }) => instances),
    nics: all.flatMap(({ nics }) => nics),
    tags: all.flatMap(({ tags }) => tags),
  }
}
