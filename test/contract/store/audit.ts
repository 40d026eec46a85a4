/** The `Store` contract: records of calls, and events that wait to be published. */
import { describe, expect, it } from 'vitest'
import type { AuditEvent } from '../../../src/model/audit.ts'
import type { HostName } from '../../../src/model/ids.ts'
import { TTL_TAG } from '../../../src/model/lever.ts'
import { notingEvents } from '../../../src/store/cloud-events.ts'
import { type StoreFixture, storeFixture } from './fixture.ts'
import * as given from './records.ts'

const OWNER = given.ACCOUNT
const WRITER = 'host-w' as HostName

function event(n: number, more: Partial<AuditEvent> = {}): AuditEvent {
  return {
    id: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
    ...{ owner: OWNER, atMs: 1_000 + Math.trunc(n / 2), kind: 'change', name: 'CreateVpc' },
    ...{ source: 'ec2.amazonaws.com', user: 'admin', accessKey: 'AKID', isReadOnly: false },
    resources: [{ type: 'AWS::EC2::VPC', name: `vpc-${n}"%_` }],
    event: '{"a":"é\\n"}',
    ...more,
  }
}

/** Records of calls. */
export function describeAudit(begin: () => Promise<StoreFixture>): void {
  describe('records of calls', () => {
    const fixture = storeFixture(begin)
    const put = (events: readonly AuditEvent[]) =>
      fixture.store.change(async (tx) => {
        for (const one of events) await tx.insertAuditEvent(one)
      })
    const read = (asked: Partial<Parameters<typeof query>[0]> = {}) =>
      fixture.store.read((tx) => tx.auditEvents({ owner: OWNER, limit: 100, ...asked }))
    const query = (asked: {
      readonly owner?: AuditEvent['owner']
      readonly limit: number
      readonly after?: { readonly atMs: number; readonly id: string }
      readonly attribute?: { readonly key: 'ResourceName' | 'EventName'; readonly value: string }
    }) => asked

    it('come newest first, page by page, and only those of their owner', async () => {
      const all = Array.from({ length: 7 }, (_, n) => event(n))
      await put([...all, event(99, { owner: 'operator' })])
      const found = await read()
      expect(found).toEqual(all.toReversed())
      const paged: AuditEvent[] = []
      for (;;) {
        const last = paged.at(-1)
        const page = await read({ limit: 2, ...(last === undefined ? {} : { after: last }) })
        if (page.length === 0) break
        paged.push(...page)
      }
      expect(paged).toEqual(found)
    })

    it('are found by what they name, with wildcards as they are', async () => {
      await put([event(1), event(2), event(3, { name: 'DeleteVpc' })])
      const by = async (key: 'ResourceName' | 'EventName', value: string) =>
        (await read({ attribute: { key, value } })).map(({ id }) => id.at(-1))
      expect(await by('ResourceName', 'vpc-1"%_')).toEqual(['1'])
      expect(await by('ResourceName', 'vpc-_"%_')).toEqual([])
      expect(await by('ResourceName', 'VPC-1"%_')).toEqual([])
      expect(await by('EventName', 'DeleteVpc')).toEqual(['3'])
    })

    it('are there once, and are removed when they are too many of their kind or too old', async () => {
      await put([event(1), event(2), event(3), event(4, { kind: 'other' })])
      await put([event(1, { name: 'Twice' })])
      const surplus = (keep: number, sinceMs: number) =>
        fixture.store.read(async (tx) =>
          (await tx.surplusAuditEvents(OWNER, { keep, sinceMs, limit: 10 }))
            .map((id) => id.at(-1))
            .toSorted(),
        )
      expect((await read()).map(({ name }) => name)).not.toContain('Twice')
      expect(await surplus(2, 0)).toEqual(['1'])
      expect(await surplus(9, 1_001)).toEqual(['1'])
      await fixture.store.change((tx) => tx.deleteAuditEvents([event(1).id, event(2).id]))
      expect((await read()).map(({ id }) => id.at(-1))).toEqual(['4', '3'])
    })
  })
}

