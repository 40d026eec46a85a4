import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { createPlanner } from '../../../src/agent/planner.ts'
import { createRecordsReader } from '../../../src/agent/reader.ts'
import { reportFacts } from '../../../src/agent/report.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { cidr, cidrAddress } from '../../../src/model/addr.ts'
import type { HostName, InstanceId } from '../../../src/model/ids.ts'
import type { Fact } from '../../../src/model/want.ts'
import { type Snapshot, wantFor } from '../../../src/plan/want.ts'
import type { ReadTx, Store } from '../../../src/store/store.ts'
import { LONG_MS, openRecords } from '../../kit/cluster-records.ts'
import {
  account,
  hostName,
  hostRecord,
  image,
  instanceId,
  instanceRecord,
  network,
  nicRecord,
  numbered,
} from '../../kit/records.ts'

const hosts = ['a', 'b', 'c'].map(hostName)
const self = hosts[0] ?? hostName('a')
const anyHost = fc.constantFrom(...hosts)
const anyNumber = fc.integer({ min: 1, max: 6 })

/**
 * Each changes records as actions do: what concerns a host advances its generation in the same
 * transaction.
 */
const anyChange = fc.oneof(
  fc.record({ kind: fc.constant('launch' as const), host: anyHost, number: anyNumber }),
  fc.record({ kind: fc.constant('end' as const), host: anyHost, number: anyNumber }),
  fc.record({ kind: fc.constant('tag' as const), host: anyHost, number: anyNumber }),
  fc.record({ kind: fc.constant('move' as const), host: anyHost, number: anyNumber }),
  fc.record({ kind: fc.constant('announce' as const), host: anyHost, number: anyNumber }),
  fc.record({ kind: fc.constant('forget' as const), host: anyHost, number: anyNumber }),
  fc.record({ kind: fc.constant('group' as const), host: anyHost, number: anyNumber }),
  fc.record({ kind: fc.constant('subnet' as const), host: anyHost, number: anyNumber }),
)

/** Networks beside the default one; an instance is in the one that its number says. */
const vpcs = [1, 2, 3].map((number) => ({
  vpc: { ...network.vpc, id: numbered('vpc', 10 + number), cidr: cidr(`10.${number}.0.0/16`) },
  subnet: {
    ...network.subnet,
    id: numbered('subnet', 10 + number),
    vpc: numbered('vpc', 10 + number),
    cidr: cidr(`10.${number}.0.0/20`),
  },
  group: { ...network.group, id: numbered('sg', 10 + number), vpc: numbered('vpc', 10 + number) },
}))

/** Records with these hosts and several VPCs. */
async function openVpcs(): Promise<Store> {
  const store = await openRecords(hosts)
  await store.change(async (tx) => {
    for (const { vpc, subnet, group } of vpcs) {
      await tx.insertVpc({ ...vpc, isDefault: false })
      await tx.insertSubnet({ ...subnet, isDefault: false })
      await tx.insertGroup(group)
    }
  })
  return store
}

/** The `number`-th instance's NIC in the VPC of its number. */
function nicIn(id: InstanceId, number: number): ReturnType<typeof nicRecord> {
  const { vpc, subnet, group } = vpcs[number % vpcs.length] ?? network
  const ip = cidrAddress(subnet.cidr, 10 + number)
  return { ...nicRecord(id, number), vpc: vpc.id, subnet: subnet.id, ip, groups: [group.id] }
}
type Change = typeof anyChange extends fc.Arbitrary<infer T> ? T : never

