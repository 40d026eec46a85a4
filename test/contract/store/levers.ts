/** The `Store` contract: levers of instances. */
import { describe, expect, it } from 'vitest'
import { type Lever, SCHEDULE_TAG, TTL_TAG } from '../../../src/model/lever.ts'
import { type StoreFixture, storeFixture } from './fixture.ts'
import * as given from './records.ts'

/** Levers. */
export function describeLevers(begin: () => Promise<StoreFixture>): void {
  describe('levers', () => {
    const fixture = storeFixture(begin)
    const instance = given.instance(1)
    const lever: Lever = { instance: instance.id, tag: TTL_TAG, fromMs: 5, strike: null }
    const known = () => fixture.peer.read((tx) => tx.levers([instance.id]), { sees: 'latest' })

    it('have one record for each instance and tag, and ring the host', async () => {
      await fixture.store.change((tx) => tx.insertInstance(instance))
      const strike = { kind: 'terminate', dueMs: 2 ** 45, notBeforeMs: null } as const
      const touched = await fixture.store.change(async (tx) => {
        for (const one of [lever, { ...lever, tag: SCHEDULE_TAG }, { ...lever, strike }] as const)
          await tx.putLever(one)
        return tx.touched()
      })
      expect(touched).toEqual([{ kind: 'host', host: instance.host }])
      expect(await known()).toEqual([
        { ...lever, tag: SCHEDULE_TAG },
        { ...lever, strike },
      ])
      await fixture.store.change((tx) => tx.deleteLeversOf(instance.id))
      expect(await known()).toEqual([])
    })
  })
}
