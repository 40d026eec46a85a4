/** Hosts give each NAT gateway that has an address to one of them that can carry it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { assignCarriers, createNatCarriers } from '../../../src/agent/nat-carriers.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { createMetrics } from '../../../src/lib/metrics.ts'
import { ipv4 } from '../../../src/model/addr.ts'
import type { HostName } from '../../../src/model/ids.ts'
import type { Pool } from '../../../src/model/pools.ts'
import type { Store } from '../../../src/store/store.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { eventually } from '../../../tools/kit/netns.ts'
import { LONG_MS, OVER_MS, openRecords } from '../../kit/cluster-records.ts'
import {
  account,
  hostName,
  hostRecord,
  instanceId,
  instanceRecord,
  network,
  nicRecord,
  numbered,
} from '../../kit/records.ts'

const [A, B] = [hostName('a'), hostName('b')]
const ID = numbered('nat', 1)
const NIC = numbered('eni', 900)
const IP = ipv4('198.51.100.7')
const { vpc, subnet } = network
let store: Store
let pools: readonly Pool[] = []

beforeEach(async () => {
  pools = []
  store = await openRecords([A, B])
  await store.change(async (tx) => {
    const of = { instance: null, deviceIndex: 0, groups: [] }
    await tx.insertNic({ ...nicRecord(instanceId(1), 9), ...of, id: NIC })
    const { ip: privateIp } = nicRecord(instanceId(1), 9)
    await tx.insertAddress({
      ...{ id: numbered('eipalloc', 1), account, ip: IP, pool: 'public', isAutomatic: false },
      association: { id: numbered('eipassoc', 1), nic: NIC, privateIp },
      createdAt: '2026-11-22T08:00:00.000Z',
    })
    await tx.insertNatGateway({
      ...{ id: ID, account, vpc: vpc.id, subnet: subnet.id },
      ...{ createdAt: '2026-11-22T08:00:00.000Z', address: { nic: NIC, ip: IP, carrier: null } },
    })
  })
})
afterEach(() => store.close())

const launch = (number: number, host: HostName) =>
  store.change(async (tx) => {
    await tx.insertInstance(instanceRecord(instanceId(number), host))
    await tx.insertNic(nicRecord(instanceId(number), number))
  })
const lease = (host: HostName, leaseMs: number) =>
  store.change((tx) =>
    tx.renewLease(hostRecord(host), leaseMs, { lastSeenAt: 'now', shortOf: null }),
  )
const assign = (isSettled = true) =>
  assignCarriers({ store, pools, isSettled: () => isSettled }, [ID])
const carrier = async () =>
  (await store.read((tx) => tx.natGateways({ ids: [ID] })))[0]?.address?.carrier

describe('a gateway', () => {
  it('has no carrier while its VPC has no instances, and then that of the first', async () => {
    expect(await assign()).toEqual([])
    await launch(1, B)
    expect(await assign()).toEqual([{ gateway: ID, from: null, to: B }])
    expect(await carrier()).toBe(B)
    expect(await assign()).toEqual([])
  })

  it('keeps its carrier when others get more instances, and is given on when its own end', async () => {
    await launch(1, B)
    await assign()
    for (const number of [2, 3]) await launch(number, A)
    expect(await assign()).toEqual([])
    await store.change((tx) => tx.updateInstance(instanceId(1), { state: 'terminated' }))
    expect(await assign()).toEqual([{ gateway: ID, from: B, to: A }])
  })

  it('is taken over once when its host is lost, whoever finds it', async () => {
    for (const [number, host] of [A, B].entries()) await launch(number + 1, host)
    await assign()
    const first = (await carrier()) ?? A
    const [lost, other] = first === A ? [A, B] : [B, A]
    await lease(lost, OVER_MS)
    const moves = await Promise.all([assign(), assign(), assign()])
    expect(moves.flat()).toEqual([{ gateway: ID, from: lost, to: other }])
    // It is back, and has nothing to say.
    await lease(lost, LONG_MS)
    expect(await assign()).toEqual([])
    expect(await carrier()).toBe(other)
  })

  it('stays where it is after an outage of the records, until others have had time to renew', async () => {
    for (const [number, host] of [A, B].entries()) await launch(number + 1, host)
    await assign()
    const first = (await carrier()) ?? A
    await lease(first, OVER_MS)
    expect(await assign(false)).toEqual([])
    await lease(first, LONG_MS)
    expect(await assign()).toEqual([])
  })

  it('leaves a host that drains, if it can', async () => {
    await launch(1, A)
    await assign()
    await store.change((tx) => tx.setHostState(A, 'draining'))
    expect(await assign()).toEqual([])
    await launch(2, B)
    expect(await assign()).toEqual([{ gateway: ID, from: A, to: B }])
  })

  it('is given to no host without a live lease, nor outside the zones of its pool', async () => {
    await launch(1, A)
    await lease(A, OVER_MS)
    expect(await assign()).toEqual([])
    await lease(A, LONG_MS)
    pools = [{ name: 'public', ranges: [{ first: IP, last: IP }], zones: ['elsewhere'] }]
    expect(await assign()).toEqual([])
    pools = []
    expect(await assign()).toEqual([{ gateway: ID, from: null, to: A }])
  })

  it('whose row was changed by hand is not carried by two', async () => {
    await launch(1, A)
    const stale = await store.change((tx) =>
      tx.carryNatGateway({ id: ID, vpc: vpc.id }, { from: B, to: A }),
    )
    expect(stale).toBe('lost')
    expect(await carrier()).toBeNull()
  })
})

/** Looks after the gateways of the records. `asked` counts the questions. */
function lookAfter(intervalMs: number, random = 0) {
  const counts = { asked: 0 }
  const watched: Store = {
    ...store,
    single: (work) => {
      counts.asked += 1
      return store.single(work)
    },
    read: (work) => store.read(work),
    change: (work) => store.change(work),
  }
  const duty = createNatCarriers({
    ...{ store: watched, clock: systemClock, log: silentLog, metrics: createMetrics(), pools },
    ...{ random: () => random, intervalMs, isSettled: () => true },
  })
  const { signal } = new AbortController()
  const run = (natGateways: readonly object[], nics: readonly object[]) => {
    const snapshot = { routing: [{ natGateways }], nics }
    return duty.run(snapshot as unknown as Parameters<typeof duty.run>[0], signal)
  }
  return { counts, run, close: () => duty.close() }
}

