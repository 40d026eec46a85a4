/**
 * Writes facts to the records.
 *
 * A fact is compared with the record in the transaction that changes it (`model/lifecycle.ts`), so
 * a late or repeated fact changes nothing. When nothing of a terminated instance is left on its
 * host, its address and its capacity are released here.
 */
import { type Clock, isoTime } from '../lib/clock.ts'
import { assertNever } from '../model/errors.ts'
import type { HostName, ImageId, InstanceId, NicId, VolumeId } from '../model/ids.ts'
import {
  applyFact,
  type InstanceChange,
  type InstanceFact,
  isPurgeable,
  TOMBSTONE_MS,
} from '../model/lifecycle.ts'
import type { Move } from '../model/move.ts'
import { attachmentOf } from '../model/nics.ts'
import type { Image, Instance, Nic, Tag, Volume } from '../model/records.ts'
import { formerKey } from '../model/reserved-tags.ts'
import type { Fact } from '../model/want.ts'
import type { Snapshot } from '../plan/want.ts'
import { goOnWithMove } from '../store/moves.ts'
import type { HostSelf } from '../store/records/host.ts'
import { releaseInstance, releaseVolume } from '../store/release.ts'
import type { Store, Tx } from '../store/store.ts'
import { isNewsOfMove, writeMoveFact } from './moves.ts'
import type { OwnWrite } from './reader.ts'

/**
 * Client tokens are remembered for a day, as on EC2 ("Ensuring idempotency in Amazon EC2 API
 * requests").
 */
const CLIENT_TOKEN_MS = 24 * 60 * 60 * 1000
/** Much longer than a host takes to read a change. */
const GONE_VPC_MS = 3_600_000

/** The outcome of a report. */
export interface Reported {
  /** The facts that changed a record, for the log. */
  readonly changes: readonly Fact[]
  /** Whether the records now imply another want for this host than its last reading. */
  readonly wantChanged: boolean
  /** What was written; null if the host must read its part again. */
  readonly wrote: OwnWrite | null
}

const NOTHING: Reported = { changes: [], wantChanged: false, wrote: null }

/** The records that the facts of one host are compared with. */
interface Known {
  /** Updated with each fact that is written. */
  readonly instances: Map<InstanceId, Instance>
  readonly images: ReadonlyMap<ImageId, Image>
  readonly volumes: ReadonlyMap<VolumeId, Volume>
  readonly tags: readonly Tag[]
  readonly nics: ReadonlyMap<NicId, Nic>
  readonly moves: ReadonlyMap<InstanceId, Move>
}

/**
 * Writes facts to the records. `known` is this host's last reading. Facts that would not change it
 * cost no statement. The others are compared with the records themselves.
 */
export async function reportFacts(
  store: Store,
  self: HostSelf,
  facts: readonly Fact[],
  known: Snapshot,
  clock: Clock,
): Promise<Reported> {
  const now = isoTime(clock.now())
  const { instances, images, volumes, tags } = known
  const nics = facts.some((fact) => 'nic' in fact) ? known.nics : []
  const moves = known.moves?.moves ?? []
  const before = index(instances, images, volumes, tags, nics, moves)
  const news = facts.filter((fact) => isNews(fact, before, now))
  if (news.length === 0) return NOTHING
  return await store.change(async (tx) => {
    const records = await readRecords(tx, self, news, moves.length > 0)
    // The records have some of the facts already, maybe from a report that failed after its
    // commit. This host has to read them.
    const isBehind = news.some((fact) => !isNews(fact, records, now))
    const written: Written[] = []
    for (const fact of news) written.push(...(await writeFact(tx, self, fact, records, now)))
    const wantChanged = written.some(({ kind }) => kind !== 'state')
    const wrote = await ownWrite(tx, self.name, written, wantChanged, known)
    return {
      changes: written.map(({ fact }) => fact),
      wantChanged: wantChanged || isBehind,
      wrote: isBehind ? null : wrote,
    }
  })
}

