/**
 * An instance with everything that a response shows of it, joined from the records of one
 * transaction.
 */
import type { AccountId, GroupId, InstanceId } from '../../model/ids.ts'
import type {
  Address,
  Group,
  Host,
  Image,
  Instance,
  InstanceType,
  Nic,
  Tag,
  Volume,
} from '../../model/records.ts'
import type { ReadTx } from '../../store/store.ts'

export interface InstanceDetails {
  readonly instance: Instance
  /** By `deviceIndex`. Empty once it is terminated. */
  readonly nics: readonly Nic[]
  /** Floating IPs that lead to them. */
  readonly addresses: readonly Address[]
  /** Its own and its NICs'. */
  readonly tags: readonly Tag[]
  readonly groups: ReadonlyMap<GroupId, Group>
  /** Undefined when the host is no longer known. */
  readonly host: Host | undefined
  /** Undefined when the image was deregistered since. */
  readonly image: Image | undefined
  readonly type: InstanceType | undefined
  /**
   * Its disks. Empty if its root is not a volume, and for instances that an older daemon launched
   * or ended.
   */
  readonly volumes: readonly Volume[]
}

/** The account's instances with these ids, in this order. Unknown ids are left out. */
export async function instanceDetails(
  tx: ReadTx,
  account: AccountId,
  ids: readonly InstanceId[],
): Promise<readonly InstanceDetails[]> {
  const found = byKey(await tx.instances({ account, ids }), ({ id }) => id)
  const instances = ids.flatMap((id) => found.get(id) ?? [])
  if (instances.length === 0) return []
  const nics = await tx.nics({ account, instances: ids })
  const addresses = await tx.addresses({ nics: nics.map(({ id }) => id) })
  const addressesOf = Map.groupBy(addresses, ({ association }) => association?.nic)
  const resources = [...ids, ...nics.map(({ id }) => id)]
  const tags = await tx.tags({ account, resources })
  const alive = instances.filter(({ state }) => state !== 'terminated')
  const volumes = await tx.volumes({ account, instances: alive.map(({ id }) => id) })
  const volumesOf = Map.groupBy(volumes, (volume) => volume.instance)
  const nicsOf = Map.groupBy(nics, (nic) => nic.instance)
  const tagsOf = Map.groupBy(tags, (tag) => tag.resource)
  const allTags = (id: string, own: readonly Nic[]) =>
    [id, ...own.map((nic) => nic.id)].flatMap((resource) => tagsOf.get(resource) ?? [])
  const groupIds = distinct(nics.flatMap((nic) => nic.groups))
  const groups = byKey(await tx.groups({ account, ids: groupIds }), (group) => group.id)
  const names = distinct(instances.map(({ host }) => host))
  const hosts = byKey(await tx.hosts(names), (host) => host.name)
  const imageIds = distinct(instances.map(({ image }) => image))
  const images = byKey(await tx.images({ ids: imageIds }), (image) => image.id)
  const types = byKey(await tx.instanceTypes(), (type) => type.name)
  return instances.map((instance) => ({
    instance,
    nics: (nicsOf.get(instance.id) ?? []).toSorted((a, b) => a.deviceIndex - b.deviceIndex),
    addresses: (nicsOf.get(instance.id) ?? []).flatMap(({ id }) => addressesOf.get(id) ?? []),
    tags: allTags(instance.id, nicsOf.get(instance.id) ?? []),
    groups,
    host: hosts.get(instance.host),
    image: images.get(instance.image),
    type: types.get(instance.type),
    volumes: volumesOf.get(instance.id) ?? [],
  }))
}

function distinct<T>(items: readonly T[]): readonly T[] {
  return [...new Set(items)]
}

function byKey<T, K>(items: readonly T[], key: (item: T) => K): ReadonlyMap<K, T> {
  return new Map(items.map((item) => [key(item), item]))
}
