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

/** The account's instances, or those with the given ids. Unknown ids are left out. */
export async function instanceDetails(
  tx: ReadTx,
  account: AccountId,
  ids?: readonly InstanceId[],
): Promise<readonly InstanceDetails[]> {
  const instances = await tx.instances(ids === undefined ? { account } : { account, ids })
  if (instances.length === 0) return []
  const nics = await tx.nics(ids === undefined ? { account } : { account, instances: ids })
  const addresses = await tx.addresses(
    ids === undefined ? { account } : { nics: nics.map(({ id }) => id) },
  )
  const addressesOf = Map.groupBy(addresses, ({ association }) => association?.nic)
  const resources = [...(ids ?? []), ...nics.map(({ id }) => id)]
  const tags = await tx.tags(ids === undefined ? { account } : { account, resources })
  const volumes = await tx.volumes(ids === undefined ? { account } : { account, instances: ids })
  const volumesOf = Map.groupBy(volumes, (volume) => volume.instance)
  const nicsOf = Map.groupBy(nics, (nic) => nic.instance)
  const tagsOf = Map.groupBy(tags, (tag) => tag.resource)
  const allTags = (id: string, own: readonly Nic[]) =>
    [id, ...own.map((nic) => nic.id)].flatMap((resource) => tagsOf.get(resource) ?? [])
  const groups = byKey(await tx.groups({ account }), (group) => group.id)
  const hosts = byKey(await tx.hosts(), (host) => host.name)
  const images = byKey(await imagesOf(tx, account, instances), (image) => image.id)
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
    volumes: instance.state === 'terminated' ? [] : (volumesOf.get(instance.id) ?? []),
  }))
}

/** The account's images, and others that its instances were launched from. */
async function imagesOf(
  tx: ReadTx,
  account: AccountId,
  instances: readonly Instance[],
): Promise<readonly Image[]> {
  const own = await tx.images({ account })
  const known = new Set(own.map(({ id }) => id))
  const others = [...new Set(instances.map(({ image }) => image))].filter((id) => !known.has(id))
  return others.length === 0 ? own : [...own, ...(await tx.images({ ids: others }))]
}

function byKey<T, K>(items: readonly T[], key: (item: T) => K): ReadonlyMap<K, T> {
  return new Map(items.map((item) => [key(item), item]))
}
