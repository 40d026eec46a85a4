/** Gateways, route tables and network ACLs: what holds what, who is first, and whom it concerns. */
import { describe, expect, it } from 'vitest'
import { cidr, ipv4 } from '../../../src/model/addr.ts'
import { newIds } from '../../../src/model/ids.ts'
import { DEFAULT_ACL_RULES } from '../../../src/model/network-acl.ts'
import type { Route } from '../../../src/model/route-table.ts'
import { completeOlderVpcs, insertWholeVpc } from '../../../src/store/new-vpc.ts'
import { readRouting } from '../../../src/store/routing.ts'
import type { Store, Tx } from '../../../src/store/store.ts'
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

    describe('NAT gateways with an address', () => {
      const ip = ipv4('203.0.113.7')
      const nic = { ...given.nic(9), instance: null, groups: [] }
      const allocation = given.nth('eipalloc', 9)
      const addressed = { ...nat, address: { nic: nic.id, ip, carrier: null } }
      const own = { id: given.nth('eipassoc', 9), nic: nic.id, privateIp: nic.ip }
      const other = { ...given.hostRow, name: given.OTHER_HOST }
      const LONG_MS = 60_000
      const allocate = (tx: Tx) =>
        tx.insertAddress({
          ...{ id: allocation, account: given.ACCOUNT, ip, pool: 'public', isAutomatic: false },
          ...{ association: null, createdAt: given.NOW },
        })
      /** As an action does that finds it free. */
      const take = async (tx: Tx, association: typeof own) => {
        const [known] = await tx.addresses({ ids: [allocation] })
        if (known?.association !== null) return 'taken'
        return await tx.associateAddress(allocation, association)
      }
      const make = () =>
        write(async (tx) => {
          await tx.insertNic(nic)
          await allocate(tx)
          await tx.associateAddress(allocation, own)
          await tx.insertNatGateway(addressed)
          await tx.upsertHost(other, LONG_MS)
        })
      const carrier = async () =>
        (await fixture.peer.read((tx) => tx.natGateways({ ids: [nat.id] })))[0]?.address?.carrier
      const carry = (store: Store, to: typeof given.HOST, from: typeof to | null) =>
        store.change((tx) => tx.carryNatGateway(nat, { from, to }))
      const uncarried = () => fixture.peer.single((tx) => tx.uncarriedNatGateways([nat.id]))

      it('have it as long as it leads to their NIC', async () => {
        await make()
        const look = async () => await fixture.peer.read((tx) => tx.natGateways({ nics: [nic.id] }))
        expect(await look()).toStrictEqual([addressed])
        await write((tx) => tx.associateAddress(allocation, null))
        expect(await look()).toStrictEqual([
          { ...addressed, address: { ...addressed.address, ip: null } },
        ])
      })

      it('one of two gets an address that both want, or an instance does', async () => {
        for (let race = 1; race <= 4; race += 1) {
          const nics = [1, 2].map((at) => ({
            ...given.nic(10 * race + at),
            ...{ instance: null, groups: [] },
          }))
          await write(async (tx) => {
            for (const one of nics) await tx.insertNic(one)
            if (race === 1) await allocate(tx)
            else await tx.associateAddress(allocation, null)
          })
          const results = await Promise.all(
            [fixture.store, fixture.peer].map((store, at) =>
              store.change(async (tx) => {
                const { id, ip: privateIp } = nics[at] ?? nic
                const taking = { id: given.nth('eipassoc', 10 * race + at), nic: id, privateIp }
                const result = await take(tx, taking)
                if (result !== 'done' || at === 1) return result
                const gateway = { ...nat, id: given.nth('nat', 10 + race) }
                await tx.insertNatGateway({ ...gateway, address: { nic: id, ip, carrier: null } })
                return result
              }),
            ),
          )
          expect(results.toSorted()).toEqual(['done', 'taken'])
        }
      })

      it('are carried by one of the hosts that would at once, with a live lease', async () => {
        await make()
        expect(await carry(fixture.store, 'nobody' as typeof given.HOST, null)).toBe('lost')
        const results = await Promise.all([
          carry(fixture.store, given.HOST, null),
          carry(fixture.peer, given.OTHER_HOST, null),
        ])
        expect(results.toSorted()).toEqual(['done', 'lost'])
        const first = (await carrier()) ?? given.HOST
        const [second] = [given.HOST, given.OTHER_HOST].filter((one) => one !== first)
        expect(await carry(fixture.store, first, null)).toBe('lost')
        expect(await carry(fixture.store, second ?? first, first)).toBe('done')
        expect(await carrier()).toBe(second)
        await write((tx) => tx.renewLease({ ...other, name: first }, -1, given.SAID))
        expect(await carry(fixture.store, first, second ?? first)).toBe('lost')
      })

      it('need a host that is live, does not drain, and has an instance of their VPC', async () => {
        await make()
        expect(await uncarried()).toEqual([nat.id])
        await carry(fixture.store, given.HOST, null)
        expect(await uncarried()).toEqual([nat.id])
        await write(async (tx) => {
          await tx.insertInstance(given.instance(1))
          await tx.insertNic(given.nic(1))
        })
        expect(await uncarried()).toEqual([])
        await write((tx) => tx.setHostState(given.HOST, 'draining'))
        expect(await uncarried()).toEqual([nat.id])
        await write((tx) => tx.setHostState(given.HOST, 'active'))
        expect(await uncarried()).toEqual([])
        await write((tx) => tx.renewLease(given.hostRow, -1, given.SAID))
        expect(await uncarried()).toEqual([nat.id])
        await write(async (tx) => {
          await tx.renewLease(given.hostRow, LONG_MS, given.SAID)
          await tx.updateInstance(given.instance(1).id, { state: 'terminated' })
        })
        expect(await uncarried()).toEqual([nat.id])
        // One without an address needs none.
        await write(async (tx) => {
          await tx.deleteNatGateway(nat)
          await tx.insertNatGateway(nat)
        })
        expect(await uncarried()).toEqual([])
        expect(await carry(fixture.store, given.HOST, null)).toBe('lost')
      })
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
