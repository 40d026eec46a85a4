/** The `Store` contract, second part: UNIQUE keys, capacity, tags and tokens. */
import { describe, expect, it } from 'vitest'
import { cidr } from '../../../src/model/addr.ts'
import type { Tag } from '../../../src/model/records.ts'
import { volumeRecord } from '../../kit/records.ts'
import { type StoreFixture, storeFixture } from './fixture.ts'
import * as given from './records.ts'

/** Whatever is unique is unique, is told without an error, and can be free again. */
export function describeUniqueness(begin: () => Promise<StoreFixture>): void {
  describe('what there may be only once', () => {
    const fixture = storeFixture(begin)

    it('is told, changes nothing, and leaves the transaction usable', async () => {
      const results = await fixture.store.change(async (tx) => {
        await tx.insertInstance(given.instance(1))
        await tx.insertInstance(given.instance(2))
        await tx.insertInstance(given.instance(3))
        return [
          await tx.insertAccount({ ...given.account, name: 'again' }),
          await tx.insertVpc({ ...given.vpc, id: given.nth('vpc', 2) }),
          await tx.insertSubnet({ ...given.subnet, id: given.nth('subnet', 3) }),
          await tx.insertGroup({ ...given.group, id: given.nth('sg', 3) }),
          await tx.insertImage(given.image(1)),
          await tx.insertImage(given.image(2, { name: given.image(1).name })),
          await tx.insertKeyPair(given.keyPair(1)),
          await tx.insertKeyPair(given.keyPair(2, { name: given.keyPair(1).name })),
          await tx.insertClientToken(given.clientToken('t')),
          await tx.insertClientToken(given.clientToken('t', { result: 'another' })),
          await tx.insertNic(given.nic(1)),
          await tx.insertNic(given.nic(2, { ip: given.nic(1).ip })),
          await tx.insertNic(given.nic(2, { mac: given.nic(1).mac })),
          await tx.insertNic(given.nic(2)),
          await tx.insertNic(given.nic(3, { subnet: given.nth('subnet', 99) })),
        ]
      })
      expect(results).toStrictEqual([
        'exists', // account
        'exists', // VPC of the same network
        'exists', // subnet of the same network
        'exists', // group of the same name in the VPC
        'done',
        'exists', // image of the same name
        'done',
        'exists', // key pair of the same name
        'done',
        'exists', // token
        'done',
        'taken', // address
        'taken', // MAC
        'done',
        'no-subnet',
      ])
      await fixture.peer.read(async (tx) => {
        expect((await tx.accounts())[0]).toStrictEqual(given.account)
        expect(await tx.images({})).toStrictEqual([given.image(1)])
        expect(await tx.nics({})).toStrictEqual([given.nic(1), given.nic(2)])
        expect(await tx.clientToken(given.ACCOUNT, 'RunInstances', 't')).toStrictEqual(
          given.clientToken('t'),
        )
      })
    })

    it.each([
      ['account', { account: given.OTHER_ACCOUNT }],
      ['letter case', { name: 'Name' }],
      ['a blank at the end', { name: 'name ' }],
      ['an accent', { name: 'namé' }],
    ])('names that differ in %s are two names', async (_difference, change) => {
      const results = await fixture.store.change(async (tx) => [
        await tx.insertImage(given.image(1, { name: 'name' })),
        await tx.insertImage(given.image(2, { name: 'name', ...change })),
        await tx.insertKeyPair(given.keyPair(1, { name: 'name' })),
        await tx.insertKeyPair(given.keyPair(2, { name: 'name', ...change })),
      ])
      expect(results).toStrictEqual(['done', 'done', 'done', 'done'])
    })

    it('a released address and a deleted name are free again', async () => {
      const results = await fixture.store.change(async (tx) => {
        await tx.insertInstance(given.instance(1))
        await tx.insertNic(given.nic(1))
        await tx.insertImage(given.image(1))
        await tx.insertKeyPair(given.keyPair(1))
        const before = await tx.takenAddresses(given.nic(1).subnet)
        await tx.deleteNics(given.instance(1).id)
        await tx.deleteInstance(given.instance(1).id)
        const gone = { state: 'deregistered', name: 'deregistered' } as const
        await tx.updateImage(given.image(1).id, gone)
        await tx.deleteUnusedImages(given.image(1).host, given.NOW)
        await tx.deleteKeyPair(given.keyPair(1).id)
        const after = await tx.takenAddresses(given.nic(1).subnet)
        await tx.insertInstance(given.instance(2))
        return [
          before,
          after,
          await tx.insertNic(given.nic(2, { ip: given.nic(1).ip, mac: given.nic(1).mac })),
          await tx.insertImage(given.image(2, { name: given.image(1).name })),
          await tx.insertKeyPair(given.keyPair(2, { name: given.keyPair(1).name })),
        ]
      })
      expect(results).toStrictEqual([[given.nic(1).ip], [], 'done', 'done', 'done'])
    })

    it('a NIC cannot outlive its instance, nor stand in a group that is not there', async () => {
      const broken = [
        given.nic(1, { instance: given.nth('i', 99) }),
        given.nic(1, { groups: [given.nth('sg', 99)] }),
      ]
      await fixture.store.change((tx) => tx.insertInstance(given.instance(1)))
      for (const nic of broken)
        await expect(fixture.store.change((tx) => tx.insertNic(nic))).rejects.toMatchObject({
          kind: 'bug',
        })
      const deletion = fixture.store.change(async (tx) => {
        await tx.insertNic(given.nic(1))
        await tx.deleteInstance(given.instance(1).id)
      })
      await expect(deletion).rejects.toMatchObject({ kind: 'bug' })
      expect(await fixture.store.read((tx) => tx.nics({}))).toStrictEqual([])
    })

    it('a VPC of another network is welcome', async () => {
      const other = { ...given.vpc, id: given.nth('vpc', 2), cidr: cidr('10.0.0.0/8') }
      expect(await fixture.store.change((tx) => tx.insertVpc(other))).toBe('done')
    })
  })
}