/** Events. */
export function describePendingEvents(begin: () => Promise<StoreFixture>): void {
  describe('events to publish', () => {
    const fixture = storeFixture(begin)
    const pending = () => fixture.peer.read((tx) => tx.pendingEvents({ writer: WRITER }, 100))
    const words = async () => (await pending()).map(({ word, ordinal }) => `${word} ${ordinal}`)

    it('are noted with each change of state, once, and not with its rollback', async () => {
      let heard = 0
      const store = notingEvents(fixture.store, WRITER, () => {
        heard += 1
      })
      const instance = given.instance(1)
      await store.change((tx) => tx.insertInstance(instance))
      const update = (
        change: Parameters<Parameters<Parameters<typeof store.change>[0]>[0]['updateInstance']>[1],
      ) => store.change((tx) => tx.updateInstance(instance.id, change))
      const boot = instance.bootCount
      await update({ state: 'running', bootSeen: boot })
      await update({ state: 'running', bootSeen: boot })
      await update({ transitionReason: 'x' })
      await update({ state: 'stopped' })
      const fails = store.change(async (tx) => {
        await tx.updateInstance(instance.id, { state: 'terminated' })
        throw new Error('rolled back')
      })
      await expect(fails).rejects.toThrow('rolled back')
      await update({ state: 'pending', bootCount: boot + 1 })
      expect((await words()).toSorted()).toEqual(
        [
          ...[`pending ${boot}`, `running ${boot}`, `stopped ${boot}`],
          `pending ${boot + 1}`,
        ].toSorted(),
      )
      expect((await pending()).map(({ account }) => account)).toEqual(
        Array(4).fill(instance.account),
      )
      expect(heard).toBe(5)
      const all = await pending()
      await store.change((tx) => tx.deletePendingEvents(all.slice(0, 3)))
      expect(await pending()).toEqual(all.slice(3))
      expect(await fixture.peer.read((tx) => tx.pendingEvents({ ageMs: 60_000 }, 10))).toEqual([])
      await store.change((tx) => tx.trimPendingEvents({ keep: 0, ageMs: 60_000 }))
      expect(await pending()).toEqual([])
    })

    it('tell what is announced for an instance, and what is taken back, but not what happened', async () => {
      const store = notingEvents(fixture.store, WRITER, () => undefined)
      const instance = given.instance(1)
      await store.change((tx) => tx.insertInstance({ ...instance, wanted: 'run' }))
      const key = { account: instance.account, resource: instance.id, key: TTL_TAG }
      const tag = { ...key, resourceType: 'instance', value: '8h' }
      const put = (notBeforeMs: number | null) =>
        store.change(async (tx) => {
          await tx.putTags([tag])
          const strike = { kind: 'terminate', dueMs: 5_000, notBeforeMs } as const
          await tx.putLever({ instance: instance.id, tag: TTL_TAG, fromMs: 5, strike })
        })
      const told = async () => {
        const found = (await pending()).filter(({ kind }) => kind === 'instance-event')
        await fixture.store.change((tx) => tx.deletePendingEvents(found))
        return found.map(({ word, startsMs }) => `${word} ${startsMs}`).toSorted()
      }
      await put(6_000)
      expect(await told()).toEqual(['instance-retirement 6000'])
      await put(6_000)
      expect(await told()).toEqual([])
      await put(7_000)
      expect(await told()).toEqual([
        'instance-retirement 7000',
        'instance-retirement-withdrawn 6000',
      ])
      // Protection keeps it, and then it is announced anew.
      await put(null)
      expect(await told()).toEqual(['instance-retirement-withdrawn 7000'])
      await put(8_000)
      expect(await told()).toEqual(['instance-retirement 8000'])
      await store.change((tx) => tx.deleteTag({ ...key, value: 'another' }))
      expect(await told()).toEqual([])
      await store.change((tx) => tx.deleteTag(key))
      expect(await told()).toEqual(['instance-retirement-withdrawn 8000'])
      await put(9_000)
      await told()
      await store.change((tx) => tx.deleteTagsOf(instance.id))
      expect(await told()).toEqual(['instance-retirement-withdrawn 9000'])
      await put(9_000)
      await told()
      await store.change(async (tx) => {
        await tx.updateInstance(instance.id, { wanted: 'terminate' })
        const lever = { instance: instance.id, tag: TTL_TAG, fromMs: 5, strike: null } as const
        await tx.putLever(lever)
      })
      expect(await told()).toEqual([])
    })

    it('tell accounts that the host of an instance is drained, and no longer', async () => {
      const store = notingEvents(fixture.store, WRITER, () => undefined)
      const instance = given.instance(1)
      await store.change((tx) => tx.insertInstance({ ...instance, state: 'running' }))
      for (const state of ['draining', 'active', 'active'] as const)
        await store.change((tx) => tx.setHostState(instance.host, state))
      const told = (await pending()).filter(({ kind }) => kind === 'instance-event')
      expect(told.map(({ word }) => word).toSorted()).toEqual([
        'instance-stop',
        'instance-stop-withdrawn',
      ])
    })
  })
}
