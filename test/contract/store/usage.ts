/** The `Store` contract: usage records. */
import { describe, expect, it } from 'vitest'
import { NO_HOST, type UsageRecord } from '../../../src/model/usage.ts'
import { type StoreFixture, storeFixture } from './fixture.ts'
import * as given from './records.ts'

const AT = Date.parse('2026-11-30T00:00:00Z')

/** Usage. */
export function describeUsage(begin: () => Promise<StoreFixture>): void {
  describe('usage', () => {
    const fixture = storeFixture(begin)
    const nothing = { vcpuSeconds: 0, memoryMiBSeconds: 0, diskGiBSeconds: 0, addressSeconds: 0 }
    const record = (change: Partial<UsageRecord>): UsageRecord => ({
      ...{ day: '2026-11-29', host: given.HOST, account: given.ACCOUNT, tagKey: '' },
      ...{ tagValue: null, untilMs: AT + 1000, instanceSeconds: 1, ...nothing },
      ...change,
    })
    const team = (tagValue: string | null, instanceSeconds: number) =>
      record({ tagKey: 'team', tagValue, instanceSeconds })

    it('is replaced by its day, host and owner, and added up over hosts and days', async () => {
      await fixture.store.change(async (tx) => {
        for (const one of [
          ...[record({}), record({ instanceSeconds: 7, untilMs: AT + 2000 })],
          ...[record({ host: given.OTHER_HOST, instanceSeconds: 2 ** 50 })],
          ...[record({ day: '2026-11-30', instanceSeconds: 10 }), record({ day: '2026-12-01' })],
          ...[record({ host: NO_HOST, instanceSeconds: 0, addressSeconds: 3 })],
          ...[record({ account: given.OTHER_ACCOUNT, instanceSeconds: 4 })],
          // Values differ by case, by accents, by spaces at their end, and from none.
          ...[team('red', 1), team('Red', 2), team('réd', 3), team('red ', 4), team('', 5)],
          team(null, 6),
        ])
          await tx.putUsage(one)
      })
      const found = await fixture.peer.read(
        async (tx) => {
          const of = { from: '2026-11-29', to: '2026-11-30', tagKey: '', daily: false }
          return {
            all: await tx.usageSums(of),
            daily: await tx.usageSums({ ...of, account: given.ACCOUNT, daily: true }),
            teams: await tx.usageSums({ ...of, tagKey: 'team' }),
            none: await tx.usageSums({ ...of, tagKey: 'Team' }),
            own: await tx.usageOf(given.HOST, '2026-11-30'),
            until: await tx.usageCountedUntil(given.HOST, AT + 5000),
            before: await tx.usageCountedUntil(given.HOST, AT + 1500),
            never: await tx.usageCountedUntil(given.HOST, AT + 500),
          }
        },
        { sees: 'latest' },
      )
      const amounts = (sums: readonly { readonly instanceSeconds: number }[]) =>
        sums.map(({ instanceSeconds }) => instanceSeconds)
      expect(amounts(found.all)).toEqual([2 ** 50 + 17, 4])
      expect(found.all[0]).toMatchObject({ day: null, tagValue: null, addressSeconds: 3 })
      expect(found.daily.map(({ day }) => day)).toEqual(['2026-11-29', '2026-11-30'])
      expect(amounts(found.daily)).toEqual([2 ** 50 + 7, 10])
      expect(amounts(found.teams).toSorted()).toEqual([1, 2, 3, 4, 5, 6])
      expect(found.none).toEqual([])
      expect(found.own).toEqual([record({ day: '2026-11-30', instanceSeconds: 10 })])
      expect([found.until, found.before, found.never]).toEqual([AT + 2000, AT + 1000, null])
      await fixture.store.change((tx) => tx.deleteUsageBefore('2026-12-01'))
      const left = await fixture.peer.read(
        (tx) => tx.usageSums({ from: '2000-01-01', to: '2100-01-01', tagKey: '', daily: true }),
        { sees: 'latest' },
      )
      expect(left.map(({ day }) => day)).toEqual(['2026-12-01'])
    })
  })
}
