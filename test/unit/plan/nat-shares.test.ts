/** Ports of NICs: no two have the same one, and whoever comes later moves nobody. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ipv4, ipv4FromNumber } from '../../../src/model/addr.ts'
import { type NatShare, SHARED_PORTS } from '../../../src/model/nat.ts'
import type { InstanceWant } from '../../../src/model/want.ts'
import {
  ANY_OTHER_ADDRESS,
  gatewayShares,
  natShares,
  portUse,
} from '../../../src/plan/nat-shares.ts'
import { instance } from '../../../tools/kit/instance.ts'
import { numbered } from '../../kit/records.ts'

const SIZES = [64, 512, 1024, 4096, 8192]

/** Instance number `at` of a host, launched in that order. */
function launched(at: number, memoryMiB: number, number: number): InstanceWant {
  const base = instance(1)
  return {
    ...base,
    id: numbered('i', number),
    launchedAt: `2026-11-29T08:${String(at).padStart(2, '0')}:00.000Z`,
    type: { ...base.type, memoryMiB },
    nics: base.nics.map((nic) => ({ ...nic, id: numbered('eni', number) })),
  }
}

const anyHost = fc
  .uniqueArray(fc.integer({ min: 1, max: 0xffff_ffff }), { maxLength: 59 })
  .chain((numbers) =>
    fc.tuple(
      ...numbers.map((number, at) =>
        fc.constantFrom(...SIZES).map((memoryMiB) => launched(at, memoryMiB, number)),
      ),
    ),
  )

const overlap = (a: NatShare, b: NatShare) => a.first <= b.last && b.first <= a.last

describe('the ports of a host', () => {
  it('are shared out so that each NIC has some, and no two have the same', () => {
    fc.assert(
      fc.property(anyHost, fc.constantFrom(512, 4096, 65_536), (instances, memoryMiB) => {
        const shares = natShares(instances, memoryMiB)
        expect(shares.length).toBe(instances.length)
        for (const [at, share] of shares.entries()) {
          expect(share.first).toBeGreaterThanOrEqual(SHARED_PORTS.first)
          expect(share.last).toBeLessThanOrEqual(SHARED_PORTS.last)
          expect(share.last).toBeGreaterThanOrEqual(share.first)
          expect(shares.slice(at + 1).some((other) => overlap(share, other))).toBe(false)
        }
      }),
    )
  })

  it('stay where they are when one more instance comes', () => {
    fc.assert(
      fc.property(anyHost, (instances) => {
        const before = natShares(instances.slice(0, -1), 65_536)
        expect(natShares(instances, 65_536).slice(0, before.length)).toEqual(before)
      }),
    )
  })

  it('go by memory: a quarter of the host is a quarter of its ports', () => {
    const [small, large] = natShares([launched(1, 64, 1), launched(2, 2048, 2)], 8192)
    const size = (share: NatShare | undefined) => (share ? share.last - share.first + 1 : 0)
    expect(size(small)).toBe(384)
    expect(size(large)).toBe(12_288)
  })

  it('are divided between the NICs of an instance', () => {
    const two = launched(1, 2048, 1)
    const nics = [1, 2].flatMap((number) =>
      two.nics.map((nic) => ({ ...nic, id: numbered('eni', number) })),
    )
    const sizes = natShares([{ ...two, nics }], 8192).map(({ first, last }) => last - first + 1)
    expect(sizes).toEqual([6144, 6144])
  })
})

it('counts translated connections by destination', () => {
  const float = ipv4('203.0.113.9')
  const use = portUse(new Set([float]))
  const flow = {
    ...{ source: ipv4('10.0.0.5'), destination: ipv4('192.0.2.1'), protocol: 6, code: 0 },
    ...{ answerFrom: ipv4('192.0.2.1'), answerTo: ipv4('198.51.100.1') },
  }
  for (const port of [80, 443, 443]) use.count({ ...flow, port })
  // Inside its VPC nothing is translated.
  for (let n = 0; n < 5; n += 1) use.count({ ...flow, port: 22, answerTo: flow.source })
  // What goes out with a floating IP, or is seen as it is, takes no port of the host.
  for (let n = 0; n < 5; n += 1) use.count({ ...flow, port: 22, answerTo: float })
  for (let n = 0; n < 5; n += 1) use.count({ ...flow, port: 22, answerTo: ipv4('250.64.0.5') })
  expect(use.of([flow.source])).toEqual({ ports: 2, destination: '192.0.2.1:443 by protocol 6' })
  expect(use.of([ipv4('10.0.0.6')])).toEqual({ ports: 0, destination: '' })
  // The addresses of a NIC use one share.
  for (const port of [80, 80]) use.count({ ...flow, source: ipv4('10.0.0.6'), port })
  expect(use.of([flow.source, ipv4('10.0.0.6')])).toEqual({
    ports: 3,
    destination: '192.0.2.1:80 by protocol 6',
  })
})

describe('the ports of a NAT gateway', () => {
  it('are shared out so that each address has as many, and no two have the same', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 0x0a00_0000, max: 0x0aff_ffff }), { maxLength: 300 }),
        (numbers) => {
          const addresses = numbers.map(ipv4FromNumber)
          const shares = gatewayShares(addresses)
          expect([...shares.keys()].toSorted()).toEqual(addresses.toSorted())
          const sorted = [...shares.values()].toSorted((a, b) => a.first - b.first)
          for (const [at, { first, last }] of sorted.entries()) {
            expect(first).toBeGreaterThan(sorted[at - 1]?.last ?? ANY_OTHER_ADDRESS.last)
            expect(last).toBeLessThanOrEqual(SHARED_PORTS.last)
            expect(last - first + 1).toBeGreaterThanOrEqual(addresses.length <= 64 ? 992 : 124)
          }
          expect(gatewayShares([...addresses, ...addresses].toReversed())).toEqual(shares)
        },
      ),
      { numRuns: 50 },
    )
  })

  it('stay those of most addresses when one comes or goes', () => {
    const addresses = Array.from({ length: 40 }, (_, at) => ipv4(`10.0.0.${10 + 3 * at}`))
    const before = gatewayShares(addresses.slice(1))
    const after = gatewayShares(addresses)
    const moved = [...before].filter(([ip, share]) => after.get(ip)?.first !== share.first)
    expect(moved.length).toBeLessThan(addresses.length / 4)
  })

  it('are some for each of as many as a VPC can have', () => {
    const addresses = Array.from({ length: 20_000 }, (_, at) => ipv4FromNumber(0x0a00_0000 + at))
    expect(gatewayShares(addresses).size).toBeGreaterThan(16_000)
  })
})
