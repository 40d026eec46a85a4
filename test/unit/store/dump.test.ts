import { expect, it } from 'vitest'
import { ipv4 } from '../../../src/model/addr.ts'
import { makeWorld } from '../../kit/account-world.ts'
import { ALICE, openCloud } from '../../kit/api-cloud.ts'
import { openRecords } from '../../kit/cluster-records.ts'
import { openMemoryStore } from '../../kit/memory-store.ts'
import { hostName, numbered } from '../../kit/records.ts'

it('leaves out what a newer daemon added to the tables', async () => {
  const newer = await openRecords([hostName('a'), hostName('b')])
  const older = await openRecords([])
  const dump = await newer.read((tx) => tx.dump())
  const hosts = dump.hosts.map((row) => ({ ...row, novelty: 1 }))
  await older.change((tx) => tx.restore({ ...dump, hosts }))
  expect(await older.read((tx) => tx.hosts())).toEqual(await newer.read((tx) => tx.hosts()))
  await newer.close()
  await older.close()
})

it('restored twice, and over other records, is the same as once', async () => {
  const ranges = [{ first: ipv4('203.0.113.10'), last: ipv4('203.0.113.20') }]
  const pools = [{ name: 'public', ranges, zones: null }]
  await using cloud = await openCloud({ settings: { pools, vpcPlace: 'own' } })
  await makeWorld(cloud, ALICE, 'alice')
  const dump = await cloud.store.read((tx) => tx.dump())
  const other = await openMemoryStore()
  expect(await other.change((tx) => tx.restore(dump))).toBe(0)
  const once = await other.read((tx) => tx.dump())
  expect(once).toEqual(dump)
  await other.change(async (tx) => {
    for (const { id } of await tx.instances({})) await tx.updateInstance(id, { bootSeen: 7 })
    await tx.insertInternetGateway({ id: numbered('igw', 7), account: ALICE, vpc: null })
  })
  expect(await other.read((tx) => tx.dump())).not.toEqual(once)
  expect(await other.change((tx) => tx.restore(dump))).toBe(0)
  expect(await other.read((tx) => tx.dump())).toEqual(once)
  await other.close()
})
