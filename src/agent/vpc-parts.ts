/**
 * Reads what a host keeps of the VPCs that it has instances in: their groups, how they resolve
 * names, how packets leave them, their flow logs, and their members.
 */
import type { VpcDns } from '../model/dhcp-options.ts'
import type { FlowLog } from '../model/flow-log.ts'
import { byId, type HostName, type VpcId } from '../model/ids.ts'
import { peersOfVpc } from '../model/peering.ts'
import type { PrefixListEntry } from '../model/prefix-list.ts'
import type { Group, GroupRule, PeerHost, PlacedNic } from '../model/records.ts'
import type { VpcRouting } from '../model/vpc-routing.ts'
import { namedLists } from '../plan/prefix-lists.ts'
import type { Snapshot } from '../plan/want.ts'
import { readRouting } from '../store/routing.ts'
import type { Scope } from '../store/scope.ts'
import type { ReadTx } from '../store/store.ts'

/** What is known of one VPC. */
export interface VpcPart {
  readonly groups: readonly Group[]
  readonly groupRules: readonly GroupRule[]
  /** Of the prefix lists that those rules name. */
  readonly listEntries: readonly PrefixListEntry[]
  readonly dns: readonly VpcDns[]
  readonly routing: readonly VpcRouting[]
  readonly flowLogs: readonly FlowLog[]
  /** NICs by their host. */
  readonly members: ReadonlyMap<HostName, readonly PlacedNic[]>
}

/** Changes that may concern VPCs. */
interface VpcChanges {
  readonly scopes: readonly Scope[]
  /** Hosts whose part an older daemon changed. It knows no scopes, so anything may have changed. */
  readonly older: readonly PeerHost[]
}

/**
 * The VPCs that the host has instances in, or gets running ones of, and those that are peered with
 * them.
 */
export function heldVpcs(
  host: HostName,
  { nics, peerings, moves }: Pick<Snapshot, 'nics' | 'peerings' | 'moves'>,
): readonly VpcId[] {
  const own = nics.flatMap((nic) => (nic.host === host ? nic.vpc : []))
  return [...withPeers([...own, ...(moves?.vpcs ?? [])], { peerings })]
}

/** These VPCs, and those that are peered with them. */
export function withPeers(
  vpcs: readonly VpcId[],
  { peerings }: Pick<Snapshot, 'peerings'>,
): ReadonlySet<VpcId> {
  return new Set([...vpcs, ...vpcs.flatMap((vpc) => peersOfVpc(vpc, peerings))])
}

/** The number of all hosts, or of those with instances in a VPC. */
export function hostsIn(
  { hosts, nics }: Pick<Snapshot, 'hosts' | 'nics'>,
  vpc: VpcId | undefined,
): number {
  if (vpc === undefined) return hosts.length
  return new Set(nics.flatMap((nic) => (nic.vpc === vpc ? nic.host : []))).size
}

/** The members of a VPC on one host, which have changed. */
interface MembersChange {
  readonly vpc: VpcId
  readonly host: HostName
}

/** The scopes that are about members of a VPC on one host. */
export function membersIn(scopes: readonly Scope[]): readonly MembersChange[] {
  return scopes.flatMap((scope) =>
    scope.kind === 'vpc' && scope.host !== undefined ? { vpc: scope.vpc, host: scope.host } : [],
  )
}

/** The known VPCs, with what has changed read again. */
export async function readVpcs(
  tx: ReadTx,
  before: ReadonlyMap<VpcId, VpcPart>,
  { scopes, older }: VpcChanges,
): Promise<ReadonlyMap<VpcId, VpcPart>> {
  const ids = scopes.flatMap((scope) =>
    scope.kind === 'vpc' && scope.host === undefined && before.has(scope.vpc) ? scope.vpc : [],
  )
  const ofOlder = older.flatMap(({ name: host }) =>
    [...before.keys()].map((vpc) => ({ vpc, host })),
  )
  const changes = [...membersIn(scopes), ...ofOlder].filter(({ vpc }) => before.has(vpc))
  const vpcs = changes.length === 0 ? before : await readMembers(tx, before, changes)
  return ids.length === 0 ? vpcs : await withSettings(tx, vpcs, ids)
}

