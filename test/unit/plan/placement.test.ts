import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cidr, cidrAddress, type Ipv4, ipv4 } from '../../../src/model/addr.ts'
import type { Host } from '../../../src/model/records.ts'
import {
  afterTaking,
  assignableCount,
  chooseAddress,
  chooseHost,
  type Demand,
  drawAddresses,
  isAssignable,
  placeableHosts,
} from '../../../src/plan/placement.ts'
import { hostName, hostRecord } from '../../kit/records.ts'

const anyDemand = fc.record({
  vcpus: fc.integer({ min: 1, max: 8 }),
  memoryMiB: fc.integer({ min: 64, max: 4096 }),
  diskGiB: fc.nat(20),
})

const anyHosts = fc
  .array(
    fc.record({
      vcpus: fc.nat(32),
      memoryMiB: fc.nat(16_384),
      usedVcpus: fc.nat(32),
      usedMemoryMiB: fc.nat(16_384),
      diskGiB: fc.option(fc.nat(200)),
      usedDiskGiB: fc.nat(200),
    }),
    { maxLength: 6 },
  )
  .map((rows) => rows.map((row, at): Host => ({ ...hostRecord(hostName(`h${at}`)), ...row })))

/** What is not handed out; a host that does not say has no end of it. */
const freeGiB = (host: Host) => (host.diskGiB ?? Number.POSITIVE_INFINITY) - host.usedDiskGiB

const fits = (host: Host, demand: Demand): boolean =>
  host.usedVcpus + demand.vcpus <= host.vcpus &&
  host.usedMemoryMiB + demand.memoryMiB <= host.memoryMiB &&
  (demand.diskGiB === 0 || demand.diskGiB <= freeGiB(host))

describe('chooseHost', () => {
  it('chooses a host that fits whenever there is one, and none otherwise', () => {
    fc.assert(
      fc.property(anyHosts, anyDemand, fc.nat(), (hosts, demand, random) => {
        const chosen = chooseHost(hosts, demand, random)
        if (chosen === undefined) expect(hosts.some((host) => fits(host, demand))).toBe(false)
        else expect(fits(chosen, demand)).toBe(true)
      }),
    )
  })

  it('chooses only among the roomiest', () => {
    const room = (host: Host, demand: Demand) =>
      Math.min(
        (host.vcpus - host.usedVcpus) / demand.vcpus,
        (host.memoryMiB - host.usedMemoryMiB) / demand.memoryMiB,
        demand.diskGiB === 0 ? Number.POSITIVE_INFINITY : freeGiB(host) / demand.diskGiB,
      )
    fc.assert(
      fc.property(anyHosts, anyDemand, fc.nat(), (hosts, demand, random) => {
        const chosen = chooseHost(hosts, demand, random)
        const most = Math.max(...hosts.map((host) => room(host, demand)))
        if (chosen !== undefined) expect(room(chosen, demand)).toBeGreaterThanOrEqual(most * 0.75)
      }),
    )
  })

  it('gives every one of hosts that are equal its turn, and of about equal ones all but the fullest', () => {
    const of = (used: readonly number[]) =>
      ['a', 'b', 'c'].map(
        (name, at): Host => ({ ...hostRecord(hostName(name)), usedVcpus: used[at] ?? 0 }),
      )
    const chosen = (hosts: readonly Host[]) =>
      new Set(
        Array.from({ length: 12 }, (_, turn) =>
          chooseHost(hosts, { vcpus: 1, memoryMiB: 1, diskGiB: 0 }, turn),
        ),
      )
    const equal = of([1, 1, 1])
    expect(chosen(equal)).toEqual(new Set(equal))
    const nearly = of([0, 1, 2])
    expect(chosen(nearly)).toEqual(new Set(nearly.slice(0, 2)))
  })

  it('never fills a host beyond its capacity, and fills all of them', () => {
    fc.assert(
      fc.property(anyHosts, anyDemand, fc.nat(), (start, demand, random) => {
        let hosts: readonly Host[] = start
        for (;;) {
          const chosen = chooseHost(hosts, demand, random)
          if (chosen === undefined) break
          hosts = afterTaking(hosts, chosen.name, demand)
          const after = hosts.find((host) => host.name === chosen.name)
          expect(after?.usedVcpus).toBeLessThanOrEqual(chosen.vcpus)
          expect(after?.usedMemoryMiB).toBeLessThanOrEqual(chosen.memoryMiB)
          if (after !== undefined && demand.diskGiB > 0)
            expect(freeGiB(after)).toBeGreaterThanOrEqual(0)
        }
        expect(hosts.some((host) => fits(host, demand))).toBe(false)
      }),
    )
  })

  it('spreads evenly, though by chance', () => {
    const demand = { vcpus: 1, memoryMiB: 1, diskGiB: 0 }
    let hosts: readonly Host[] = ['a', 'b', 'c', 'd', 'e'].map(
      (name): Host => ({ ...hostRecord(hostName(name)), vcpus: 1_000 }),
    )
    for (let launch = 0; launch < 100; launch += 1) {
      const random = createHash('sha256').update(String(launch)).digest().readUInt32BE()
      const { name } = chooseHost(hosts, demand, random) ?? {}
      if (name !== undefined) hosts = afterTaking(hosts, name, demand)
    }
    const used = hosts.map((host) => host.usedVcpus)
    expect(Math.max(...used) - Math.min(...used)).toBeLessThanOrEqual(3)
  })

  it('spreads over equal hosts', () => {
    const demand = { vcpus: 1, memoryMiB: 1024, diskGiB: 1 }
    let hosts: readonly Host[] = ['a', 'b', 'c'].map((name) => hostRecord(hostName(name)))
    for (let launch = 0; launch < 9; launch += 1) {
      const chosen = chooseHost(hosts, demand, launch)
      if (chosen !== undefined) hosts = afterTaking(hosts, chosen.name, demand)
    }
    expect(hosts.map((host) => host.usedVcpus)).toEqual([3, 3, 3])
  })
})