/** The records that the facts are about, as they are now. */
async function readRecords(
  tx: Tx,
  { name }: HostSelf,
  facts: readonly Fact[],
  hasMoves: boolean,
): Promise<Known> {
  const ids = [
    ...new Set(
      facts.flatMap((fact) =>
        'marked' in fact ? [fact.marked] : 'instance' in fact ? [fact.instance] : [],
      ),
    ),
  ]
  const volumes = facts.flatMap((fact) => ('volume' in fact ? [fact.volume] : []))
  const images = facts.flatMap((fact) => ('image' in fact ? [fact.image] : []))
  const nics = facts.flatMap((fact) => ('nic' in fact ? [fact.nic] : []))
  const moved = [...ids, ...facts.flatMap((fact) => ('moved' in fact ? [fact.moved] : []))]
  return index(
    ids.length === 0 ? [] : await tx.instances({ ids, hosts: [name] }),
    images.length === 0 ? [] : await tx.images({ ids: images }),
    volumes.length === 0 ? [] : await tx.volumes({ ids: volumes, hosts: [name] }),
    ids.length === 0 ? [] : await tx.tags({ resources: ids }),
    nics.length === 0 ? [] : await tx.nics({ ids: nics }),
    hasMoves && moved.length > 0 ? await tx.moves({ instances: moved }) : [],
  )
}

/**
 * What was written, if that is the only change since the snapshot. Null if the host's generation
 * has advanced meanwhile, or if images or addresses were written, too.
 */
async function ownWrite(
  tx: Tx,
  host: HostName,
  written: readonly Written[],
  wantChanged: boolean,
  { hosts }: Snapshot,
): Promise<OwnWrite | null> {
  const from = hosts.find(({ name }) => name === host)?.generation
  const changes = written.flatMap(({ change }) => (change === undefined ? [] : [change]))
  const isAll = from !== undefined && changes.length === written.length
  if (!wantChanged) return isAll ? { changes, generation: from } : null
  if (isAll && (await tx.expectGeneration(host, from)) === 'done')
    return { changes, generation: from + 1 }
  return null
}

function index(
  instances: readonly Instance[],
  images: readonly Image[],
  volumes: readonly Volume[],
  tags: readonly Tag[],
  nics: readonly Nic[],
  moves: readonly Move[],
): Known {
  return {
    instances: new Map(instances.map((one) => [one.id, one])),
    images: new Map(images.map((image) => [image.id, image])),
    volumes: new Map(volumes.map((volume) => [volume.id, volume])),
    tags,
    nics: new Map(nics.map((nic) => [nic.id, nic])),
    moves: new Map(moves.map((move) => [move.instance, move])),
  }
}

function isNews(fact: Fact, known: Known, now: string): boolean {
  const { instances, images, volumes } = known
  if ('marked' in fact) return isNewMark(fact, known)
  if ('moved' in fact) return isNewsOfMove(fact, known.moves.get(fact.moved))
  if ('volume' in fact) return volumes.get(fact.volume)?.state === 'deleting'
  if ('nic' in fact) return isNewsOfNic(known.nics.get(fact.nic), fact)
  if ('image' in fact) return isNewsOfImage(fact, images.get(fact.image))
  const instance = instances.get(fact.instance)
  if (isOnItsWay(fact, known)) return false
  return instance !== undefined && applyFact(instance, fact, now) !== null
}

/** Whether it hangs because it is being moved, or might. */
function isOnItsWay({ kind, instance }: InstanceFact, { moves }: Known): boolean {
  const move = moves.get(instance)
  return kind === 'hung' && move !== undefined && move.endedAtMs === null
}

type NicFact = Extract<Fact, { readonly nic: unknown }>

/** Whether the NIC is still in the attachment that the fact is about. */
function isNewsOfNic(nic: Nic | undefined, fact: NicFact): boolean {
  const of = fact.kind === 'attached' ? fact.to : fact.from
  if (nic === undefined || nic.instance !== of) return false
  const known = attachmentOf(nic)
  if (known?.id !== fact.attachment) return false
  return fact.kind === 'attached' ? known.isBeginning === true : known.isEnding === true
}

type MarkFact = Extract<Fact, { readonly kind: 'marked' }>