async function apply(
  store: Store,
  { kind, host, number }: Change,
  nicOf: typeof nicRecord = nicRecord,
): Promise<void> {
  const id = instanceId(number)
  await store.change(async (tx) => {
    const [instance] = await tx.instances({ ids: [id] })
    if (kind === 'announce') {
      await tx.upsertHost(hostRecord(host), LONG_MS)
      return
    }
    if (kind === 'group') {
      const { group } = vpcs[number % vpcs.length] ?? network
      await tx.insertGroup({ ...group, id: numbered('sg', 100 + number), name: `g${number}` })
      return
    }
    if (kind === 'subnet') {
      const { subnet } = vpcs[number % vpcs.length] ?? network
      const more = {
        id: numbered('subnet', 100 + number),
        cidr: cidr(`10.${(number % 3) + 1}.${16 * number}.0/24`),
      }
      await tx.insertSubnet({ ...subnet, ...more, isDefault: false })
      return
    }
    if (kind === 'forget') {
      if (host !== self) await tx.setHostState(host, 'forgotten')
      return
    }
    if (kind === 'launch') {
      if (instance !== undefined) return
      await tx.insertInstance({ ...instanceRecord(id, host), state: 'running', claimed: false })
      await tx.insertNic(nicOf(id, number))
      return
    }
    if (instance === undefined || instance.state === 'terminated') return
    if (kind === 'tag')
      await tx.putTags([
        { account, resource: id, resourceType: 'instance', key: 'Name', value: `n${number}` },
      ])
    if (kind === 'end') {
      await tx.updateInstance(id, { state: 'terminated', wanted: 'terminate' })
      await tx.deleteNics(id)
    }
    if (kind === 'move') await tx.moveInstance(id, instance.host, host)
  })
}

/** What the services of this host may say in one pass. */
const anyFacts = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('ready' as const), instance: anyNumber.map(instanceId) }),
    fc.record({
      kind: fc.constant('running' as const),
      instance: anyNumber.map(instanceId),
      bootCount: fc.constantFrom(1, 2),
    }),
    fc.record({ kind: fc.constant('gone' as const), instance: anyNumber.map(instanceId) }),
    fc.record({
      kind: fc.constant('failed' as const),
      instance: anyNumber.map(instanceId),
      code: fc.constant('Client.InvalidImage'),
      message: fc.constant('it is none'),
    }),
  ),
  { maxLength: 3 },
)

it('whatever changed or was reported, reading what changed gives what a full read gives', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ changes: fc.array(anyChange, { maxLength: 4 }), facts: anyFacts }), {
        maxLength: 8,
      }),
      async (rounds) => {
        const store = await openVpcs()
        const readers = hosts.map((host) => ({
          host,
          reader: createRecordsReader(store, host, systemClock),
          planner: createPlanner(host),
        }))
        for (const { changes, facts } of rounds) {
          const known = new Map<HostName, Snapshot>()
          for (const { host, reader, planner } of readers) {
            const snapshot = await reader.read({ fresh: false })
            known.set(host, snapshot)
            planner(snapshot, null)
          }
          for (const change of changes) await apply(store, change, nicIn)
          for (const { host, reader, planner } of readers) {
            const before = known.get(host)
            if (before === undefined) throw new Error('the host has read nothing')
            const reported = await reportFacts(
              store,
              hostRecord(host),
              host === self ? facts : [],
              before,
              systemClock,
            )
            if (reported.changes.length > 0 || reported.wantChanged) reader.wrote(reported.wrote)
            const on = await reader.read({ fresh: false })
            const anew = await createRecordsReader(store, host, systemClock).read({ fresh: true })
            expect(planner(on, null)).toEqual(wantFor(host, anew))
            expect(on.instances).toEqual(anew.instances)
          }
        }
        await store.close()
      },
    ),
    { numRuns: 25 },
  )
}, 30_000)

it('gives the very same snapshot while nothing changed, and what this host wrote once it says so', async () => {
  const store = await openRecords(hosts)
  const reader = createRecordsReader(store, self, systemClock)
  await apply(store, { kind: 'launch', host: self, number: 1 })
  const first = await reader.read({ fresh: false })
  expect(await reader.read({ fresh: false })).toBe(first)
  // A state alone advances no generation.
  await store.change((tx) => tx.updateInstance(instanceId(1), { state: 'running' }))
  expect(await reader.read({ fresh: false })).toBe(first)
  reader.wrote(null)
  expect((await reader.read({ fresh: false })).instances).toMatchObject([{ state: 'running' }])
  await store.close()
})