/** Capacity is never given twice. */
export function describeHosts(begin: () => Promise<StoreFixture>): void {
  describe('hosts', () => {
    const fixture = storeFixture(begin)
    const onlyHost = () => fixture.peer.read(async (tx) => (await tx.hosts())[0])

    it('keep state, used capacity and generation when they announce themselves again', async () => {
      expect(await onlyHost()).toStrictEqual(given.freshHost)
      await fixture.store.change(async (tx) => {
        await tx.takeCapacity(given.HOST, 2, 1024)
        await tx.upsertHost(
          { ...given.hostRow, version: '0.2.0', vcpus: 16, zone: 'atoll-1b' },
          60_000,
        )
      })
      expect(await onlyHost()).toStrictEqual({
        ...given.freshHost,
        version: '0.2.0',
        vcpus: 16,
        zone: 'atoll-1b',
        usedVcpus: 2,
        usedMemoryMiB: 1024,
        // Once, however often the transaction writes to the host.
        generation: 2,
      })
    })

    it('give capacity to the last unit and not one more', async () => {
      const { vcpus, memoryMiB, diskGiB } = given.hostRow
      const results = await fixture.store.change(async (tx) => [
        await tx.takeCapacity(given.HOST, vcpus + 1, 0),
        await tx.takeCapacity(given.HOST, 0, memoryMiB + 1),
        await tx.takeCapacity(given.HOST, 0, 0, (diskGiB ?? 0) + 1),
        await tx.takeCapacity(given.HOST, vcpus, memoryMiB, diskGiB ?? 0),
        await tx.takeCapacity(given.HOST, 0, 0, 1),
        await tx.takeCapacity(given.HOST, 0, 1),
        await tx.takeCapacity(given.HOST, 1, 0),
        await tx.takeCapacity(given.OTHER_HOST, 1, 1),
      ])
      expect(results).toStrictEqual([
        ...['full', 'full', 'full', 'done'],
        ...['full', 'full', 'full', 'full'],
      ])
      expect(await onlyHost()).toMatchObject({ generation: 2 })
    })

    it('that do not say how much disk they have give as much as is asked for', async () => {
      const result = await fixture.store.change(async (tx) => {
        await tx.upsertHost({ ...given.hostRow, diskGiB: null }, 60_000)
        return await tx.takeCapacity(given.HOST, 0, 0, 100_000)
      })
      expect(result).toBe('done')
    })

    it('whose disk is handed out take what needs none', async () => {
      const { diskGiB } = given.hostRow
      const results = await fixture.store.change(async (tx) => [
        await tx.takeCapacity(given.HOST, 0, 0, diskGiB ?? 0),
        await tx.upsertHost({ ...given.hostRow, diskGiB: 0 }, 60_000),
        await tx.takeCapacity(given.HOST, 1, 1),
        await tx.takeCapacity(given.HOST, 1, 1, 1),
      ])
      expect(results).toEqual(['done', 'done', 'done', 'full'])
    })

    it('count the disk of their volumes again when they announce themselves', async () => {
      const [one, gone] = [given.instance(1), given.instance(2, { state: 'terminated' })]
      const away = given.instance(3, { host: given.OTHER_HOST })
      await fixture.store.change(async (tx) => {
        for (const instance of [one, gone, away]) await tx.insertInstance(instance)
        for (const [index, instance] of [one, gone, away].entries())
          await tx.insertVolume(volumeRecord(index, instance, { sizeGiB: 2 ** index }))
        await tx.insertVolume(volumeRecord(9, one, { instance: null, sizeGiB: 16 }))
        await tx.takeCapacity(given.HOST, 0, 0, 50)
        await tx.upsertHost(given.hostRow, 60_000)
      })
      expect(await onlyHost()).toMatchObject({ usedDiskGiB: 17 })
    })

    it('never have used less than nothing', async () => {
      await fixture.store.change(async (tx) => {
        await tx.takeCapacity(given.HOST, 3, 100, 5)
        await tx.returnCapacity(given.HOST, 1, 1000, 6)
      })
      expect(await onlyHost()).toMatchObject({
        ...{ usedVcpus: 2, usedMemoryMiB: 0, usedDiskGiB: 0 },
        // Once, however often the transaction writes to the host.
        generation: 2,
      })
    })

    it('advance their generation', async () => {
      await fixture.store.change((tx) => tx.insertImage(given.image(1)))
      expect(await onlyHost()).toMatchObject({ generation: 2 })
    })
  })
}

