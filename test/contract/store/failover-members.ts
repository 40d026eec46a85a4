/** The `Store` contract: the hosts whose answers count before one takes over from another. */
import { describe, expect, it } from 'vitest'
import { hostName } from '../../kit/records.ts'
import { type StoreFixture, storeFixture } from './fixture.ts'
import * as given from './records.ts'

const [a, b, c] = [given.HOST, given.OTHER_HOST, hostName('host-3')]

/** Versions of the membership, and who goes by them. */
export function describeFailoverMembers(begin: () => Promise<StoreFixture>): void {
  describe('failover members', () => {
    const fixture = storeFixture(begin)
    const found = () => fixture.peer.read((tx) => tx.failoverMembers(), { sees: 'latest' })
    const change = (version: number, members: readonly (typeof a)[], store = fixture.store) =>
      store.change((tx) => tx.changeFailoverMembers(version, members))
    const acknowledge = (version: number, self = { ...given.hostRow }) =>
      fixture.store.change((tx) => tx.acknowledgeFailoverMembers(self, version))

    it('are none at first, and then those of the newest version', async () => {
      expect(await found()).toBeUndefined()
      expect(await change(1, [a])).toBe('done')
      expect(await found()).toEqual({ version: 1, members: [a], acknowledged: new Set() })
      expect(await change(2, [a, b])).toBe('done')
      expect(await change(3, [a, b, c])).toBe('done')
      expect(await found()).toMatchObject({ version: 3, members: [a, b, c] })
    })

    it('of two that make the same version, one does', async () => {
      await change(1, [a])
      const outcomes = await Promise.all([change(2, [a, b]), change(2, [a, c], fixture.peer)])
      expect(outcomes.toSorted()).toEqual(['done', 'exists'])
      const members = outcomes[0] === 'done' ? [a, b] : [a, c]
      expect(await found()).toMatchObject({ version: 2, members })
      expect(await change(1, [c])).toBe('exists')
    })

    it('are acknowledged by the machine itself, for this version only', async () => {
      await change(1, [a])
      expect(await acknowledge(1, { ...given.hostRow, identity: 'two' })).toBe('lost')
      expect(await acknowledge(1, { ...given.hostRow, name: c })).toBe('lost')
      expect(await found()).toMatchObject({ acknowledged: new Set() })
      expect(await acknowledge(1)).toBe('done')
      expect(await found()).toMatchObject({ acknowledged: new Set([a]) })
      await change(2, [a, b])
      expect(await found()).toMatchObject({ acknowledged: new Set() })
      // It has announced itself again since.
      await fixture.store.change((tx) => tx.upsertHost(given.hostRow, 60_000))
      expect(await acknowledge(2)).toBe('done')
      await fixture.store.change((tx) => tx.renewLease(given.hostRow, 60_000, given.SAID))
      expect(await found()).toMatchObject({ version: 2, acknowledged: new Set([a]) })
    })

    it.each(['', 'host-1,', 'host-1,host-1', 'Host 1'])(
      'are not those before when the newest row is %j',
      async (members) => {
        await change(1, [a])
        await change(2, [members as typeof a])
        expect(await found()).toBeNull()
      },
    )
  })
}