it('keeps the very NICs it has when another host only took a step', async () => {
  const store = await openRecords(hosts)
  const other = hosts[1] ?? self
  await apply(store, { kind: 'launch', host: self, number: 3 })
  for (const number of [1, 2]) await apply(store, { kind: 'launch', host: other, number })
  const reader = createRecordsReader(store, self, systemClock)
  const first = await reader.read({ fresh: false })
  await store.change((tx) => tx.returnCapacity(other, 0, 0))
  const stepped = await reader.read({ fresh: false })
  expect(stepped).toBe(first)
  // Nor does a step of its own change what all of them have.
  await store.change((tx) => tx.returnCapacity(self, 0, 0))
  const own = await reader.read({ fresh: false })
  expect(own).not.toBe(first)
  expect([own.nics, own.groups]).toEqual([first.nics, first.groups])
  expect(own.nics).toBe(first.nics)
  expect(own.groups).toBe(first.groups)
  await apply(store, { kind: 'tag', host: other, number: 2 })
  const tagged = await reader.read({ fresh: false })
  expect(tagged.nics.map(({ nameTag }) => nameTag)).toEqual([null, 'n2', null])
  await store.close()
})

it('asks one thing while nothing changed in its VPCs, and two when something did', async () => {
  const store = await openVpcs()
  const [other = self, third = self] = hosts.slice(1)
  await apply(store, { kind: 'launch', host: self, number: 1 }, nicIn)
  const asked: string[] = []
  const reader = createRecordsReader(
    {
      ...store,
      single: (work) => {
        asked.push('single')
        return store.single(work)
      },
      read: (work) => {
        asked.push('read')
        return store.read(work)
      },
    },
    self,
    systemClock,
  )
  await reader.read({ fresh: false })
  await reader.read({ fresh: false })
  await reader.read({ fresh: false })
  expect(asked).toEqual(['read', 'single', 'single'])
  // In another VPC, of which this host has nothing.
  await apply(store, { kind: 'launch', host: other, number: 2 }, nicIn)
  await apply(store, { kind: 'group', host: other, number: 2 })
  await apply(store, { kind: 'tag', host: other, number: 2 })
  await apply(store, { kind: 'end', host: other, number: 2 })
  asked.length = 0
  expect((await reader.read({ fresh: false })).nics).toHaveLength(1)
  expect(asked).toEqual(['single'])
  // In its own, on two hosts at once.
  await apply(store, { kind: 'launch', host: other, number: 4 }, nicIn)
  await apply(store, { kind: 'launch', host: third, number: 7 }, nicIn)
  expect((await reader.read({ fresh: false })).nics).toHaveLength(3)
  expect(asked).toEqual(['single', 'single', 'single'])
  await store.close()
})

it('need not read what it wrote itself', async () => {
  const store = await openRecords(hosts)
  await apply(store, { kind: 'launch', host: self, number: 1 })
  const reader = createRecordsReader(store, self, systemClock)
  const before = await reader.read({ fresh: false })
  const report = async (fact: Fact) => {
    const known = await reader.read({ fresh: false })
    const { wrote } = await reportFacts(store, hostRecord(self), [fact], known, systemClock)
    reader.wrote(wrote)
    return wrote
  }
  const instance = instanceId(1)
  const generation = (before.hosts.find(({ name }) => name === self)?.generation ?? 0) + 1
  expect(await report({ kind: 'ready', instance })).toMatchObject({ generation })
  const after = await reader.read({ fresh: false })
  expect(after.instances).toMatchObject([{ claimed: true }])
  expect(await report({ kind: 'running', instance, bootCount: 1 })).toMatchObject({ generation })
  expect((await reader.read({ fresh: false })).instances).toMatchObject([{ state: 'running' }])
  await store.change((tx) =>
    tx.updateInstance(instance, { state: 'shutting-down', wanted: 'terminate' }),
  )
  // An address goes back: that is for reading to tell.
  expect(await report({ kind: 'gone', instance })).toBeNull()
  await store.close()
})

it('reads what it wrote when somebody else wrote meanwhile', async () => {
  const store = await openRecords(hosts)
  await apply(store, { kind: 'launch', host: self, number: 1 })
  const reader = createRecordsReader(store, self, systemClock)
  const known = await reader.read({ fresh: false })
  await apply(store, { kind: 'tag', host: self, number: 1 })
  const facts = [{ kind: 'ready' as const, instance: instanceId(1) }]
  const { changes, wrote } = await reportFacts(store, hostRecord(self), facts, known, systemClock)
  expect([changes.length, wrote]).toEqual([1, null])
  await store.close()
})

