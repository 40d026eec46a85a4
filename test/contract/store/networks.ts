/** VPCs and subnets: what may overlap, what holds them, and who finds out first. */

import { describe, expect, it } from 'vitest'
import type { DhcpOptions } from '../../../src/model/dhcp-options.ts'
import type { Subnet, Vpc } from '../../../src/model/records.ts'
import type { Tx } from '../../../src/store/store.ts'
import { type StoreFixture, storeFixture } from './fixture.ts'
import * as given from './records.ts'

const RACES = 4
/** With networks of their own, and the range of the first VPC. */
const own: Vpc = { ...given.vpc, id: given.nth('vpc', 7), isDefault: false, network: 7 }
const other: Vpc = { ...own, id: given.nth('vpc', 8), network: 8 }
const inOwn: Subnet = { ...given.subnet, id: given.nth('subnet', 7), vpc: own.id }
const inOther: Subnet = { ...inOwn, id: given.nth('subnet', 8), vpc: other.id, mapPublicIp: true }

/** VPCs and subnets. */
export function describeNetworks(begin: () => Promise<StoreFixture>): void {
  describe('VPCs and subnets', () => {
    const fixture = storeFixture(begin)
    const write = <R>(work: (tx: Tx) => Promise<R>) => fixture.store.change(work)

    it('may overlap where each has a number, down to the addresses of NICs', async () => {
      const { ip } = given.nic(1)
      const results = await write(async (tx) => {
        for (const number of [1, 2, 3, 4]) await tx.insertInstance(given.instance(number))
        return [
          await tx.insertVpc(own),
          await tx.insertVpc({ ...other, network: own.network }),
          await tx.insertVpc(other),
          await tx.insertSubnet(inOwn),
          await tx.insertSubnet(inOther),
          await tx.insertSubnet({ ...inOther, id: given.nth('subnet', 9) }),
          await tx.insertNic(given.nic(1, { ip })),
          await tx.insertNic(given.nic(2, { ip, vpc: own.id, subnet: inOwn.id })),
          await tx.insertNic(given.nic(3, { ip, vpc: other.id, subnet: inOther.id })),
          await tx.insertNic(given.nic(4, { ip, vpc: other.id, subnet: inOther.id })),
        ]
      })
      expect(results).toEqual([
        'done',
        'exists', // the number
        'done',
        'done',
        'done',
        'exists', // the range in the VPC
        'done',
        'done',
        'done',
        'taken', // the address in the VPC
      ])
      await fixture.peer.read(async (tx) => {
        expect(await tx.vpcs({})).toStrictEqual([given.vpc, own, other])
        expect(await tx.subnets({ vpc: other.id })).toStrictEqual([inOther])
        expect((await tx.nics({})).map((nic) => [nic.ip, nic.vpc])).toEqual([
          [ip, given.vpc.id],
          [ip, own.id],
          [ip, other.id],
        ])
      })
    })

    it('have settings, which change', async () => {
      await write(async (tx) => {
        await tx.insertVpc(own)
        await tx.insertSubnet(inOwn)
        await tx.updateVpc(own, { dnsSupport: false, dnsHostnames: true })
        await tx.updateSubnet(inOwn, { mapPublicIp: true })
      })
      await fixture.peer.read(async (tx) => {
        expect((await tx.vpcs({}))[1]).toStrictEqual({ ...own, dnsSupport: false })
        expect(await tx.subnets({ ids: [inOwn.id] })).toStrictEqual([
          { ...inOwn, mapPublicIp: true },
        ])
      })
    })

    it('have sets of DHCP options, which stay while a VPC has them', async () => {
      const set: DhcpOptions = {
        id: given.nth('dopt', 1),
        account: given.ACCOUNT,
        domainNames: ['corp.example', 'lab.example'],
        nameServers: [given.nic(1).ip, 'AmazonProvidedDNS'],
        timeServers: [],
        netbiosServers: [given.nic(1).ip],
        netbiosNodeType: 2,
      }
      const results = await write(async (tx) => {
        await tx.insertVpc(own)
        await tx.updateVpc(own, { dnsSupport: false, dnsHostnames: true })
        await tx.insertDhcpOptions(set)
        return [
          await tx.associateDhcpOptions(own.id, set.id),
          await tx.associateDhcpOptions(own.id, set.id),
          await tx.associateDhcpOptions(given.vpc.id, given.nth('dopt', 9)),
          await tx.deleteDhcpOptions(set.id),
          await tx.deleteVpc(own),
        ]
      })
      expect(results).toEqual(['done', 'done', 'no-options', 'in-use', 'in-use'])
      await fixture.peer.read(async (tx) => {
        expect(await tx.dhcpOptions({ account: given.ACCOUNT })).toStrictEqual([set])
        expect(await tx.dhcpOptions({ account: given.OTHER_ACCOUNT })).toEqual([])
        expect(await tx.vpcDns([given.vpc.id, own.id])).toStrictEqual([
          { vpc: given.vpc.id, dnsSupport: true, options: null },
          { vpc: own.id, dnsSupport: false, options: set },
        ])
      })
      const freed = await write(async (tx) => {
        await tx.associateDhcpOptions(own.id, null)
        return [await tx.deleteDhcpOptions(set.id), await tx.deleteVpc(own)]
      })
      expect(freed).toEqual(['done', 'done'])
    })

    it('stay while something is in them', async () => {
      const group = { ...given.group, id: given.nth('sg', 7), vpc: own.id }
      const results = await write(async (tx) => {
        await tx.insertVpc(own)
        await tx.insertSubnet(inOwn)
        await tx.insertGroup(group)
        await tx.insertInstance(given.instance(1))
        await tx.insertNic(given.nic(1, { vpc: own.id, subnet: inOwn.id, groups: [] }))
        const done: string[] = [await tx.deleteSubnet(inOwn), await tx.deleteVpc(own)]
        await tx.deleteNics(given.instance(1).id)
        done.push(await tx.deleteSubnet(inOwn), await tx.deleteVpc(own))
        await tx.deleteGroup(group)
        done.push(await tx.deleteVpc(own))
        return done
      })
      expect(results).toEqual(['in-use', 'in-use', 'done', 'in-use', 'done'])
      expect(await fixture.peer.read((tx) => tx.vpcs({}))).toEqual([given.vpc])
    })

    it('are never both removed and given something, whoever is first', async () => {
      const isThere = async (tx: Tx) => (await tx.vpcs({})).some(({ id }) => id === own.id)
      const group = { ...given.group, id: given.nth('sg', 7), vpc: own.id }
      const additions: readonly ((tx: Tx) => Promise<unknown>)[] = [
        (tx) => tx.insertSubnet(inOwn),
        (tx) => tx.insertGroup(group),
      ]
      for (const add of [...additions, ...additions]) {
        await write((tx) => tx.insertVpc(own))
        const [added, removed] = await Promise.all([
          // Seen by an older snapshot, the VPC is there; then all of it is run again.
          write(async (tx) => ((await isThere(tx)) ? await add(tx) : 'no VPC')),
          fixture.peer.change((tx) => tx.deleteVpc(own)),
        ])
        expect([added, removed]).toEqual(
          removed === 'done' ? ['no VPC', 'done'] : ['done', 'in-use'],
        )
        await write(async (tx) => {
          if (removed === 'done') return
          await tx.deleteSubnet(inOwn)
          await tx.deleteGroup(group)
          await tx.deleteVpc(own)
        })
      }
    })

    it('are never both removed and launched into, whoever is first', async () => {
      for (let race = 1; race <= RACES; race++) {
        const { id } = given.instance(race)
        await write(async (tx) => {
          await tx.insertSubnet({ ...given.subnet, id: inOwn.id, cidr: given.farSubnet.cidr })
          await tx.insertInstance(given.instance(race))
        })
        const [launched, removed] = await Promise.all([
          fixture.store.claim((tx) => tx.insertNic(given.nic(race, { subnet: inOwn.id }))),
          fixture.peer.change((tx) => tx.deleteSubnet({ id: inOwn.id, vpc: given.vpc.id })),
        ])
        expect([launched, removed]).toEqual(
          removed === 'done' ? ['no-subnet', 'done'] : ['done', 'in-use'],
        )
        await write(async (tx) => {
          await tx.deleteNics(id)
          if (removed === 'in-use') await tx.deleteSubnet({ id: inOwn.id, vpc: given.vpc.id })
        })
      }
    })
  })
}
