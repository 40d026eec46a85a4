/**
 * The `Store` contract: placement groups and launch templates, of which several hosts launch at the
 * same moment.
 */
import { describe, expect, it } from 'vitest'
import type { HostName } from '../../../src/model/ids.ts'
import type { Store } from '../../../src/store/store.ts'
import { type StoreFixture, storeFixture } from './fixture.ts'
import * as given from './records.ts'

const RACES = 4
const AT_ONCE = 4
const GROUP = given.nth('pg', 1)
const TEMPLATE = given.nth('lt', 1)
const OF = { account: given.ACCOUNT, createdAt: given.NOW }

/** What becomes of work that both stores do at once, several times each. */
async function atOnce<T>(
  stores: readonly Store[],
  work: (store: Store, at: number) => Promise<T>,
): Promise<readonly T[]> {
  const all = Array.from({ length: AT_ONCE }, async (_, at) => {
    const store = stores[at % stores.length]
    if (store === undefined) throw new Error('there is no store')
    return await work(store, at)
  })
  return await Promise.all(all)
}

/** Groups and templates. */
export function describePlacementGroups(begin: () => Promise<StoreFixture>): void {
  describe('placement groups', () => {
    const fixture = storeFixture(begin)
    const stores = () => [fixture.store, fixture.peer]
    const makeGroup = () =>
      fixture.store.change((tx) =>
        tx.insertPlacementGroup({
          ...{ ...OF, id: GROUP, name: 'group', strategy: 'cluster', spreadLevel: null },
          ...{ partitionCount: null, members: 0, zone: null },
        }),
      )
    const slots = () => fixture.peer.read((tx) => tx.placementSlots(GROUP), { sees: 'latest' })
    const slot = (host: string, partitionNumber = 0) => ({
      ...{ placementGroup: GROUP, host: host as HostName, partitionNumber },
    })

    it('give the place on a host to one member when each must be alone', async () => {
      for (let race = 0; race < RACES; race += 1) {
        const place = slot(`alone-${race}`)
        const outcomes = await atOnce(stores(), (store) =>
          store.claim((tx) => tx.takePlacementSlot(place, true)),
        )
        expect(outcomes.toSorted()).toEqual(['done', 'taken', 'taken', 'taken'])
      }
      expect((await slots()).map(({ members }) => members)).toEqual([1, 1, 1, 1])
    })

    it('have a host in one partition, with as many members as were put there', async () => {
      for (let race = 0; race < RACES; race += 1) {
        const outcomes = await atOnce(stores(), (store, at) =>
          store.claim((tx) => tx.takePlacementSlot(slot(`host-${race}`, 1 + (at % 2)), false)),
        )
        expect(outcomes.toSorted()).toEqual(['done', 'done', 'taken', 'taken'])
      }
      for (const { host, members } of await slots()) {
        expect(members).toBe(2)
        await atOnce(stores(), async (store, at) => {
          if (at < 2) await store.change((tx) => tx.freePlacementSlot(GROUP, host))
        })
      }
      expect(await slots()).toEqual([])
    })

    it('are not deleted while they have members, and get none once they are', async () => {
      for (let race = 0; race < RACES; race += 1) {
        await makeGroup()
        const joining = { members: 1, zone: 'atoll-1a' }
        const [joined, deleted] = await Promise.all([
          fixture.store.claim((tx) => tx.joinPlacementGroup(GROUP, joining)),
          fixture.peer.change((tx) => tx.deletePlacementGroup(GROUP)),
        ])
        expect([joined, deleted]).toSatisfy(
          ([one, other]: readonly string[]) => (one === 'done') !== (other === 'done'),
        )
        if (joined !== 'done') continue
        await fixture.peer.change((tx) => tx.leavePlacementGroup(GROUP, given.HOST))
        expect(await fixture.store.change((tx) => tx.deletePlacementGroup(GROUP))).toBe('done')
      }
    })

    it('of which all members are in one zone get none in another', async () => {
      await makeGroup()
      const outcomes = await atOnce(stores(), (store, at) =>
        store.claim((tx) => tx.joinPlacementGroup(GROUP, { members: 1, zone: `zone-${at % 2}` })),
      )
      expect(outcomes.toSorted()).toEqual(['done', 'done', 'elsewhere', 'elsewhere'])
    })

    it('do not share a name in one account', async () => {
      await makeGroup()
      expect(await makeGroup()).toBe('exists')
    })
  })

  describe('launch templates', () => {
    const fixture = storeFixture(begin)

    it('have versions of different numbers, whoever makes them at once', async () => {
      const template = { ...OF, id: TEMPLATE, name: 'web', createdBy: 'alice' }
      await fixture.store.change((tx) =>
        tx.insertLaunchTemplate({
          ...{ ...template, defaultVersion: 1, latestVersion: 1, lastVersion: 1 },
        }),
      )
      const data = { UserData: 'x'.repeat(40_000), Tags: ['é😀'] }
      const numbers = await atOnce([fixture.store, fixture.peer], (store, at) =>
        store.change(async (tx) => {
          const [found] = await tx.launchTemplates({ account: given.ACCOUNT })
          const version = 1 + (found?.lastVersion ?? 0)
          await tx.updateLaunchTemplate(TEMPLATE, { latestVersion: version, lastVersion: version })
          const of = { ...OF, template: TEMPLATE, version, request: `${at}`, createdBy: 'alice' }
          expect(await tx.insertLaunchTemplateVersion({ ...of, description: '', data })).toBe(
            'done',
          )
          return version
        }),
      )
      expect(numbers.toSorted()).toEqual([2, 3, 4, 5])
      const query = { account: given.ACCOUNT, templates: [TEMPLATE] }
      const versions = await fixture.peer.read((tx) => tx.launchTemplateVersions(query), {
        sees: 'latest',
      })
      expect(versions.map((one) => one.data)).toEqual([data, data, data, data])
      await fixture.peer.change((tx) => tx.deleteLaunchTemplate(TEMPLATE))
      expect(await fixture.peer.read((tx) => tx.launchTemplateVersions(query))).toEqual([])
    })
  })
}