const gatewaysAndNics = () =>
  store.read(async (tx) => [await tx.natGateways({}), await tx.placedNics({})] as const)

it('a host asks by itself, and only where there are such gateways', async () => {
  await launch(1, A)
  const duty = lookAfter(20)
  const [gateways, nics] = await gatewaysAndNics()
  await duty.run([], nics)
  expect(duty.counts.asked).toBe(0)
  expect(await duty.run(gateways, nics)).toBe(false)
  await eventually('it is carried', async () => (await carrier()) === A)
  await lease(A, OVER_MS)
  await launch(2, B)
  await eventually('it is taken over', async () => (await carrier()) === B)
  await duty.close()
})

it('a host does not wait for the interval when the gateway has no carrier in its VPC', async () => {
  await launch(1, A)
  await launch(2, B)
  await assign()
  const left = await carrier()
  await store.change((tx) =>
    tx.updateInstance(instanceId(left === A ? 1 : 2), { state: 'terminated' }),
  )
  const [gateways, nics] = await gatewaysAndNics()
  const duty = lookAfter(LONG_MS)
  // In another VPC, the carrier still has an instance.
  const elsewhere = { ...nics[0], host: left, vpc: numbered('vpc', 9) }
  await duty.run(gateways, [...nics.filter(({ host }) => host !== left), elsewhere])
  await eventually('it is given on', async () => (await carrier()) !== left)
  await duty.close()
})

it.each([
  [0.1, true],
  [0.9, false],
])('of ten hosts, one that draws %s asks: %s', async (random, asks) => {
  await launch(1, A)
  const [gateways, [nic]] = await gatewaysAndNics()
  const hosts = Array.from({ length: 10 }, (_, at) => ({ ...nic, host: hostName(`h${at}`) }))
  const duty = lookAfter(5, random)
  // At first it does not know how many there are.
  await duty.run(gateways, hosts)
  await duty.run(gateways, hosts)
  const idle = lookAfter(5)
  await idle.run(gateways, hosts)
  await eventually('another one has asked often', () => idle.counts.asked >= 10)
  expect(duty.counts.asked >= 5).toBe(asks)
  await Promise.all([duty.close(), idle.close()])
})

it('only instances of its own VPC count', async () => {
  const other = { vpc: numbered('vpc', 2), subnet: numbered('subnet', 2), groups: [] }
  const second = { nic: numbered('eni', 901), ip: ipv4('198.51.100.8'), carrier: null }
  const createdAt = '2026-11-22T08:00:00.000Z'
  await store.change(async (tx) => {
    await tx.insertVpc({ ...vpc, id: other.vpc, network: 1, isDefault: false })
    await tx.insertSubnet({ ...subnet, id: other.subnet, vpc: other.vpc, isDefault: false })
    const nic = { ...nicRecord(instanceId(1), 10), ...other, id: second.nic }
    await tx.insertNic({ ...nic, instance: null })
    await tx.insertAddress({
      ...{ id: numbered('eipalloc', 2), account, ip: second.ip, pool: 'public', createdAt },
      association: { id: numbered('eipassoc', 2), nic: second.nic, privateIp: nic.ip },
      isAutomatic: false,
    })
    await tx.insertNatGateway({
      ...{ id: numbered('nat', 2), account, createdAt, address: second },
      ...{ vpc: other.vpc, subnet: other.subnet },
    })
  })
  await launch(1, A)
  for (const number of [2, 3])
    await store.change(async (tx) => {
      await tx.insertInstance(instanceRecord(instanceId(number), B))
      await tx.insertNic({ ...nicRecord(instanceId(number), number), ...other })
    })
  const ids = [ID, numbered('nat', 2)]
  const moves = await assignCarriers({ store, pools, isSettled: () => true }, ids)
  expect(Object.fromEntries(moves.map(({ gateway, to }) => [gateway, to]))).toEqual({
    [ID]: A,
    [numbered('nat', 2)]: B,
  })
})
