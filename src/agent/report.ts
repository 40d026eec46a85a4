/**
 * What the agent reads from the records and what it writes back.
 *
 * Facts are held against the record in the same transaction that changes it (`model/lifecycle.ts`), so a late or repeated one
 * changes nothing. When the last of a terminated instance is gone, its address and its capacity return to the pool here.
 */
import { type Clock, isoTime } from '../lib/clock.ts'
import type { HostName, InstanceId } from '../model/ids.ts'
import { applyFact, type InstanceFact, isPurgeable } from '../model/lifecycle.ts'
import type { Instance } from '../model/records.ts'
import type { Fact } from '../model/want.ts'
import type { Snapshot } from '../plan/want.ts'
import type { ReadTx, Store, Tx } from '../store/store.ts'

/** Client tokens are remembered for a day, as on EC2 ("Ensuring idempotency in Amazon EC2 API requests"). */
const CLIENT_TOKEN_MS = 24 * 60 * 60 * 1000

/** One consistent reading of everything that a want is made from. */
export async function readSnapshot(store: Store): Promise<Snapshot> {
  return await store.read(async (tx) => {
    const instances = (await tx.instances({})).filter((one) => one.state !== 'terminated')
    return {
      hosts: await tx.hosts(),
      instances,
      nics: await tx.nics({}),
      vpcs: await tx.vpcs({}),
      subnets: await tx.subnets({}),
      groups: await tx.groups({}),
      images: await tx.images({}),
      types: await tx.instanceTypes(),
      keyPairs: await readKeyPairs(tx, instances),
      tags: await tx.tags({}),
    }
  })
}

async function readKeyPairs(tx: ReadTx, instances: readonly Instance[]) {
  const accounts = new Set(instances.map((instance) => instance.account))
  const lists = await Promise.all([...accounts].map((account) => tx.keyPairs({ account })))
  return lists.flat()
}

/** What a report came to. */
export interface Reported {
  /** The changes that were made, for the log. */
  readonly changes: readonly { readonly fact: Fact; readonly instance?: InstanceId }[]
  /** Whether the want of this host is another one now. */
  readonly wantChanged: boolean
}

/** Writes facts to the records. Facts that change nothing cost one read and no write. */
export async function reportFacts(
  store: Store,
  host: HostName,
  facts: readonly Fact[],
  clock: Clock,
): Promise<Reported> {
  if (facts.length === 0) return { changes: [], wantChanged: false }
  const now = isoTime(clock.now())
  const news = await store.read((tx) => newsOf(tx, host, facts, now))
  if (news.length === 0) return { changes: [], wantChanged: false }
  return await store.transaction(async (tx) => {
    // Read again: between the look above and this transaction a request may have changed what a fact means.
    const changes = await newsOf(tx, host, facts, now)
    let wantChanged = false
    for (const { fact } of changes) if (await writeFact(tx, host, fact, now)) wantChanged = true
    if (wantChanged) await tx.advanceGeneration(host)
    return { changes, wantChanged }
  })
}

/** The facts that would change a record. */
async function newsOf(
  tx: ReadTx,
  host: HostName,
  facts: readonly Fact[],
  now: string,
): Promise<Reported['changes']> {
  const instances = new Map((await tx.instances({ host })).map((one) => [one.id, one]))
  const images = new Map((await tx.images({})).map((image) => [image.id, image]))
  return facts.flatMap((fact): Reported['changes'] => {
    if ('instance' in fact) {
      const instance = instances.get(fact.instance)
      const change = instance === undefined ? null : applyFact(instance, fact, now)
      return change === null ? [] : [{ fact, instance: fact.instance }]
    }
    const image = images.get(fact.image)
    if (image === undefined || image.state === 'available') return []
    if (fact.kind === 'image-progress' && image.stateReason === fact.message) return []
    if (fact.kind === 'image-failed' && image.state === 'failed') return []
    return [{ fact }]
  })
}

/** Writes one fact; true when it changes what this host wants. */
async function writeFact(tx: Tx, host: HostName, fact: Fact, now: string): Promise<boolean> {
  switch (fact.kind) {
    case 'image-available':
      await tx.updateImage(fact.image, {
        state: 'available',
        stateReason: null,
        digest: fact.digest,
        architecture: fact.architecture,
      })
      return true
    case 'image-progress':
      await tx.updateImage(fact.image, { stateReason: fact.message })
      return false
    case 'image-failed':
      await tx.updateImage(fact.image, { state: 'failed', stateReason: fact.message })
      return true
    default:
      return await writeInstanceFact(tx, host, fact, now)
  }
}

async function writeInstanceFact(
  tx: Tx,
  host: HostName,
  fact: InstanceFact,
  now: string,
): Promise<boolean> {
  const [instance] = await tx.instances({ ids: [fact.instance] })
  const change = instance === undefined ? null : applyFact(instance, fact, now)
  if (instance === undefined || change === null) return false
  await tx.updateInstance(instance.id, change)
  if (change.state === 'terminated') {
    await tx.deleteNics(instance.id)
    const type = (await tx.instanceTypes()).find((one) => one.name === instance.type)
    if (type !== undefined) await tx.returnCapacity(host, type.vcpus, type.memoryMiB)
  }
  return change.wanted !== undefined || change.state === 'terminated'
}

/** Removes this host's instances whose tombstone time is over, and client tokens of yesterday. Returns how many instances. */
export async function purge(store: Store, host: HostName, clock: Clock): Promise<number> {
  const nowMs = clock.now()
  const old = (await store.read((tx) => tx.instances({ host }))).filter((one) =>
    isPurgeable(one, nowMs),
  )
  await store.transaction(async (tx) => {
    for (const instance of old) {
      await tx.deleteTagsOf(instance.id)
      await tx.deleteInstance(instance.id)
    }
    await tx.deleteClientTokensBefore(isoTime(nowMs - CLIENT_TOKEN_MS))
  })
  return old.length
}