async function withSettings(
  tx: ReadTx,
  vpcs: ReadonlyMap<VpcId, VpcPart>,
  ids: readonly VpcId[],
): Promise<ReadonlyMap<VpcId, VpcPart>> {
  const groupsOf = Map.groupBy(await tx.groups({ vpcs: ids }), ({ vpc }) => vpc)
  const rules = await tx.groupRules({ vpcs: ids })
  const rulesOf = Map.groupBy(rules, ({ vpc }) => vpc)
  const entries = await tx.prefixListEntries({ lists: namedLists(rules) })
  const entriesOf = Map.groupBy(entries, ({ list }) => list)
  const dnsOf = Map.groupBy(await tx.vpcDns(ids), ({ vpc }) => vpc)
  const routingOf = Map.groupBy(await readRouting(tx, ids), ({ vpc }) => vpc)
  const logsOf = Map.groupBy(await tx.flowLogsIn(ids), ({ vpc }) => vpc)
  const read = new Map(vpcs)
  for (const id of ids) {
    const { members = new Map() } = read.get(id) ?? {}
    const groupRules = rulesOf.get(id) ?? []
    read.set(id, {
      members,
      groups: groupsOf.get(id) ?? [],
      groupRules,
      listEntries: namedLists(groupRules).flatMap((list) => entriesOf.get(list) ?? []),
      dns: dnsOf.get(id) ?? [],
      routing: routingOf.get(id) ?? [],
      flowLogs: logsOf.get(id) ?? [],
    })
  }
  return read
}

/** Everything about these VPCs. */
export async function readWholeVpcs(
  tx: ReadTx,
  ids: readonly VpcId[],
): Promise<ReadonlyMap<VpcId, VpcPart>> {
  const nics = Map.groupBy(await tx.placedNics({ vpcs: ids }), ({ vpc }) => vpc)
  const parts = new Map(
    ids.map((id) => {
      const members = Map.groupBy(nics.get(id) ?? [], ({ host }) => host)
      const none = { groups: [], groupRules: [], listEntries: [], dns: [], routing: [] }
      return [id, { ...none, flowLogs: [], members }]
    }),
  )
  return await withSettings(tx, parts, ids)
}

/** The VPCs with the members on some hosts read again, in one statement. */
export async function readMembers(
  tx: Pick<ReadTx, 'placedNics'>,
  before: ReadonlyMap<VpcId, VpcPart>,
  changes: readonly MembersChange[],
): Promise<ReadonlyMap<VpcId, VpcPart>> {
  const vpcs = [...new Set(changes.map(({ vpc }) => vpc))]
  const hosts = [...new Set(changes.map(({ host }) => host))]
  const found = await tx.placedNics({ vpcs, hosts })
  const nics = Map.groupBy(found, ({ vpc }) => vpc)
  const ids = new Set(found.map(({ id }) => id))
  const read = new Map(before)
  for (const vpc of vpcs) {
    const part = before.get(vpc)
    if (part === undefined) continue
    const nicsOf = Map.groupBy(nics.get(vpc) ?? [], ({ host }) => host)
    const members = new Map<HostName, readonly PlacedNic[]>()
    // The new reading counts: an instance that has just moved is on its new host only.
    for (const [host, on] of part.members)
      members.set(host, on.some(({ id }) => ids.has(id)) ? on.filter(({ id }) => !ids.has(id)) : on)
    for (const host of hosts) {
      const on = nicsOf.get(host)
      if (on === undefined) members.delete(host)
      else members.set(host, on)
    }
    read.set(vpc, { ...part, members })
  }
  return read
}

/** Whether every group of the members is known. A new group is read with its first member. */
export function knowsGroups(vpcs: ReadonlyMap<VpcId, VpcPart>): boolean {
  return [...vpcs.values()].every(({ groups, members }) => {
    const ids = new Set(groups.map(({ id }) => id))
    return [...members.values()].flat().every((nic) => nic.groups.every((id) => ids.has(id)))
  })
}

/** Whether both maps hold the same objects. */
export function sameParts(
  before: ReadonlyMap<VpcId, VpcPart>,
  now: ReadonlyMap<VpcId, VpcPart>,
): boolean {
  return now.size === before.size && [...now].every(([vpc, part]) => before.get(vpc) === part)
}

/** The entries of all lists that rules name, each once. */
export function listEntriesOf(parts: readonly VpcPart[]): readonly PrefixListEntry[] {
  const entries = parts.flatMap(({ listEntries }) => listEntries)
  return [...new Map(entries.map((one) => [`${one.list} ${one.cidr}`, one])).values()]
}

/** All members, by id. */
export function membersOf(parts: readonly VpcPart[]): readonly PlacedNic[] {
  return byId(parts.flatMap(({ members }) => [...members.values()].flat()))
}