it('meets a group that another host is the first to speak of', async () => {
  const store = await openRecords(hosts)
  await apply(store, { kind: 'launch', host: self, number: 2 })
  const reader = createRecordsReader(store, self, systemClock)
  await reader.read({ fresh: false })
  const group = { ...network.group, id: numbered('sg', 7), name: 'other' }
  const other = hosts[1] ?? self
  await store.change(async (tx) => {
    await tx.insertGroup(group)
    await tx.insertInstance(instanceRecord(instanceId(1), other))
    await tx.insertNic({ ...nicRecord(instanceId(1), 1), groups: [group.id] })
  })
  const want = wantFor(self, await reader.read({ fresh: false }))
  expect(want?.shared.groups.find(({ id }) => id === group.id)?.members).toHaveLength(1)
  await store.close()
})

it('goes on when the clock of the store is set back by hours', async () => {
  const store = await openRecords(hosts)
  const other = hosts[1] ?? self
  let aheadMs = 3 * 3_600_000
  const ahead = <T extends Pick<ReadTx, 'changedScopes'>>(tx: T): T => ({
    ...tx,
    changedScopes: async (...[sinceMs, of]: Parameters<ReadTx['changedScopes']>) => {
      const found = await tx.changedScopes(sinceMs - aheadMs, of)
      return { ...found, nowMs: found.nowMs + aheadMs }
    },
  })
  const reader = createRecordsReader(
    {
      ...store,
      single: (work) => store.single((tx) => work(ahead(tx))),
      read: (work) => store.read((tx) => work(ahead(tx))),
    },
    self,
    systemClock,
  )
  await reader.read({ fresh: true })
  aheadMs = 0
  await apply(store, { kind: 'launch', host: self, number: 1 })
  expect((await reader.read({ fresh: false })).instances).toHaveLength(1)
  await apply(store, { kind: 'launch', host: other, number: 2 })
  expect((await reader.read({ fresh: false })).nics).toHaveLength(2)
  await store.close()
})

it('asks for images once, with those of other hosts that its instances use', async () => {
  const store = await openRecords(hosts)
  const elsewhere = { ...image, id: numbered('ami', 2), name: 'elsewhere', host: hosts[1] ?? self }
  await store.change(async (tx) => {
    await tx.insertImage(elsewhere)
    await tx.insertInstance({ ...instanceRecord(instanceId(1), self), image: elsewhere.id })
  })
  let asked = 0
  const counted = (tx: ReadTx): ReadTx => ({
    ...tx,
    images: (query) => {
      asked += 1
      return tx.images(query)
    },
  })
  const reader = createRecordsReader(
    { ...store, read: (work) => store.read((tx) => work(counted(tx))) },
    self,
    systemClock,
  )
  const { images } = await reader.read({ fresh: false })
  expect(images.map(({ id }) => id)).toContain(elsewhere.id)
  expect(asked).toBe(1)
  await store.close()
})

it("reads this host's own part from one snapshot, also when only a state changed", async () => {
  const store = await openRecords(hosts)
  const reader = createRecordsReader(
    // A store whose window for changes is always over.
    {
      ...store,
      read: (work) =>
        store.read((tx) =>
          work({ ...tx, changedScopes: (since, of) => tx.changedScopes(since + 60_000, of) }),
        ),
    },
    self,
    systemClock,
  )
  await reader.read({ fresh: true })
  await apply(store, { kind: 'launch', host: self, number: 1 })
  reader.wrote(null)
  const { instances, nics } = await reader.read({ fresh: false })
  expect([instances.length, nics.length]).toEqual([1, 1])
  await store.close()
})

it('a failed reading loses nothing', async () => {
  const store = await openRecords(hosts)
  let broken = false
  const reader = createRecordsReader(
    {
      ...store,
      read: async (work) => {
        const answer = await store.read(work)
        if (broken) throw new Error('the answer was lost')
        return answer
      },
    },
    self,
    systemClock,
  )
  await reader.read({ fresh: false })
  await apply(store, { kind: 'launch', host: self, number: 1 })
  reader.wrote(null)
  broken = true
  await expect(reader.read({ fresh: false })).rejects.toThrow('lost')
  broken = false
  expect((await reader.read({ fresh: false })).instances).toHaveLength(1)
  await store.close()
})
