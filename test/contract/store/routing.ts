/** Gateways, route tables and network ACLs: what holds what, who is first, and whom it concerns. */
import { describe, expect, it } from 'vitest'
import { cidr } from '../../../src/model/addr.ts'
import { newIds } from '../../../src/model/ids.ts'
import { DEFAULT_ACL_RULES } from '../../../src/model/network-acl.ts'
import type { Route } from '../../../src/model/route-table.ts'
import { completeOlderVpcs, insertWholeVpc } from '../../../src/store/new-vpc.ts'
import { readRouting } from '../../../src/store/routing.ts'
import type { Tx } from '../../../src/store/store.ts'
import { type StoreFixture, storeFixture } from './fixture.ts'
import * as given from './records.ts'

const of = { account: given.ACCOUNT, vpc: given.vpc.id }
const { vpc } = of
const gateway = { ...of, id: given.nth('igw', 1), vpc: null }
const table = { ...of, id: given.nth('rtb', 1) }
const route: Route = {
  ...{ table: table.id, vpc },
  destination: cidr('0.0.0.0/0'),
  target: { kind: 'internet-gateway', id: gateway.id },
}
const association = { id: given.nth('rtbassoc', 1), table: table.id, vpc, subnet: null }
const acl = { ...of, id: given.nth('acl', 1), isDefault: true }
const entries = DEFAULT_ACL_RULES.map((rule) => ({ ...rule, acl: acl.id, vpc }))
const nat = {
  ...{ ...of, id: given.nth('nat', 1), subnet: given.otherSubnet.id },
  createdAt: '2026-11-22T08:00:00.000Z',
}
const aclAssociation = {
  ...{ id: given.nth('aclassoc', 1), acl: acl.id, vpc, subnet: given.otherSubnet.id },
}

async function insertAll(tx: Tx): Promise<void> {
  await tx.insertInternetGateway(gateway)
  await tx.attachInternetGateway(gateway.id, { vpc })
  await tx.insertNatGateway(nat)
  await tx.insertRouteTable(table)
  await tx.insertRoute(route)
  await tx.insertRouteTableAssociation(association)
  await tx.insertNetworkAcl(acl)
  for (const entry of entries) await tx.insertNetworkAclEntry(entry)
  await tx.associateNetworkAcl(aclAssociation)
}

/** The part of the contract. */
export function describeRouting(begin: () => Promise<StoreFixture>): void {
  describe('gateways, route tables and network ACLs', () => {
    const fixture = storeFixture(begin)
    const write = <R>(work: (tx: Tx) => Promise<R>) => fixture.store.change(work)
    const look = () => fixture.peer.read((tx) => readRouting(tx, [vpc]))

    it('are there as they were written, and go one by one', async () => {
      await write(insertAll)
      expect(await look()).toStrictEqual([
        {
          vpc,
          internetGateways: [{ ...gateway, vpc }],
          natGateways: [nat],
          tables: [table],
          routes: [route],
          associations: [association],
          acls: [acl],
          aclEntries: entries,
          aclAssociations: [aclAssociation],
        },
      ])
      const held = await write(async (tx) => [
        await tx.deleteRouteTable(table),
        await tx.deleteInternetGateway(gateway.id),
        await tx.deleteSubnet(given.otherSubnet),
        await tx.deleteVpc(given.vpc),
      ])
      expect(held).toEqual(['in-use', 'in-use', 'in-use', 'in-use'])
      const gone = await write(async (tx) => {
        await tx.detachInternetGateway(gateway.id, { vpc })
        await tx.deleteNatGateway(nat)
        await tx.deleteRouteTableAssociation(association)
        return [
          await tx.deleteInternetGateway(gateway.id),
          // With its routes; and the subnet with its association.
          await tx.deleteRouteTable(table),
          await tx.deleteSubnet(given.otherSubnet),
          await tx.deleteNetworkAcl(acl),
        ]
      })
      expect(gone).toEqual(['done', 'done', 'done', 'done'])
      const nothing = { internetGateways: [], natGateways: [], tables: [], routes: [] }
      const none = { associations: [], acls: [], aclEntries: [], aclAssociations: [] }
      expect(await look()).toStrictEqual([{ vpc, ...nothing, ...none }])
    })

    it('are each the only one of their kind', async () => {
      await write(insertAll)
      const id = given.nth('igw', 2)
      const results = await write(async (tx) => {
        await tx.insertInternetGateway({ ...gateway, id })
        return [
          await tx.attachInternetGateway(id, { vpc }),
          await tx.attachInternetGateway(gateway.id, { vpc }),
          await tx.insertRoute(route),
          await tx.insertRouteTableAssociation({ ...association, id: given.nth('rtbassoc', 2) }),
          await tx.insertNetworkAcl({ ...acl, id: given.nth('acl', 2) }),
          await tx.insertNetworkAclEntry(entries[0] ?? ({} as never)),
        ]
      })
      expect(results).toEqual(['taken', 'taken', 'exists', 'exists', 'exists', 'exists'])
    })

    it('one of two hosts attaches a gateway', async () => {
      const second = { ...gateway, id: given.nth('igw', 2) }
      await write(async (tx) => {
        for (const one of [gateway, second]) await tx.insertInternetGateway(one)
      })
      const results = await Promise.all([
        fixture.store.change((tx) => tx.attachInternetGateway(gateway.id, { vpc })),
        fixture.peer.change((tx) => tx.attachInternetGateway(second.id, { vpc })),
      ])
      expect(results.toSorted()).toEqual(['done', 'taken'])
    })

    it('come with a new VPC, and are given to one that an older daemon made', async () => {
      const random = (length: number) => new Uint8Array(length).fill(counter++)
      let counter = 1
      const made = { ...given.vpc, id: given.nth('vpc', 7), isDefault: false, network: 7 }
      await write((tx) => insertWholeVpc(tx, made, newIds(random)))
      await write(completeOlderVpcs)
      const [older, own] = await fixture.peer.read((tx) => readRouting(tx, [vpc, made.id]))
      expect(own).toMatchObject({ internetGateways: [], routes: [], associations: [{}] })
      expect(own?.aclEntries).toHaveLength(2)
      expect(older).toMatchObject({ internetGateways: [{}], routes: [{}], associations: [{}] })
      // Once.
      await write(completeOlderVpcs)
      expect(await look()).toStrictEqual([older])
    })
  })
}
