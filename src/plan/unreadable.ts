/**
 * Records that cannot be read, as a host sees them: there, and not known. Pure.
 *
 * A row that became unreadable is no order. An instance that any of its rows is missing for keeps
 * the want that it had, addresses and rules included; networks, hosts and other hosts' instances
 * stay as they were known. What was never known is not begun, and not removed either.
 */
import { type Ipv4, ipv4ToNumber } from '../model/addr.ts'
import type { HostName } from '../model/ids.ts'
import type { Instance, UnreadableRow } from '../model/records.ts'
import type { HostWant, InstanceWant, SharedWant, UnreadableInstances } from '../model/want.ts'

/**
 * Tables without which an instance's want would be another one, and what an instance calls its row
 * there.
 */
const NEEDED: Readonly<Record<string, 'image' | 'type'>> = {
  images: 'image',
  instanceTypes: 'type',
}
/**
 * Tables whose rows belong to an instance; a missing tag or key changes nothing that could harm it.
 */
const PARTS: ReadonlySet<string> = new Set(['instances', 'nics', 'placedNics', 'volumes'])

/** Tells whether anything that an instance's want is made of cannot be read. */
export function unreadablePart(
  rows: readonly UnreadableRow[],
): (instance: Pick<Instance, 'id' | 'image' | 'type'>) => boolean {
  if (rows.length === 0) return () => false
  const instances = new Set(
    rows.flatMap(({ table, instance }) => (PARTS.has(table) && instance !== null ? instance : [])),
  )
  const needed = new Set(
    rows.flatMap(({ table, key }) => (table in NEEDED ? `${NEEDED[table]} ${key}` : [])),
  )
  return ({ id, image, type }) =>
    instances.has(id) || needed.has(`image ${image}`) || needed.has(`type ${type}`)
}

/** The host's instances that cannot be read. */
export function unreadableInstances(
  host: HostName,
  records: {
    readonly instances: readonly Instance[]
    readonly unreadable: readonly UnreadableRow[]
  },
  lacks: (instance: Instance) => boolean,
): UnreadableInstances {
  const rows = records.unreadable.filter(({ table }) => table === 'instances')
  const own = records.instances.filter((one) => one.host === host && lacks(one))
  const ids = [...rows.flatMap(({ instance }) => instance ?? []), ...own.map(({ id }) => id)]
  return {
    ids: [...new Set(ids)].sort(),
    any: rows.some(({ instance }) => instance === null),
  }
}

/** What was read, with what is known of the rest. */
export function withUnreadable(
  read: HostWant,
  rows: readonly UnreadableRow[],
  known: HostWant | null,
): HostWant {
  if (known === null || known.local.host !== read.local.host) return read
  const { ids, any } = read.local.unreadable
  const isThere = new Set(read.local.instances.map(({ id }) => id))
  const isMissing = new Set(ids)
  const kept = known.local.instances.filter(
    ({ id }) => !isThere.has(id) && (any || isMissing.has(id)),
  )
  const keptIds = new Set(kept.map(({ id }) => id))
  return {
    local: {
      ...read.local,
      instances: [...read.local.instances, ...kept].sort((a, b) => (a.id < b.id ? -1 : 1)),
      unreadable: { ids: ids.filter((id) => !keptIds.has(id)), any },
    },
    shared: withKnownShared(read.shared, rows, known.shared, kept),
  }
}

function withKnownShared(
  read: SharedWant,
  rows: readonly UnreadableRow[],
  known: SharedWant,
  kept: readonly InstanceWant[],
): SharedWant {
  const keysOf = (table: string) =>
    new Set(rows.flatMap((row) => (row.table === table ? row.key : [])))
  const lostHosts = keysOf('peers')
  const hosts = new Set(read.peers.map(({ host }) => host))
  const peers = known.peers.filter(({ host }) => lostHosts.has(host) && !hosts.has(host))
  const lost = addressesOf(rows, known, peers, kept)
  // An address that a readable record has now is that record's.
  for (const { ip } of read.routes) lost.delete(ip)
  const groups = new Map(read.groups.map((group) => [group.id, group.members]))
  for (const { id, members } of known.groups) {
    if (!members.some((ip) => lost.has(ip))) continue
    const now = new Set(groups.get(id))
    // In the order that was known: what changed nothing is to look the same.
    const still = members.filter((ip) => now.has(ip) || lost.has(ip))
    groups.set(id, [...new Set([...still, ...now])])
  }
  const named = new Set(read.names.map(({ name, ip }) => `${name} ${ip}`))
  return {
    subnets: [...read.subnets, ...lostOf(read.subnets, known.subnets, keysOf('subnets'))],
    vpcs: [...read.vpcs, ...lostOf(read.vpcs, known.vpcs, keysOf('vpcs'))],
    groups: [...groups].map(([id, members]) => ({ id, members })),
    names: [
      ...read.names,
      ...known.names.filter(({ name, ip }) => lost.has(ip) && !named.has(`${name} ${ip}`)),
    ],
    peers: [...read.peers, ...peers].sort((a, b) => (a.host < b.host ? -1 : 1)),
    routes: [...read.routes, ...known.routes.filter(({ ip }) => lost.has(ip))].sort(
      (a, b) => ipv4ToNumber(a.ip) - ipv4ToNumber(b.ip),
    ),
  }
}

/**
 * The addresses of instances that cannot be read: this host's, those of hosts that cannot be read,
 * and single ones.
 */
function addressesOf(
  rows: readonly UnreadableRow[],
  known: SharedWant,
  peers: SharedWant['peers'],
  kept: readonly InstanceWant[],
): Set<Ipv4> {
  const via = new Set(peers.map(({ address }) => address))
  return new Set([
    ...kept.flatMap(({ nics }) => nics.map(({ ip }) => ip)),
    ...known.routes.flatMap((route) => (via.has(route.via) ? route.ip : [])),
    ...rows.flatMap(({ table, ip }) => (table === 'placedNics' && ip !== null ? ip : [])),
  ])
}

function lostOf<Item extends { readonly id: string }>(
  read: readonly Item[],
  known: readonly Item[],
  lost: ReadonlySet<string>,
): readonly Item[] {
  const there = new Set(read.map(({ id }) => id))
  return known.filter(({ id }) => lost.has(id) && !there.has(id))
}
