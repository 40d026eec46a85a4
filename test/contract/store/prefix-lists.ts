/** The `Store` contract: managed prefix lists, their versions, and whom their entries concern. */
import { describe, expect, it } from 'vitest'
import type { PrefixList } from '../../../src/model/prefix-list.ts'
import { announcing } from '../../../src/store/announce.ts'
import { ofVpc, type Scope } from '../../../src/store/scope.ts'
import { type StoreFixture, storeFixture } from './fixture.ts'
import * as given from './records.ts'

const LIST: PrefixList = {
  ...{ id: given.nth('pl', 1), account: given.ACCOUNT, name: 'office', addressFamily: 'IPv4' },
  ...{ maxEntries: 10, version: 1, state: 'create-complete' },
}
const { id } = LIST
const A = { cidr: '10.0.0.0/8', description: 'a' }
const B = { cidr: '192.0.2.0/24', description: '' }
const RULE = {
  ...{ id: given.nth('sgr', 1), group: given.group.id, vpc: given.vpc.id },
  ...{ account: given.ACCOUNT, egress: false, protocol: 6, fromPort: 22, toPort: 22 },
  ...{ peer: { kind: 'list', list: id } as const, description: '' },
}

/** Lists. */
export function describePrefixLists(begin: () => Promise<StoreFixture>): void {
  describe('prefix lists', () => {
    const fixture = storeFixture(begin)
    const cidrs = (version: number) =>
      fixture.peer.read(
        async (tx) =>
          (await tx.prefixListEntriesIn({ id, version })).map(
            ({ cidr, description }) => `${cidr} ${description}`,
          ),
        { sees: 'latest' },
      )

    it('have versions of entries, each written once however often', async () => {
      const again = { ...A, description: 'again' }
      const changes = [
        { id, version: 1, removed: [], added: [A, B] },
        { id, version: 2, removed: [A.cidr, B.cidr], added: [again] },
        { id, version: 3, removed: [A.cidr], added: [] },
      ]
      await fixture.store.change((tx) => tx.insertPrefixList(LIST))
      for (const change of changes) {
        await fixture.store.change((tx) => tx.putPrefixListEntries(change))
        await fixture.store.change((tx) => tx.putPrefixListEntries(change))
      }
      const renamed = { ...LIST, name: 'other', version: 3, state: 'modify-complete' } as const
      await fixture.store.change((tx) => tx.updatePrefixList(renamed))
      expect(await cidrs(1)).toEqual(['10.0.0.0/8 a', '192.0.2.0/24 '])
      expect(await cidrs(2)).toEqual(['10.0.0.0/8 again'])
      expect(await cidrs(3)).toEqual([])
      await fixture.peer.read(async (tx) => {
        expect(await tx.prefixLists({ account: given.ACCOUNT })).toStrictEqual([renamed])
        expect(await tx.prefixLists({ account: given.OTHER_ACCOUNT })).toEqual([])
        expect(await tx.prefixLists({ ids: [id] })).toStrictEqual([renamed])
        expect(await tx.prefixListEntries({ lists: [id] })).toEqual([])
      })
    })

    it('concern the VPCs whose rules name them, and stay while there are any', async () => {
      await fixture.store.change(async (tx) => {
        await tx.insertPrefixList(LIST)
        await tx.putPrefixListEntries({ id, version: 1, removed: [], added: [A] })
      })
      let touched: readonly Scope[] | null = null
      const told = announcing(fixture.store, (scopes) => {
        touched = scopes
      })
      await told.change((tx) =>
        tx.putPrefixListEntries({ id, version: 2, removed: [], added: [B] }),
      )
      expect(touched).toBeNull()
      await fixture.store.change((tx) => tx.insertGroupRule(RULE))
      await told.change((tx) =>
        tx.putPrefixListEntries({ id, version: 3, removed: [B.cidr], added: [] }),
      )
      expect(touched).toEqual([ofVpc(given.vpc.id)])
      const found = await fixture.peer.read((tx) => tx.groupRulesNamingList(id))
      expect(found).toStrictEqual([RULE])
      expect(await fixture.store.change((tx) => tx.deletePrefixList({ id }))).toBe('in-use')
      await fixture.store.change((tx) => tx.deleteGroupRule(RULE))
      expect(await fixture.store.change((tx) => tx.deletePrefixList({ id }))).toBe('done')
      expect(await cidrs(3)).toEqual([])
    })
  })
}
