/**
 * Rows that no correct program writes: each is left out and named, and no other row is affected.
 */
import { describe, expect, it } from 'vitest'
import type { Ipv4, Mac } from '../../../src/model/addr.ts'
import type { HostName, VolumeId } from '../../../src/model/ids.ts'
import type { ReadTx, Tx } from '../../../src/store/store.ts'
import { volumeRecord } from '../../kit/records.ts'
import { type StoreFixture, storeFixture } from './fixture.ts'
import * as given from './records.ts'

interface Case {
  readonly what: string
  readonly write: (tx: Tx) => Promise<unknown>
  /** The rows that it is among. */
  readonly read: (tx: ReadTx) => Promise<readonly object[]>
  readonly column: string
}

const own = given.instance(1)
const volume = volumeRecord(1, own)
const volumes = (tx: ReadTx) => tx.volumes({})
const instances = (tx: ReadTx) => tx.instances({})
const images = (tx: ReadTx) => tx.images({})
const LONG_MS = 600_000

/** A row with this in its way. */
function one<Item>(
  what: string,
  item: Item,
  change: Readonly<Record<string, unknown>>,
  insert: (tx: Tx, row: Item) => Promise<unknown>,
  read: Case['read'],
  column = Object.keys(change)[0] ?? '',
): Case {
  return { what, write: (tx) => insert(tx, { ...item, ...change }), read, column }
}

const anInstance = (what: string, change: Readonly<Record<string, unknown>>) =>
  one(what, own, change, (tx, row) => tx.insertInstance(row), instances)
const aVolume = (what: string, change: Readonly<Record<string, unknown>>) =>
  one(
    what,
    volume,
    change,
    async (tx, row) => {
      await tx.insertInstance(own)
      await tx.insertVolume(row)
    },
    volumes,
  )
const anImage = (what: string, change: Readonly<Record<string, unknown>>) =>
  one(what, given.image(7), change, (tx, row) => tx.insertImage(row), images)
const aHost = (what: string, change: Readonly<Record<string, unknown>>, column?: string) =>
  one(
    what,
    { ...given.freshHost, name: given.OTHER_HOST, identity: 'b' },
    change,
    (tx, row) => tx.upsertHost(row, LONG_MS),
    async (tx) => (await tx.hosts()).filter(({ name }) => name !== given.HOST),
    column,
  )
const aNic = (what: string, change: Readonly<Record<string, unknown>>) =>
  one(
    what,
    given.nic(1, { instance: own.id }),
    change,
    async (tx, row) => {
      await tx.insertInstance(own)
      await tx.insertNic(row)
    },
    (tx) => tx.placedNics({}),
  )

const anEntry = (what: string, change: Readonly<Record<string, unknown>>) =>
  one(
    what,
    { cidr: '10.0.0.0/8', description: '' },
    change,
    (tx, row) =>
      tx.putPrefixListEntries({ id: given.nth('pl', 1), version: 1, removed: [], added: [row] }),
    (tx) => tx.prefixListEntries({}),
  )

const anOffer = (what: string, change: Readonly<Record<string, unknown>>) =>
  one(
    what,
    {
      ...{ id: given.nth('i', 7), host: given.HOST, image: given.nth('ami', 7) },
      ...{ digest: `sha256:${'a'.repeat(64)}`, type: 'at1.nano' },
    },
    change,
    (tx, row) => tx.offerWarmInstance(row),
    (tx) => tx.warmInstances(),
  )