/** Tags and client tokens. */
export function describeLabels(begin: () => Promise<StoreFixture>): void {
  describe('what an account sets', () => {
    const fixture = storeFixture(begin)

    it('is read as it was set, of this account only', async () => {
      const metadata = { tokens: 'optional', endpoint: null, hopLimit: 2, tags: 'enabled' } as const
      await fixture.store.change((tx) => tx.updateAccount(given.ACCOUNT, metadata))
      expect(await fixture.peer.read((tx) => tx.accounts())).toStrictEqual([
        { ...given.account, metadata },
        given.otherAccount,
      ])
    })
  })

  describe('tags and tokens', () => {
    const fixture = storeFixture(begin)
    const tag = (resource: string, key: string, value: string): Tag => ({
      account: given.ACCOUNT,
      resource,
      resourceType: 'instance',
      key,
      value,
    })

    it('replace, delete by key, by key and value, and by resource', async () => {
      const steps = await fixture.store.change(async (tx) => {
        await tx.putTags([tag('i-2', 'a', '1'), tag('i-1', 'b', '2'), tag('i-1', 'a', '3')])
        const put = await tx.tags({})
        await tx.putTags([tag('i-1', 'a', ''), tag('i-1', 'A', '5')])
        const replaced = await tx.tags({ resources: ['i-1'] })
        await tx.deleteTag({ account: given.ACCOUNT, resource: 'i-1', key: 'b', value: '9' })
        await tx.deleteTag({ account: given.ACCOUNT, resource: 'i-1', key: 'b', value: '' })
        await tx.deleteTag({ account: given.ACCOUNT, resource: 'i-1', key: 'a', value: '' })
        await tx.deleteTag({ account: given.OTHER_ACCOUNT, resource: 'i-1', key: 'b' })
        const deleted = await tx.tags({ account: given.ACCOUNT })
        await tx.deleteTagsOf('i-1')
        return { put, replaced, deleted, left: await tx.tags({}) }
      })
      expect(steps).toStrictEqual({
        put: [tag('i-1', 'a', '3'), tag('i-1', 'b', '2'), tag('i-2', 'a', '1')],
        replaced: [tag('i-1', 'A', '5'), tag('i-1', 'a', ''), tag('i-1', 'b', '2')],
        deleted: [tag('i-1', 'A', '5'), tag('i-1', 'b', '2'), tag('i-2', 'a', '1')],
        left: [tag('i-2', 'a', '1')],
      })
    })

    it('of one account are not touched by another', async () => {
      const mine = tag('i-1', 'a', '1')
      const theirs = { ...mine, account: given.OTHER_ACCOUNT, value: '2' }
      const found = await fixture.store.change(async (tx) => {
        await tx.putTags([mine, theirs])
        await tx.putTags([{ ...mine, value: '3' }])
        return tx.tags({})
      })
      expect(found).toHaveLength(2)
      expect(found).toContainEqual({ ...mine, value: '3' })
      expect(found).toContainEqual(theirs)
    })

    it('put a token in the place of one that cannot be read, once, and of no other', async () => {
      await fixture.store.change(async (tx) => {
        await tx.insertClientToken(given.clientToken('bad', { parametersHash: 'a\u0007b' }))
        await tx.insertClientToken(given.clientToken('good'))
      })
      const replace = (token: string, result: string) =>
        fixture.peer.change((tx) =>
          tx.replaceUnreadableClientToken(given.clientToken(token, { result })),
        )
      expect(await replace('good', 'r-2')).toBe('exists')
      expect(await Promise.all([replace('bad', 'r-2'), replace('bad', 'r-3')])).toContain('exists')
      const found = await fixture.store.read(
        (tx) => tx.clientToken(given.ACCOUNT, 'RunInstances', 'bad'),
        { sees: 'latest' },
      )
      expect(found?.result).toMatch(/^r-[23]$/)
    })

    it('forget old tokens and those alone', async () => {
      await fixture.store.change(async (tx) => {
        await tx.insertClientToken(
          given.clientToken('old', { createdAt: '2026-11-22T08:00:00.000Z' }),
        )
        await tx.insertClientToken(
          given.clientToken('new', { createdAt: '2026-11-22T09:00:00.000Z' }),
        )
        await tx.deleteClientTokensBefore('2026-11-22T09:00:00.000Z')
      })
      await fixture.store.read(async (tx) => {
        expect(await tx.clientToken(given.ACCOUNT, 'RunInstances', 'old')).toBeUndefined()
        expect(await tx.clientToken(given.ACCOUNT, 'RunInstances', 'new')).toBeDefined()
        expect(await tx.clientToken(given.ACCOUNT, 'StopInstances', 'new')).toBeUndefined()
      })
    })
  })
}
