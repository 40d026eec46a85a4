/**
 * What the agent reads: the records that a want is made from, as cheaply as the truth allows.
 *
 * Every write advances the generations of what it concerns in its own transaction
 * (`store/scope.ts`). A reading asks which of those that this host holds have changed, in one
 * statement, and reads these again and nothing else. A host holds:
 *
 * - its own part: its row, instances, NICs, volumes, tags, and the images and key pairs of these;
 * - of each VPC that it has instances in: the members on every host, with their groups and names,
 *   and the groups themselves;
 * - of the whole cloud, because its services need all of them: the networks (every host has the
 *   gateways of all subnets, answers for the zones of all VPCs, masquerades only what leaves all of
 *   them, and fetches images from none of them), the other hosts (the fabric takes packets from no
 *   others, and what goes to all is paced by their number), and the instance types.
 *
 * So what happens in a VPC costs a host without instances in it nothing. Nothing rests on the
 * memory alone: `fresh` reads it all again, which the agent does at every resync.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../lib/clock.ts'
import { unavailable } from '../model/errors.ts'
import type { HostName, InstanceId, VpcId } from '../model/ids.ts'
import type { InstanceChange } from '../model/lifecycle.ts'
import type { InstanceType, PeerHost, Subnet, Vpc } from '../model/records.ts'
import type { HostWant } from '../model/want.ts'
import type { Snapshot } from '../plan/want.ts'
import type { Scope } from '../store/scope.ts'
import type { ReadTx, Store } from '../store/store.ts'
import {
  byId,
  knowsGroups,
  membersIn,
  membersOf,
  readMembers,
  readVpcs,
  readWholeVpcs,
  sameParts,
  type VpcPart,
} from './vpc-parts.ts'

/**
 * A change shows when its transaction is through, later than the time that is written in it, and
 * nodes of a cluster have clocks of their own: so far back each reading looks beyond the one
 * before.
 */
const LOOK_BACK_MS = 10_000

export interface RecordsReader {
  /**
   * The newest snapshot, or the last one when it was read within `youngMs` (0 unless told); the
   * very same object as last time when nothing changed, and with the same lists where these did
   * not. Errors: as the store's `read`.
   */
  read(options: { readonly fresh: boolean; readonly youngMs?: number }): Promise<Snapshot>
  /**
   * What the store's clock shows by now, in milliseconds since the epoch, by its last answer; null
   * before the first.
   */
  storeMs(): number | null
  /** This host wrote to its own part: what, or null when only reading it anew can tell. */
  wrote(write: OwnWrite | null): void
}

/**
 * What a host wrote to its own part of the records, and nobody else at the same time: so it need
 * not be read.
 */
export interface OwnWrite {
  readonly changes: readonly { readonly instance: InstanceId; readonly to: InstanceChange }[]
  /** The host's own, after that; a state alone advances none. */
  readonly generation: number
}

/** What only its own host need know of an instance. */
type Own = Pick<Snapshot, 'instances' | 'tags' | 'volumes' | 'images' | 'keyPairs'>

/** What all hosts share. */
interface Cloud {
  readonly hosts: ReadonlyMap<HostName, PeerHost>
  readonly vpcs: readonly Vpc[]
  readonly subnets: readonly Subnet[]
  readonly types: readonly InstanceType[]
}

interface Known {
  readonly own: Own
  readonly cloud: Cloud
  readonly vpcs: ReadonlyMap<VpcId, VpcPart>
  /** The generation that was read of each scope, by `keyOf`. */
  readonly generations: ReadonlyMap<string, number>
  readonly snapshot: Snapshot
}

/** What has changed. */
interface News {
  readonly isOwn: boolean
  readonly scopes: readonly Scope[]
  /** Hosts that a daemon changed which knows no scopes: it may be anything of theirs. */
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
  let ownIsOld = false

  /**
   * What is known now, when nothing but members of VPCs on other hosts has changed, in one or two
   * statements; else null.
   */
  async function readOn(before: Known): Promise<Known | null> {
    const fromMs = readUntilMs - LOOK_BACK_MS
    const { news, isWhole } = await store.single(async (tx) => {
      const news = await readNews(tx, self, before, fromMs)
      return { news, isWhole: tx.unreadable().length === 0 }
    })
    if (!isWhole || news.isOwn || news.older.length > 0) return null
    if (news.scopes.length > 0) {
      const changed = membersIn(news.scopes)
      if (changed.length < news.scopes.length) return null
      // What is read now may be newer than the generation that it goes by: then it is read once
      // more.
      const vpcs = await store.single(async (tx) => {
        const read = await readMembers(tx, before.vpcs, changed)
        return tx.unreadable().length === 0 ? read : null
      })
      // What cannot be read is told of in a snapshot that is read as a whole.
      if (vpcs === null || before.snapshot.unreadable.length > 0 || !knowsGroups(vpcs)) return null
      readUntilMs = news.nowMs
      return knownFrom({ ...before, vpcs, generations: news.generations }, before, [])
    }
    readUntilMs = news.nowMs
    return before
  }

