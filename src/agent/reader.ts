/**
 * Reads the records that a want is made from, with as few statements as possible.
 *
 * Every write advances the generations of the scopes that it concerns, in its own transaction
 * (`store/scope.ts`). A reading asks in one statement which of this host's scopes have changed, and
 * reads only those again. A host holds:
 *
 * - its own part: its row, instances, NICs, volumes, tags, and the images and key pairs of these;
 * - of each VPC that it has instances in, and of the VPCs that are peered with these: the members
 *   on every host, with their groups and names, the groups themselves with their rules, and how
 *   packets leave it;
 * - of the whole cloud, because its services need all of them: the networks (every host has the
 *   gateways of all subnets, answers for the zones of all VPCs, masquerades only what leaves all of
 *   them, and fetches images from none of them), the other hosts (the fabric takes packets from no
 *   others, and what goes to all is paced by their number), and the instance types.
 *
 * So a change in a VPC costs a host without instances in it nothing. At every resync the agent
 * reads everything again (`fresh`), in case a generation was missed.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../lib/clock.ts'
import { unavailable } from '../model/errors.ts'
import { byId, type HostName, type InstanceId, type VpcId } from '../model/ids.ts'
import type { InstanceChange } from '../model/lifecycle.ts'
import type { ActivePeering } from '../model/peering.ts'
import type { InstanceType, PeerHost, Subnet, Vpc } from '../model/records.ts'
import type { HostWant } from '../model/want.ts'
import type { Snapshot } from '../plan/want.ts'
import { UNREADABLE_MAX } from '../store/records/rows.ts'
import type { Scope } from '../store/scope.ts'
import type { ReadTx, Store } from '../store/store.ts'
import { type OwnPart, readOwn } from './own-part.ts'
import {
  knowsGroups,
  listEntriesOf,
  membersIn,
  membersOf,
  readMembers,
  readVpcs,
  readWholeVpcs,
  sameParts,
  type VpcPart,
  withPeers,
} from './vpc-parts.ts'

/**
 * How far each reading goes back beyond the one before. A change becomes visible at its commit,
 * later than the time that is written in it, and the nodes of a cluster have different clocks.
 */
const LOOK_BACK_MS = 10_000

export interface RecordsReader {
  /**
   * The newest snapshot. When nothing changed it is the same object as last time, and a list that
   * did not change is the same list. Errors: as the store's `read`.
   */
  read(options: { readonly fresh: boolean }): Promise<Snapshot>
  /**
   * The time by the store's clock, in milliseconds since the epoch, extrapolated from its last
   * answer; null before the first.
   */
  storeMs(): number | null
  /** This host has written to its own part: what it wrote, or null if it must be read again. */
  wrote(write: OwnWrite | null): void
}

/**
 * What a host alone has changed in its own part of the records, so that it need not be read
 * (`docs/measured.md`, "Shortcuts").
 */
export interface OwnWrite {
  readonly changes: readonly { readonly instance: InstanceId; readonly to: InstanceChange }[]
  /** The host's generation after that. A new state alone does not advance it. */
  readonly generation: number
}

/** What every host reads of the whole cloud. */
interface Cloud {
  readonly hosts: ReadonlyMap<HostName, PeerHost>
  readonly vpcs: readonly Vpc[]
  readonly subnets: readonly Subnet[]
  readonly peerings: readonly ActivePeering[]
  readonly types: readonly InstanceType[]
}

interface Known {
  readonly own: OwnPart
  readonly cloud: Cloud
  readonly vpcs: ReadonlyMap<VpcId, VpcPart>
  /** The last generation of each scope, by `keyOf`. */
  readonly generations: ReadonlyMap<string, number>
  readonly snapshot: Snapshot
}

/** What has changed since the reading before. */
interface Changes {
  readonly isOwn: boolean
  readonly scopes: readonly Scope[]
  /** Hosts whose part an older daemon changed. It knows no scopes, so anything may have changed. */
  readonly older: readonly PeerHost[]
  readonly generations: ReadonlyMap<string, number>
  /** This host's row; undefined when there is none. */
  readonly self: PeerHost | undefined
  readonly nowMs: number
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
  let isOwnOutdated = false

  /**
   * The cheap reading, in one or two statements: it suffices when nothing has changed, or only
   * members of VPCs on other hosts. Returns null if more has changed.
   */
  async function readMembersOnly(before: Known): Promise<Known | null> {
    const fromMs = readUntilMs - LOOK_BACK_MS
    const { changes, isWhole } = await store.single(async (tx) => {
      const changes = await findChanges(tx, self, before, fromMs)
      return { changes, isWhole: tx.unreadable().length === 0 }
    })
    if (!isWhole || changes.isOwn || changes.older.length > 0) return null
    if (changes.scopes.length > 0) {
      const changed = membersIn(changes.scopes)
      if (changed.length < changes.scopes.length) return null
      // This may read newer members than the generation says. Then they are read once more.
      const vpcs = await store.single(async (tx) => {
        const read = await readMembers(tx, before.vpcs, changed)
        return tx.unreadable().length === 0 ? read : null
      })
      // Unreadable rows are reported by a complete reading.
      if (vpcs === null || before.snapshot.unreadable.length > 0 || !knowsGroups(vpcs)) return null
      readUntilMs = changes.nowMs
      return knownFrom({ ...before, vpcs, generations: changes.generations }, before, [])
    }
    readUntilMs = changes.nowMs
    return before
  }

