/** What placement leaves free, held against the outlook that is computed from scratch. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { HostName } from '../../../../src/model/ids.ts'
import type { Host } from '../../../../src/model/records.ts'
import { afterPlacing, reserveOf } from '../../../../src/plan/failover/reserve.ts'
import { lossOutlooks, type Recoverable } from '../../../../src/plan/failover/spare.ts'
import { afterTaking, fitsBeside } from '../../../../src/plan/placement.ts'
import { hostName, hostRecord } from '../../../kit/records.ts'

const NAMES = ['a', 'b', 'c', 'd'].map(hostName)
const ROOM = 6

const host = (name: HostName, more: Partial<Host> = {}): Host => ({
  ...hostRecord(name),
  ...{ live: true, fenceLevel: 'muted', vcpus: 2 * ROOM, usedVcpus: 0 },
  ...{ memoryMiB: ROOM, usedMemoryMiB: 0, diskGiB: 2 * ROOM, usedDiskGiB: 0 },
  ...more,
})

/** Of each host that has some: how many of its instances would find no room. */
const homeless = (hosts: readonly Host[], recoverable: readonly Recoverable[]) =>
  new Map(lossOutlooks(hosts, NAMES, recoverable).map((one) => [one.host, one.homeless]))

const someHosts = fc
  .tuple(
    ...NAMES.map((name) =>
      fc
        .record({
          live: fc.boolean().map((is) => is || name !== 'd'),
          zone: fc.constantFrom('one', 'one', 'one', 'two'),
          state: fc.constantFrom<Host['state']>('active', 'active', 'active', 'draining'),
          fenceLevel: fc.constantFrom('muted', 'muted', 'muted', null),
          usedMemoryMiB: fc.nat(ROOM),
          storage: fc.constantFrom('x', 'x', null),
        })
        .map((more) => host(name, more)),
    ),
  )
  .chain((hosts) => fc.shuffledSubarray(hosts, { minLength: 2 }))
const somePlacings = fc.array(
  fc.record({
    host: fc.constantFrom(...NAMES),
    recovers: fc.boolean(),
    storage: fc.constantFrom('x', null, null),
    demand: fc.record({
      vcpus: fc.integer({ min: 1, max: 3 }),
      memoryMiB: fc.integer({ min: 1, max: 3 }),
      diskGiB: fc.nat(2),
    }),
  }),
  { maxLength: 16 },
)

it('refuses exactly what would leave fewer a place than before, whatever host is lost', () => {
  let refusals = 0
  fc.assert(
    fc.property(someHosts, somePlacings, somePlacings, (given, present, placings) => {
      let hosts: readonly Host[] = given
      let all: readonly Recoverable[] = present.filter(({ recovers }) => recovers)
      let reserve = reserveOf(hosts, all)
      for (const placing of placings) {
        const at = hosts.find(({ name }) => name === placing.host)
        if (at === undefined || !fitsBeside(at, placing.demand)) continue
        const hostsAfter = afterTaking(hosts, placing.host, placing.demand)
        const allAfter = placing.recovers ? [...all, placing] : all
        const [before, after] = [homeless(hosts, all), homeless(hostsAfter, allAfter)]
        const isWorse = [...after].some(([name, count]) => count > (before.get(name) ?? 0))
        const next = afterPlacing(reserve, placing)
        expect(next === null).toBe(isWorse)
        refusals += isWorse ? 1 : 0
        if (next === null) continue
        expect(new Map([...next.losses].map(([name, loss]) => [name, loss.homes]))).toEqual(
          new Map(
            [...reserveOf(hostsAfter, allAfter).losses].map(([name, loss]) => [name, loss.homes]),
          ),
        )
        ;[reserve, hosts, all] = [next, hostsAfter, allAfter]
      }
    }),
    { numRuns: 500 },
  )
  expect(refusals).toBeGreaterThan(20)
})

it('leaves one host of three free when all instances are to be started again', () => {
  let reserve = reserveOf(
    NAMES.slice(0, 3).map((name) => host(name)),
    [],
  )
  const demand = { vcpus: 1, memoryMiB: 1, diskGiB: 0 }
  let count = 0
  for (let round = 0; round < ROOM; round += 1)
    for (const name of NAMES.slice(0, 3)) {
      const next = afterPlacing(reserve, { host: name, demand, storage: null, recovers: true })
      if (next === null) continue
      reserve = next
      count += 1
    }
  expect(count).toBe(2 * ROOM)
})

it('keeps nothing for instances that stay with their host', () => {
  let reserve = reserveOf([host(NAMES[0] ?? hostName('a'))], [])
  for (let count = 0; count < ROOM; count += 1) {
    const demand = { vcpus: 1, memoryMiB: 1, diskGiB: 0 }
    const placing = { host: hostName('a'), demand, storage: null, recovers: false }
    const next = afterPlacing(reserve, placing)
    if (next === null) throw new Error('refused')
    reserve = next
  }
  expect(reserve.hosts[0]?.usedMemoryMiB).toBe(ROOM)
})