function isNewMark({ marked, mark }: MarkFact, { instances, tags }: Known): boolean {
  const has = ({ resource, key, value }: Tag) =>
    resource === marked && key === mark.key && value === mark.value
  return instances.has(marked) && !tags.some(has)
}

type ImageFact = Extract<Fact, { readonly image: unknown }>

function isNewsOfImage(fact: ImageFact, image: Image | undefined): boolean {
  if (image === undefined || image.state === 'available' || image.state === 'deregistered')
    return false
  switch (fact.kind) {
    case 'image-available':
      return true
    case 'image-progress':
      return image.stateReason !== fact.message
    case 'image-failed':
      return image.state !== 'failed'
    default:
      return assertNever(fact)
  }
}

/** A fact that changed a record. */
interface Written {
  readonly fact: Fact
  /** `want` changes the host's want, `state` does not. */
  readonly kind: 'state' | 'want'
  /** The change of the instance, if nothing else was changed. */
  readonly change?: OwnWrite['changes'][number]
}

/** Writes a fact. Returns an empty list when it changed nothing. */
async function writeFact(
  tx: Tx,
  self: HostSelf,
  fact: Fact,
  known: Known,
  now: string,
): Promise<readonly Written[]> {
  if ('volume' in fact) return await writeVolumeFact(tx, fact, known)
  if ('marked' in fact) return await writeMark(tx, fact, known)
  if ('nic' in fact) return await writeNicFact(tx, fact, known)
  if ('moved' in fact) {
    const written = await writeMoveFact(tx, fact, known.moves.get(fact.moved), now)
    return written === null ? [] : [{ fact, kind: written }]
  }
  if (!('image' in fact)) return await writeInstanceFact(tx, self, fact, known, now)
  if (!isNewsOfImage(fact, known.images.get(fact.image))) return []
  switch (fact.kind) {
    case 'image-available': {
      const { digest, repositoryDigest = null, architecture, diskGiB } = fact
      const found = { digest, repositoryDigest, architecture, diskGiB }
      await tx.updateImage(fact.image, { state: 'available', stateReason: null, ...found })
      return [{ fact, kind: 'want' }]
    }
    case 'image-progress':
      await tx.updateImage(fact.image, { stateReason: fact.message })
      return [{ fact, kind: 'state' }]
    case 'image-failed':
      await tx.updateImage(fact.image, { state: 'failed', stateReason: fact.message })
      return [{ fact, kind: 'want' }]
    default:
      return assertNever(fact)
  }
}

async function writeMark(tx: Tx, fact: MarkFact, known: Known): Promise<readonly Written[]> {
  const instance = known.instances.get(fact.marked)
  if (instance === undefined || !isNewMark(fact, known)) return []
  const { id: resource, account } = instance
  await tx.putTags([{ ...fact.mark, account, resource, resourceType: 'instance' }])
  await tx.deleteTag({ account, resource, key: formerKey(fact.mark.key) })
  return [{ fact, kind: 'want' }]
}

async function writeNicFact(tx: Tx, fact: NicFact, { nics }: Known): Promise<readonly Written[]> {
  const nic = nics.get(fact.nic)
  if (nic === undefined || !isNewsOfNic(nic, fact)) return []
  const attachment = attachmentOf(nic)
  if (fact.kind === 'detached' || attachment === null) await tx.detachNic(nic)
  else {
    const { isBeginning: _, ...plugged } = attachment
    await tx.updateAttachment(nic, plugged)
  }
  return [{ fact, kind: 'want' }]
}

async function writeVolumeFact(
  tx: Tx,
  fact: Extract<Fact, { readonly volume: unknown }>,
  { volumes }: Known,
): Promise<readonly Written[]> {
  const volume = volumes.get(fact.volume)
  if (volume?.state !== 'deleting') return []
  await releaseVolume(tx, volume)
  return [{ fact, kind: 'want' }]
}