  /**
   * The complete reading of everything that has changed. It uses one snapshot, because an instance
   * without its NIC would be worse than none.
   */
  async function readChanges(before: Known | null): Promise<Known> {
    const rereadsOwn = isOwnOutdated
    const { nowMs, now } = await store.read(async (tx) => {
      const fromMs = before === null ? 0 : readUntilMs - LOOK_BACK_MS
      const changes = await findChanges(tx, self, before, fromMs)
      if (tx.unreadable().some(({ host }) => host === self))
        throw unavailable(`The row of host "${self}" in the records cannot be read.`)
      const read = await readChanged(tx, self, before, {
        ...changes,
        isOwn: changes.isOwn || rereadsOwn,
      })
      return { nowMs: changes.nowMs, now: knownFrom(read, before, unreadableIn(tx)) }
    })
    // A row that was left out before may be in a part that was not read again.
    const wasWhole = before === null || before.snapshot.unreadable.length === 0
    if (before !== null && (!wasWhole || now.snapshot.unreadable.length > 0))
      return await readChanges(null)
    // Not the maximum of both times: the store's clock may have been set back.
    readUntilMs = nowMs
    if (rereadsOwn) isOwnOutdated = false
    return now
  }

  return {
    storeMs: () => (known === null ? null : readUntilMs + clock.monotonic() - readAtMs),
    wrote(write) {
      if (write === null || known === null) isOwnOutdated = true
      else known = withOwnWrite(known, self, write)
    },
    async read({ fresh }) {
      const before = fresh ? null : known
      const beganMs = clock.monotonic()
      const isCheap = before !== null && !isOwnOutdated
      known = (isCheap ? await readMembersOnly(before) : null) ?? (await readChanges(before))
      readAtMs = beganMs
      return known.snapshot
    },
  }
}

/**
 * Unreadable rows of instances that this host had. They are missing from its part of the records,
 * because the column that names their host, or the whole row, cannot be read.
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
    return unreadableIn(tx)
  })
}

/**
 * The unreadable rows of a reading. Errors: `unavailable` when there may be more than are listed,
 * because what is missing from the list would be taken for deleted.
 */
function unreadableIn(tx: Pick<ReadTx, 'unreadable'>): Snapshot['unreadable'] {
  const unreadable = [...tx.unreadable()]
  if (unreadable.length >= UNREADABLE_MAX)
    throw unavailable(`${UNREADABLE_MAX} rows of the records, or more, cannot be read.`)
  return unreadable
}

/**
 * What has changed of everything that this host holds, in one statement. Before the first reading
 * that is everything.
 */
async function findChanges(
  tx: Pick<ReadTx, 'changedScopes'>,
  self: HostName,
  before: Known | null,
  fromMs: number,
): Promise<Changes> {
  const vpcs = [...(before?.vpcs.keys() ?? [])]
  const found = await tx.changedScopes(fromMs, { host: self, vpcs })
  const { own, nowMs } = found
  const known = before?.generations ?? new Map<string, number>()
  const others = new Map<string, number>()
  const isNew = (key: string, generation: number): boolean => {
    if (known.get(key) === generation) return false
    others.set(key, generation)
    return true
  }
  const scopes = found.scopes.flatMap(({ scope, generation }) =>
    isNew(keyOf(scope), generation) ? scope : [],
  )
  const older = found.older.filter(({ name, generation }) => isNew(`older ${name}`, generation))
  const isOwn = before === null || before.cloud.hosts.get(self)?.generation !== own?.generation
  // There is one of each host of the cloud: they are copied only when one is another.
  const generations = others.size === 0 ? known : new Map([...known, ...others])
  return { isOwn, scopes, older, generations, self: own, nowMs }
}

function keyOf(scope: Scope): string {
  if (scope.kind === 'vpc') return `vpc ${scope.vpc} ${scope.host ?? ''}`
  if (scope.kind === 'all') return `all ${scope.host ?? ''}`
  return scope.kind === 'host' ? `host ${scope.host}` : `account ${scope.account}`
}