  /** What is known now, from one snapshot: an instance without its NIC would be worse than none. */
  async function readAnew(before: Known | null): Promise<Known> {
    const rereadsOwn = ownIsOld
    const { nowMs, now } = await store.read(async (tx) => {
      const fromMs = before === null ? 0 : readUntilMs - LOOK_BACK_MS
      const news = await readNews(tx, self, before, fromMs)
      if (tx.unreadable().some(({ host }) => host === self))
        throw unavailable(`The row of host "${self}" in the records cannot be read.`)
      const read = await readNewsOf(tx, self, before, { ...news, isOwn: news.isOwn || rereadsOwn })
      const unreadable = [...tx.unreadable()]
      return { nowMs: news.nowMs, now: knownFrom(read, before, unreadable) }
    })
    // What was left out before may be among what was not read again.
    const wasWhole = before === null || before.snapshot.unreadable.length === 0
    if (before !== null && (!wasWhole || now.snapshot.unreadable.length > 0))
      return await readAnew(null)
    // The store's clock may have been set back: what it says now is where to go on from.
    readUntilMs = nowMs
    if (rereadsOwn) ownIsOld = false
    return now
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
 * The instances that this host had, that its part of the records does not have any more though
 * nobody ended them, and that are there all the same: the host that their row names, or all of it,
 * cannot be read.
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

/**
 * What has changed of all that this host holds, in one statement; everything before the first
 * reading.
 */
async function readNews(
  tx: Pick<ReadTx, 'changedScopes'>,
  self: HostName,
  before: Known | null,
  fromMs: number,
): Promise<News> {
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

/** Everything that the news are of, read again; the rest as it was before. */
async function readNewsOf(
  tx: ReadTx,
  self: HostName,
  before: Known | null,
  news: News,
): Promise<Omit<Known, 'snapshot'>> {
  const cloud = await readCloud(tx, self, before?.cloud ?? null, news)
  const generations = new Map(news.generations)
  if (!news.isOwn && before !== null) {
    const vpcs = await readVpcs(tx, before.vpcs, news)
    return { own: before.own, cloud, vpcs, generations }
  }
  const own = await readOwn(tx, self)
  const nics = Map.groupBy(await tx.placedNics({ hosts: [self] }), ({ vpc }) => vpc)
  const held = new Map<VpcId, VpcPart>()
  for (const [vpc, part] of before?.vpcs ?? []) if (nics.has(vpc)) held.set(vpc, part)
  for (const key of generations.keys()) {
    const vpc = /^vpc (\S+) /.exec(key)?.[1]
    if (vpc !== undefined && !nics.has(vpc as VpcId)) generations.delete(key)
  }
  const added = [...nics.keys()].filter((vpc) => !held.has(vpc))
  const read = new Map(await readVpcs(tx, held, news))
  if (added.length > 0) {
    const { scopes } = await tx.changedScopes(0, { host: self, vpcs: added, all: false })
    for (const { scope, generation } of scopes) generations.set(keyOf(scope), generation)
    for (const [vpc, part] of await readWholeVpcs(tx, added)) read.set(vpc, part)
  }
  for (const [vpc, own] of nics) {
    const part = read.get(vpc)
    // Most steps of an instance leave its NIC as it is.
    if (part === undefined || isDeepStrictEqual(part.members.get(self), own)) continue
    read.set(vpc, { ...part, members: new Map(part.members).set(self, own) })
  }
  return { own, cloud, vpcs: read, generations }
}

async function readOwn(tx: ReadTx, self: HostName): Promise<Own> {
  const all = await tx.instances({ hosts: [self] })
  const instances = all.filter(({ state }) => state !== 'terminated')
  const images = await tx.images({ host: self })
  const there = new Set(images.map(({ id }) => id))
  const others = new Set(instances.map(({ image }) => image).filter((id) => !there.has(id)))
  const accounts = new Set(instances.flatMap((one) => (one.keyName === null ? [] : one.account)))
  const keyPairs = await Promise.all([...accounts].map((account) => tx.keyPairs({ account })))
  return {
    instances,
    tags: await tx.tags({ resources: instances.map(({ id }) => id) }),
    volumes: await tx.volumes({ hosts: [self] }),
    images: others.size === 0 ? images : [...images, ...(await tx.images({ ids: [...others] }))],
    keyPairs: keyPairs.flat(),
  }
}

async function readCloud(
  tx: ReadTx,
  self: HostName,
  before: Cloud | null,
  { scopes, older, self: own }: News,
): Promise<Cloud> {
  const isAnew = before === null
  const names = scopes.flatMap((scope) => (scope.kind === 'all' ? (scope.host ?? []) : []))
  const hosts = new Map(before?.hosts)
  const changed = isAnew || names.length > 0 ? await tx.peerHosts(isAnew ? undefined : names) : []
  for (const host of [...older, ...changed]) hosts.set(host.name, host)
  if (own === undefined) hosts.delete(self)
  else hosts.set(self, own)
  if (!isAnew && !scopes.some((scope) => scope.kind === 'all' && scope.host === undefined))
    return { ...before, hosts }
  return {
    hosts,
    vpcs: await tx.vpcs({}),
    subnets: await tx.subnets({}),
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
  const own = { ...known.own, instances: [...byId.values()] }
  const host = known.cloud.hosts.get(self)
  const hosts = new Map(known.cloud.hosts)
  if (host !== undefined) hosts.set(self, { ...host, generation })
  return knownFrom({ ...known, own, cloud: { ...known.cloud, hosts } }, known, [])
}

/** With the snapshot, whose lists are those of before where they have the same in them. */
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
    types: cloud.types,
    groups: isSame ? before.snapshot.groups : byId(parts.flatMap(({ groups }) => groups)),
    nics: isSame ? before.snapshot.nics : membersOf(parts),
    unreadable,
  }
  return { ...read, snapshot }
}