async function writeInstanceFact(
  tx: Tx,
  self: HostSelf,
  fact: InstanceFact,
  known: Known,
  now: string,
): Promise<readonly Written[]> {
  const instance = known.instances.get(fact.instance)
  const to =
    instance === undefined || isOnItsWay(fact, known) ? null : applyFact(instance, fact, now)
  if (instance === undefined || to === null) return []
  const change = { instance: instance.id, to }
  // A claim is decided by one conditional statement.
  if (to.claimed !== true) await tx.updateInstance(instance.id, to)
  else if ((await tx.claimInstance(instance.id, self)) !== 'done') return []
  known.instances.set(instance.id, { ...instance, ...to })
  if (to.claimed === true) return [{ fact, kind: 'want', change }]
  const goesOn = await goOnWithMove(tx, { ...instance, ...to }, known.moves.get(instance.id), now)
  if (goesOn) return [{ fact, kind: 'want' }]
  if (to.state !== 'terminated') {
    if (isNameChange(instance, to, known)) return [{ fact, kind: 'want' }]
    const isWant = to.wanted !== undefined || to.bootCount !== undefined
    return [{ fact, kind: isWant ? 'want' : 'state', change }]
  }
  await releaseInstance(tx, instance)
  return [{ fact, kind: 'want' }]
}

/** Whether the DNS name of the Name tag appears or disappears with this change. */
function isNameChange({ id, state }: Instance, to: InstanceChange, { tags }: Known): boolean {
  if ((state === 'running') === ((to.state ?? state) === 'running')) return false
  return tags.some(({ resource, key }) => resource === id && key === 'Name')
}

/**
 * Removes this host's instances that have been terminated for long enough, and its images that have
 * been deregistered as long and that no instance uses. Returns the number of instances. With
 * `ofAll` it also removes what belongs to no host: client tokens that are older than a day, and
 * what deleted VPCs have left. Launches wait for that, so only one of all hosts should do it.
 */
export async function purge(
  store: Store,
  host: HostName,
  clock: Clock,
  ofAll: boolean,
): Promise<number> {
  const { storeMs, images } = await store.read(async (tx) => ({
    storeMs: (await tx.changedScopes(Number.MAX_SAFE_INTEGER, { host, vpcs: [] })).nowMs,
    images: await tx.images({ host }),
  }))
  // A host whose clock is ahead must not remove records too early.
  const nowMs = Math.min(clock.now(), storeMs)
  const until = isoTime(nowMs - TOMBSTONE_MS)
  const isOld = ({ state, deregisteredAt }: Image) =>
    state === 'deregistered' && (deregisteredAt ?? '') <= until
  if (images.some((one) => one.host === host && isOld(one)))
    await store.change((tx) => tx.deleteUnusedImages(host, until))
  const count = await purgeInstances(store, host, nowMs)
  if (ofAll)
    await store.change(async (tx) => {
      await tx.deleteClientTokensBefore(isoTime(nowMs - CLIENT_TOKEN_MS))
      await tx.deleteGenerationsOfGoneVpcs(GONE_VPC_MS)
    })
  return count
}

/** Instances that are removed in one transaction, for which launches may wait. */
const PURGED_AT_ONCE = 100

async function purgeInstances(store: Store, host: HostName, nowMs: number): Promise<number> {
  const until = isoTime(nowMs - TOMBSTONE_MS)
  let count = 0
  // Rows that cannot be read stay, and are found each time.
  for (let staying = 0; ; ) {
    const limit = PURGED_AT_ONCE + staying
    const { found, unreadable } = await store.read(async (tx) => ({
      found: await tx.terminatedInstances(host, until, limit),
      unreadable: tx.unreadable().length,
    }))
    const old = found.filter((one) => isPurgeable(one, nowMs))
    if (old.length > 0) await store.change((tx) => deleteOld(tx, old))
    count += old.length
    const stayed = unreadable + found.length - old.length
    if (old.length + stayed < limit || (old.length === 0 && stayed <= staying)) return count
    staying = stayed
  }
}

async function deleteOld(tx: Tx, old: readonly Instance[]): Promise<void> {
  // Older daemons, which know no volumes, left these.
  for (const volume of await tx.volumes({ instances: old.map(({ id }) => id) }))
    await releaseVolume(tx, volume)
  for (const instance of old) {
    await tx.deleteTagsOf(instance.id)
    await tx.deleteLeversOf(instance.id)
    await tx.deleteMove({ instance: instance.id })
    await tx.deleteInstance(instance.id)
  }
}