describe('placeableHosts', () => {
  const host = hostRecord(hostName('a'))
  const other = hostName('other')

  it.each([
    ['live', host, other, true],
    ['its lease has run out', { ...host, live: false }, other, false],
    ['its lease has run out, but it is answering', { ...host, live: false }, host.name, true],
    ['draining', { ...host, state: 'draining' as const }, host.name, false],
    ['short of disk', { ...host, shortOf: 'disk' }, host.name, false],
    ['forgotten', { ...host, state: 'forgotten' as const }, other, false],
  ])('%s', (_case, one, answering, placeable) => {
    expect(placeableHosts([one], answering).length > 0).toBe(placeable)
  })
})

describe('addresses', () => {
  const anySubnet = fc
    .record({ third: fc.nat(255), prefix: fc.integer({ min: 20, max: 32 }) })
    .map(({ third, prefix }) =>
      cidr(`10.0.${prefix >= 24 ? third : third - (third % 2 ** (24 - prefix))}.0/${prefix}`),
    )

  it('gives every assignable address exactly once, then none', () => {
    fc.assert(
      fc.property(
        anySubnet.filter((subnet) => subnet.prefix >= 24),
        fc.infiniteStream(fc.nat(0xffff_ffff)),
        (subnet, random) => {
          const taken = new Set<Ipv4>()
          for (const start of random) {
            const ip = chooseAddress(subnet, taken, start)
            if (ip === undefined) break
            expect(taken.has(ip)).toBe(false)
            expect(isAssignable(subnet, ip)).toBe(true)
            taken.add(ip)
          }
          expect(taken.size).toBe(assignableCount(subnet))
        },
      ),
      { numRuns: 20 },
    )
  })

  it('keeps back the first four addresses and the last', () => {
    const subnet = cidr('10.0.1.0/24')
    const refused = Array.from({ length: 256 }, (_, index) => cidrAddress(subnet, index)).filter(
      (ip) => !isAssignable(subnet, ip),
    )
    expect(refused).toEqual(['10.0.1.0', '10.0.1.1', '10.0.1.2', '10.0.1.3', '10.0.1.255'])
    expect(isAssignable(subnet, ipv4('10.0.2.9'))).toBe(false)
    expect(isAssignable(subnet, ipv4('10.0.0.9'))).toBe(false)
  })

  it.each(['10.0.0.0/30', '10.0.0.0/31', '10.0.0.0/32'])('%s has no address to give', (block) => {
    expect(assignableCount(cidr(block))).toBe(0)
    expect(chooseAddress(cidr(block), new Set(), 7)).toBeUndefined()
  })

  it('draws different ones that may be had, from all of them', () => {
    fc.assert(
      fc.property(
        anySubnet,
        fc.nat(40),
        fc.infiniteStream(fc.nat(0xffff_ffff)),
        (subnet, count, random) => {
          const drawn = drawAddresses(subnet, count, () => random.next().value)
          expect(new Set(drawn).size).toBe(drawn.length)
          expect(drawn.length).toBeLessThanOrEqual(Math.min(count, assignableCount(subnet)))
          for (const ip of drawn) expect(isAssignable(subnet, ip)).toBe(true)
        },
      ),
    )
    const subnet = cidr('10.0.1.0/28')
    let next = 0
    expect(drawAddresses(subnet, 11, () => next++)).toHaveLength(assignableCount(subnet))
  })

  it('starts where chance says', () => {
    const subnet = cidr('10.0.1.0/24')
    expect(chooseAddress(subnet, new Set(), 0)).toBe('10.0.1.4')
    expect(chooseAddress(subnet, new Set(), 10)).toBe('10.0.1.14')
    expect(chooseAddress(subnet, new Set([ipv4('10.0.1.14')]), 10)).toBe('10.0.1.15')
    expect(chooseAddress(subnet, new Set([ipv4('10.0.1.254')]), 250)).toBe('10.0.1.4')
  })
})
