/** The `Store` contract: volumes, beside daemons that know nothing of them. */
import { describe, expect, it } from 'vitest'
import type { Volume } from '../../../src/model/records.ts'
import { volumeRecord } from '../../kit/records.ts'
import { type StoreFixture, storeFixture } from './fixture.ts'
import * as given from './records.ts'

/** What a host and an account find of their volumes, whoever wrote to the instances meanwhile. */
export function describeVolumes(begin: () => Promise<StoreFixture>): void {
  describe('volumes', () => {
    const fixture = storeFixture(begin)
    const [one, two] = [given.instance(1), given.instance(2, { host: given.OTHER_HOST })]
    const attached = [volumeRecord(1, one), volumeRecord(2, two, { deleteOnTermination: false })]
    const detached: Partial<Volume> = { instance: null, state: 'available' }
    const alone = volumeRecord(3, one, { ...detached, account: given.OTHER_ACCOUNT })
    const storage = 'st-0123456789abcdef'
    const stored = volumeRecord(4, two, { storage, sizeGiB: 50 })
    const all = [...attached, alone]

    async function fill(): Promise<void> {
      await fixture.store.change(async (tx) => {
        for (const instance of [one, two]) await tx.insertInstance(instance)
        for (const volume of all) await tx.insertVolume(volume)
      })
    }
    const find = (query: object) => fixture.peer.read((tx) => tx.volumes(query))

    it.each([
      ['everything', {}, all],
      ['an account', { account: given.OTHER_ACCOUNT }, [alone]],
      ['ids', { ids: [alone.id, attached[0]?.id] }, [attached[0], alone]],
      ['instances', { instances: [two.id] }, [attached[1]]],
      ['a host', { hosts: [given.HOST] }, [attached[0], alone]],
      ['nothing in common', { hosts: [given.HOST], instances: [two.id] }, []],
    ])('are found by %s', async (_name, query, expected) => {
      await fill()
      expect(await find(query)).toStrictEqual(expected)
    })

    it('on a storage take nothing of the disks of a host', async () => {
      await fill()
      await fixture.store.change((tx) => tx.insertVolume(stored))
      expect(await find({ ids: [stored.id] })).toStrictEqual([stored])
      // It counts its disks when it is there already.
      for (const _again of [1, 2])
        await fixture.store.change((tx) =>
          tx.upsertHost({ ...given.hostRow, name: given.OTHER_HOST }, 60_000),
        )
      const hosts = await fixture.peer.read((tx) => tx.hosts([given.OTHER_HOST]))
      expect(hosts.map(({ usedDiskGiB }) => usedDiskGiB)).toEqual([attached[1]?.sizeGiB])
    })

    it('lie where their instance is, also when somebody moved it who knows of no volumes', async () => {
      await fixture.store.change(async (tx) => {
        await tx.insertInstance({ ...one, claimed: false })
        await tx.insertVolume(volumeRecord(1, one))
        await tx.moveInstance(one.id, given.HOST, given.OTHER_HOST)
      })
      expect(await find({ hosts: [given.HOST] })).toEqual([])
      expect(await find({ hosts: [given.OTHER_HOST] })).toMatchObject([{ host: given.OTHER_HOST }])
    })

    it('of an instance that somebody ended who knows of none count for nothing, and go with its record', async () => {
      await fill()
      await fixture.store.change((tx) => tx.updateInstance(one.id, { state: 'terminated' }))
      expect(await find({})).toStrictEqual([attached[1], alone])
      expect(await find({ instances: [one.id] })).toStrictEqual([attached[0]])
      await fixture.store.change((tx) => tx.deleteInstance(one.id))
      expect(await find({ instances: [one.id] })).toEqual([])
    })

    it('change in what is given and nothing else, and are no more when they are deleted', async () => {
      await fill()
      const change = { ...detached, host: given.HOST, deleteOnTermination: true }
      await fixture.store.change(async (tx) => {
        await tx.updateVolume(alone.id, {})
        for (const { id } of attached) await tx.updateVolume(id, change)
      })
      expect(await find({})).toStrictEqual([
        ...attached.map((volume) => ({ ...volume, ...change })),
        alone,
      ])
      await fixture.store.change(async (tx) => {
        for (const { id } of attached) await tx.deleteVolume(id)
      })
      expect(await find({})).toStrictEqual([alone])
    })
  })
}