const CASES: readonly Case[] = [
  anOffer('a warm instance whose id leads out of its directory', { id: '../../../etc' }),
  anOffer('a warm instance of a host with metacharacters', { host: '$(reboot)' }),
  anOffer('a warm instance of a content that is none', { digest: 'sha256:' }),
  anOffer('a warm instance of a type that is a shell command', { type: 't3.micro;reboot' }),
  anEntry('an entry of a prefix list with host bits', { cidr: '10.0.0.1/8' }),
  anEntry('an entry of a prefix list that names a group', { cidr: given.group.id }),
  aVolume('a volume whose id leads out of its directory', { id: '../../../etc/atoll' }),
  aVolume('a volume with the id of something else', { id: own.id }),
  aVolume('a volume of a negative size', { sizeGiB: -5 }),
  aVolume('a volume in a state of a newer version', { state: 'attaching' }),
  aVolume('a device that is a path', { device: '/dev/../../x' }),
  aVolume('a volume of an instance without an id', { instance: '' }),
  aVolume('a volume of an instance whose id is that of something else', {
    instance: given.nth('vol', 1),
  }),
  {
    what: 'a floating IP that is a number',
    write: (tx) =>
      tx.insertAddress({
        ...{ id: given.nth('eipalloc', 1), account: given.ACCOUNT, ip: '-1' as Ipv4 },
        ...{ pool: 'public', isAutomatic: false, association: null, createdAt: given.NOW },
      }),
    read: async (tx) => (await tx.allocatedAddresses()).ips,
    column: 'ip',
  },
  anInstance('an instance whose id is no id', { id: 'i-../../../root' }),
  anInstance('an instance with an id in capitals', { id: 'i-0000000000000000A' }),
  anInstance('an instance in a state of a newer version', { state: 'hibernated' }),
  anInstance('an instance that is wanted otherwise', { wanted: 'hibernate' }),
  anInstance('a count below nothing', { bootCount: -1 }),
  anInstance('user data that is no base64', { userData: '$(reboot)\u0001' }),
  anInstance('user data over the limit', { userData: 'A'.repeat(30_000) }),
  anInstance('a type that is a shell command', { type: 't3.micro;reboot' }),
  anInstance('a key name with a line break', { keyName: 'a\nssh-rsa AAAA' }),
  anInstance('a time out of range', { launchedAt: '2026-13-41T99:00:00.000Z' }),
  anInstance('a time in words', { launchedAt: 'yesterday' }),
  anInstance('a host with metacharacters', { host: '"; flush ruleset; #' }),
  anImage('an image location that nobody could register', { location: 'file:///etc/../shadow' }),
  anImage('the image that is kept for another', {
    location: 'atoll://host-1/machine/ami-0000000000000dead',
  }),
  anImage('a digest that is a path', { digest: '../../x' }),
  aHost('a host with an address that is none', { fabricAddress: '192.0.2.1; drop' }),
  aHost('a host at loopback', { fabricAddress: '127.0.0.1' }),
  aHost('a host name with a rule in it', { name: 'a" accept #' }),
  aHost('a host of a negative size', { memoryMiB: -1 }),
  aNic('an address with leading zeros', { ip: '172.31.0.010' as Ipv4 }),
  aNic('a group address', { mac: '01:00:5e:00:00:01' as Mac }),
  aNic('a MAC in another spelling', { mac: '02-00-5E-00-00-01' as Mac }),
  aNic('a device number below nothing', { deviceIndex: -1 }),
  {
    what: 'a network with host bits',
    write: (tx) =>
      tx.insertVpc({ ...given.vpc, id: given.nth('vpc', 9), ...broken('10.0.0.1', 8) }),
    read: async (tx) => (await tx.vpcs({})).filter(({ id }) => id === given.nth('vpc', 9)),
    column: 'cidr',
  },
  {
    what: 'a network that is the whole world',
    write: (tx) => tx.insertVpc({ ...given.vpc, id: given.nth('vpc', 9), ...broken('0.0.0.0', 0) }),
    read: async (tx) => (await tx.vpcs({})).filter(({ id }) => id === given.nth('vpc', 9)),
    column: 'cidr',
  },
]

function broken(network: string, prefix: number) {
  return { cidr: { network: network as Ipv4, prefix } }
}

/** The part of the contract. */
export function describeUnreadable(begin: () => Promise<StoreFixture>): void {
  describe('a row that cannot be read', () => {
    const fixture = storeFixture(begin)

    it.each(CASES)('is left out and named: $what', async ({ write, read, column }) => {
      await fixture.store.change(write)
      const { rows, unreadable, vpcs } = await fixture.peer.read(async (tx) => {
        const rows = await read(tx)
        return { rows, unreadable: [...tx.unreadable()], vpcs: await tx.vpcs({}) }
      })
      expect(rows).toStrictEqual([])
      expect(unreadable[0]?.problem).toContain(column)
      expect(unreadable[0]?.key).toMatch(/^[\x20-\x7e]+$/)
      // Whatever else there is, is there.
      expect(vpcs).toContainEqual(given.vpc)
    })

    it('says whose it is, as far as that can be read', async () => {
      await fixture.store.change(async (tx) => {
        await tx.insertInstance({ ...own, state: 'hibernated' as never })
        await tx.insertVolume({ ...volume, id: '../x' as VolumeId })
      })
      const found = await fixture.peer.read(async (tx) => {
        await tx.instances({ hosts: [own.host] })
        await tx.volumes({})
        return tx.unreadable()
      })
      expect(found).toMatchObject([
        { table: 'instances', key: own.id, instance: own.id, host: own.host },
        { table: 'volumes', key: '../x', instance: own.id },
      ])
    })

    it('keeps its address from everybody else', async () => {
      const nic = given.nic(1, { instance: own.id })
      await fixture.store.change(async (tx) => {
        await tx.insertInstance({ ...own, state: 'hibernated' as never })
        await tx.insertNic({ ...nic, mac: 'nonsense' as Mac })
      })
      const outcome = await fixture.peer.change(async (tx) => {
        const other = given.instance(2)
        await tx.insertInstance(other)
        const taken = await tx.takenAddresses(nic.subnet)
        return {
          taken,
          insert: await tx.insertNic({ ...given.nic(2, { instance: other.id }), ip: nic.ip }),
        }
      })
      expect(outcome).toStrictEqual({ taken: [nic.ip], insert: 'taken' })
    })

    it('does not keep the rest from being copied', async () => {
      await fixture.store.change(async (tx) => {
        await tx.insertVolume({ ...volume, id: '../x' as VolumeId, sizeGiB: -1 })
        await tx.insertInstance({ ...own, host: '$(reboot)' as HostName })
      })
      const dump = await fixture.store.read((tx) => tx.dump())
      await fixture.peer.change((tx) => tx.restore(dump))
      const { hosts, unreadable } = await fixture.peer.read(async (tx) => {
        await tx.instances({})
        return { hosts: await tx.hosts(), unreadable: tx.unreadable() }
      })
      expect(hosts.map(({ name }) => name)).toContain(given.HOST)
      expect(unreadable).toHaveLength(1)
    })
  })
}