/** Reads everything that has changed; the rest stays as it was. */
async function readChanged(
  tx: ReadTx,
  self: HostName,
  before: Known | null,
  changes: Changes,
): Promise<Omit<Known, 'snapshot'>> {
  const cloud = await readCloud(tx, self, before?.cloud ?? null, changes)
  const generations = new Map(changes.generations)
  const isPeered = cloud.peerings !== before?.cloud.peerings
  if (!changes.isOwn && before !== null && !isPeered) {
    const vpcs = await readVpcs(tx, before.vpcs, changes)
    return { own: before.own, cloud, vpcs, generations }
  }
  const own = changes.isOwn || before === null ? await readOwn(tx, self) : before.own
  const nics = Map.groupBy(await tx.placedNics({ hosts: [self] }), ({ vpc }) => vpc)
  const wanted = withPeers([...nics.keys(), ...(own.moves?.vpcs ?? [])], cloud)
  const held = new Map<VpcId, VpcPart>()
  for (const [vpc, part] of before?.vpcs ?? []) if (wanted.has(vpc)) held.set(vpc, part)
  for (const key of generations.keys()) {
    const vpc = /^vpc (\S+) /.exec(key)?.[1]
    if (vpc !== undefined && !wanted.has(vpc as VpcId)) generations.delete(key)
  }
  const added = [...wanted].filter((vpc) => !held.has(vpc))
  const read = new Map(await readVpcs(tx, held, changes))
  if (added.length > 0) {
    const { scopes } = await tx.changedScopes(0, { host: self, vpcs: added, all: false })
    for (const { scope, generation } of scopes) generations.set(keyOf(scope), generation)
    for (const [vpc, part] of await readWholeVpcs(tx, added)) read.set(vpc, part)
  }
  for (const [vpc, own] of nics) {
    const part = read.get(vpc)
    // Most steps of an instance do not change its NIC.
    if (part === undefined || isDeepStrictEqual(part.members.get(self), own)) continue
    read.set(vpc, { ...part, members: new Map(part.members).set(self, own) })
  }
  return { own, cloud, vpcs: read, generations }
}

async function readCloud(
  tx: ReadTx,
  self: HostName,
  before: Cloud | null,
  { scopes, older, self: own }: Changes,
): Promise<Cloud> {
  const isFirst = before === null
  const names = scopes.flatMap((scope) => (scope.kind === 'all' ? (scope.host ?? []) : []))
  const hosts = new Map(before?.hosts)
  const changed = isFirst || names.length > 0 ? await tx.peerHosts(isFirst ? undefined : names) : []
  for (const host of [...older, ...changed]) hosts.set(host.name, host)
  if (own === undefined) hosts.delete(self)
  else hosts.set(self, own)
  if (!isFirst && !scopes.some((scope) => scope.kind === 'all' && scope.host === undefined))
    return { ...before, hosts }
  return {
    hosts,
    vpcs: await tx.vpcs({}),
    subnets: await tx.subnets({}),
    peerings: await readPeerings(tx, before?.peerings),
    types: await tx.instanceTypes(),
  }
}

/** The same list when it is the same. */
async function readPeerings(
  tx: ReadTx,
  before: readonly ActivePeering[] | undefined,
): Promise<readonly ActivePeering[]> {
  const now = await tx.activePeerings()
  return before !== undefined && isDeepStrictEqual(before, now) ? before : now
}

/** The state after this host's own write. */
function withOwnWrite(known: Known, self: HostName, { changes, generation }: OwnWrite): Known {
  const byId = new Map(known.own.instances.map((one) => [one.id, one]))
  for (const { instance, to } of changes) {
    const one = byId.get(instance)
    if (one !== undefined) byId.set(instance, { ...one, ...to })
  }
  const own = { ...known.own, instances: [...byId.values()] }
  const host = known.cloud.hosts.get(self)
  const hosts = new Map(known.cloud.hosts)
  if (host !== undefined) hosts.set(self, { ...host, generation })
  return knownFrom({ ...known, own, cloud: { ...known.cloud, hosts } }, known, [])
}

/** Adds the snapshot. A list whose content did not change is the same list as before. */
function knownFrom(
  read: Omit<Known, 'snapshot'>,
  before: Known | null,
  unreadable: Snapshot['unreadable'],
): Known {
  const { own, cloud, vpcs } = read
  const isSame = before !== null && sameParts(before.vpcs, vpcs)
  const parts = [...vpcs.values()]
  const snapshot: Snapshot = {
    ...own,
    hosts: [...cloud.hosts.values()].filter(({ state }) => state !== 'forgotten'),
    vpcs: cloud.vpcs,
    subnets: cloud.subnets,
    peerings: cloud.peerings,
    types: cloud.types,
    groups: isSame ? before.snapshot.groups : byId(parts.flatMap(({ groups }) => groups)),
    groupRules: isSame
      ? before.snapshot.groupRules
      : byId(parts.flatMap(({ groupRules }) => groupRules)),
    prefixListEntries: isSame ? before.snapshot.prefixListEntries : listEntriesOf(parts),
    vpcDns: isSame ? before.snapshot.vpcDns : parts.flatMap(({ dns }) => dns),
    routing: isSame ? before.snapshot.routing : parts.flatMap(({ routing }) => routing),
    flowLogs: isSame ? before.snapshot.flowLogs : parts.flatMap(({ flowLogs }) => flowLogs),
    nics: isSame ? before.snapshot.nics : membersOf(parts),
    unreadable,
  }
  return { ...read, snapshot }
}
