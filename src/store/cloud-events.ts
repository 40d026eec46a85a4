/**
 * A store that notes what programs want to hear of (`model/cloud-event.ts`) in the transaction that
 * makes it happen, so that no caller can forget to, and no crash can lose it.
 */

import type { NoticeWord } from '../model/cloud-event.ts'
import { type HostName, type InstanceId, parseId } from '../model/ids.ts'
import type { InstanceCheck } from '../model/instance-check.ts'
import { isLeverTag, type Lever, type Strike } from '../model/lever.ts'
import type { InstanceChange } from '../model/lifecycle.ts'
import type { Host, Instance, Tag } from '../model/records.ts'
import type { Store, Tx } from './store.ts'

/**
 * The store. `writer` is this host, which publishes the events; `committed` is called after each
 * commit of some.
 */
export function notingEvents(store: Store, writer: HostName, committed: () => void): Store {
  const noted =
    (run: Store['change']): Store['change'] =>
    async (work) => {
      // With the result, because the run that was committed need not be the last one.
      const { result, count } = await run(async (tx) => {
        const tally = { count: 0 }
        return { result: await work(noting(tx, writer, tally)), count: tally.count }
      })
      if (count > 0) committed()
      return result
    }
  return { ...store, change: noted(store.change), claim: noted(store.claim) }
}

/** The writes that make something happen, and note it. */
type Noting = Pick<
  Tx,
  'insertInstance' | 'updateInstance' | 'setHostState' | 'putLever' | 'deleteTag' | 'deleteTagsOf'
>

function noting(tx: Tx, writer: HostName, tally: { count: number }): Tx {
  /** Instances that nothing can be announced for yet. */
  const launched = new Set<InstanceId>()
  const own: Noting = {
    async insertInstance(instance: Instance) {
      launched.add(instance.id)
      await tx.insertInstance(instance)
      await tx.noteNewInstance(instance, writer)
      tally.count += 1
    },
    async updateInstance(id: InstanceId, change: InstanceChange) {
      const { state, bootCount } = change
      if (state !== undefined) {
        const boot = bootCount === undefined ? {} : { bootCount }
        await tx.noteInstanceState(id, { state, ...boot }, writer)
        tally.count += 1
      }
      for (const { word, at } of await noticesOf(tx, id, change)) {
        await tx.noteNotice(id, { word, startsMs: Date.parse(at) }, writer)
        tally.count += 1
      }
      await tx.updateInstance(id, change)
    },
    async setHostState(host: HostName, state: Host['state']) {
      const before = (await tx.hosts()).find(({ name }) => name === host)?.state
      const outcome = await tx.setHostState(host, state)
      if (outcome !== 'done') return outcome
      await tx.noteHostState(host, state, writer)
      if (state === 'draining') await tx.noteNoticeOfHost(host, 'instance-stop', writer)
      if (state === 'active' && before === 'draining')
        await tx.noteNoticeOfHost(host, 'instance-stop-withdrawn', writer)
      tally.count += 1
      return outcome
    },
    ...notingLevers(tx, writer, { tally, launched }),
  }
  return new Proxy(tx, {
    get: (target, name) => Reflect.get(Object.hasOwn(own, name) ? own : target, name),
  })
}

interface Told {
  readonly word: NoticeWord
  readonly at: string
}

/** What its owner is told when asking the instance came to something else, and what follows. */
async function noticesOf(
  tx: Tx,
  id: InstanceId,
  { check, rebooted }: InstanceChange,
): Promise<readonly Told[]> {
  const last = rebooted?.at(-1)
  if (last !== undefined) return [{ word: 'instance-rebooted', at: last }]
  if (check === undefined) return []
  const [instance] = await tx.instances({ ids: [id] })
  const before = instance?.check
  const { rebootAt } = check
  const told: Told[] = []
  if (before?.rebootAt !== undefined && before.rebootAt !== rebootAt)
    told.push({ word: 'instance-reboot-withdrawn', at: before.rebootAt })
  if (before?.result !== check.result || before.bootCount !== check.bootCount)
    told.push(...ofResult(check, before))
  if (rebootAt !== undefined && before?.rebootAt !== rebootAt)
    told.push({ word: 'instance-reboot', at: rebootAt })
  return told
}

/** What a new result means to its owner. */
function ofResult(
  { result, since: at }: InstanceCheck,
  before: InstanceCheck | undefined,
): readonly Told[] {
  if (result === 'failed') return [{ word: 'instance-impaired', at }]
  const isOver = result === 'passed' && before?.result === 'failed'
  return isOver ? [{ word: 'instance-ok', at }] : []
}

/**
 * What is announced by levers, and what is taken back. What has been carried out, or cannot happen
 * any more, is not taken back: the change of the instance's state says it.
 */
function notingLevers(
  tx: Tx,
  writer: HostName,
  { tally, launched }: { readonly tally: { count: number }; readonly launched: Set<InstanceId> },
): Pick<Noting, 'putLever' | 'deleteTag' | 'deleteTagsOf'> {
  async function note({ instance, strike }: Lever, isAnnounced: boolean): Promise<void> {
    const startsMs = announcedMs(strike)
    if (strike === null || startsMs === null) return
    if (!isAnnounced && !(await isStillDue(tx, instance, strike))) return
    await tx.noteNotice(instance, { word: wordOf(strike, isAnnounced), startsMs }, writer)
    tally.count += 1
  }
  async function untag(resource: string, isMeant: (tag: Tag) => boolean): Promise<void> {
    const instance = parseId('i', resource)
    if (instance === undefined) return
    const levers = (await tx.levers([instance])).filter((one) => announcedMs(one.strike) !== null)
    if (levers.length === 0) return
    const tags = (await tx.tags({ resources: [resource] })).filter(isMeant)
    for (const lever of levers.filter((one) => tags.some(({ key }) => key === one.tag))) {
      await note(lever, false)
      await tx.putLever({ ...lever, strike: null })
    }
  }
  return {
    async putLever(lever) {
      if (launched.has(lever.instance)) return await tx.putLever(lever)
      const before = (await tx.levers([lever.instance])).find(({ tag }) => tag === lever.tag)
      await tx.putLever(lever)
      if (announcedMs(before?.strike) === announcedMs(lever.strike)) return
      if (before !== undefined) await note(before, false)
      await note(lever, true)
    },
    async deleteTag(tag) {
      if (isLeverTag(tag.key))
        await untag(tag.resource, ({ key, value }) => {
          return key === tag.key && (tag.value ?? value) === value
        })
      await tx.deleteTag(tag)
    },
    async deleteTagsOf(resource) {
      await untag(resource, () => true)
      await tx.deleteTagsOf(resource)
    },
  }
}

/** When it will happen. Null: nothing is announced, or protection keeps the instance. */
function announcedMs(strike: Strike | null | undefined): number | null {
  return strike?.notBeforeMs ?? null
}

function wordOf({ kind }: Strike, isAnnounced: boolean): NoticeWord {
  const word = kind === 'stop' ? 'instance-stop' : 'instance-retirement'
  return isAnnounced ? word : `${word}-withdrawn`
}

/** Whether the instance would be stopped or terminated, if it was not taken back. */
async function isStillDue(tx: Tx, id: InstanceId, { kind }: Strike): Promise<boolean> {
  const [instance] = await tx.instances({ ids: [id] })
  if (instance === undefined || instance.wanted === 'terminate') return false
  return kind === 'terminate' || instance.wanted === 'run'
}
