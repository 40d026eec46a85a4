import { expect, it } from 'vitest'
import { openRecords } from '../../kit/cluster-records.ts'
import { hostName } from '../../kit/records.ts'

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
