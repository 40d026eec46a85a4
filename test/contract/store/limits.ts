/**
 * Limits on what an account has: whoever creates something counts what there is first, and two who
 * do so at the same moment never end up above the limit.
 *
 * What changes a scope of its VPC or of all is counted right without more. Before counting what
 * changes none, `takeTurn` is called.
 */
import { describe, expect, it } from 'vitest'
import { ipv4 } from '../../../src/model/addr.ts'
import { ALL_OUT } from '../../../src/model/group-rule.ts'
import type { Tx } from '../../../src/store/store.ts'
import { type StoreFixture, storeFixture } from './fixture.ts'
import * as given from './records.ts'

const RACES = 3
const AT_ONCE = 4

interface Kind {
  readonly what: string
  count(tx: Tx): Promise<number>
  insert(tx: Tx, number: number): Promise<unknown>
}

const { ACCOUNT, vpc, group } = given
const network = (number: number) => ({ network: ipv4(`10.${number}.0.0`), prefix: 16 })

const KINDS: readonly Kind[] = [
  {
    what: 'VPCs',
    count: async (tx) => (await tx.vpcs({ account: ACCOUNT })).length,
    insert: (tx, number) =>
      tx.insertVpc({
        ...{ ...vpc, id: given.nth('vpc', 100 + number), cidr: network(number) },
        ...{ network: 100 + number, isDefault: false },
      }),
  },
  {
    what: 'subnets of a VPC',
    count: async (tx) => (await tx.subnets({ vpc: vpc.id })).length,
    insert: (tx, number) =>
      tx.insertSubnet({
        ...{ ...given.subnet, id: given.nth('subnet', 100 + number), cidr: network(number) },
        isDefault: false,
      }),
  },
  {
    what: 'groups of a VPC',
    count: async (tx) => (await tx.groups({ vpcs: [vpc.id] })).length,
    insert: (tx, number) =>
      tx.insertGroup({ ...group, id: given.nth('sg', 100 + number), name: `group ${number}` }),
  },
  {
    what: 'rules of a group',
    count: async (tx) => (await tx.groupRules({ groups: [group.id] })).length,
    insert: (tx, number) =>
      tx.insertGroupRule({
        ...{ ...ALL_OUT, id: given.nth('sgr', 100 + number), group: group.id, vpc: vpc.id },
        ...{ peer: { kind: 'ipv4', cidr: network(number) }, account: ACCOUNT, description: '' },
      }),
  },
  {
    what: 'floating IPs',
    async count(tx) {
      await tx.takeTurn(ACCOUNT)
      return (await tx.addresses({ account: ACCOUNT })).length
    },
    insert: (tx, number) =>
      tx.insertAddress({
        ...{ id: given.nth('eipalloc', number), ip: ipv4(`203.0.113.${number}`), pool: 'public' },
        ...{ account: ACCOUNT, isAutomatic: false, association: null, createdAt: given.NOW },
      }),
  },
  {
    what: 'sets of DHCP options',
    async count(tx) {
      await tx.takeTurn(ACCOUNT)
      return (await tx.dhcpOptions({ account: ACCOUNT })).length
    },
    insert: (tx, number) =>
      tx.insertDhcpOptions({
        ...{ id: given.nth('dopt', number), account: ACCOUNT },
        ...{ domainNames: ['example.com'], nameServers: [], timeServers: [] },
      }),
  },
  {
    what: 'tags of a VPC',
    async count(tx) {
      await tx.takeTurn(ACCOUNT)
      return (await tx.tags({ account: ACCOUNT, resources: [vpc.id] })).length
    },
    insert: (tx, number) =>
      tx.putTags([
        {
          ...{ account: ACCOUNT, resource: vpc.id, resourceType: 'vpc' },
          ...{ key: `key ${number}`, value: '' },
        },
      ]),
  },
]

/** Limits. */
export function describeLimits(begin: () => Promise<StoreFixture>): void {
  describe('limits', () => {
    const fixture = storeFixture(begin)

    it('hold when several create something at once', async () => {
      const above: string[] = []
      for (const { what, count, insert } of KINDS)
        for (let race = 0; race < RACES; race += 1) {
          const before = await fixture.store.change(count)
          const create = (at: number) =>
            (at % 2 === 0 ? fixture.store : fixture.peer).change(async (tx) => {
              if ((await count(tx)) > before) return 'refused'
              await insert(tx, 1 + race * AT_ONCE + at)
              return 'made'
            })
          await Promise.all(Array.from({ length: AT_ONCE }, (_, at) => create(at)))
          const more = (await fixture.peer.change(count)) - before
          if (more !== 1) above.push(`${more} ${what} instead of 1`)
        }
      expect(above).toEqual([])
    })
  })
}
