import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  type Cidr,
  cidrContains,
  cidrOverlaps,
  type Ipv4,
  ipv4FromNumber,
} from '../../../src/model/addr.ts'
import { createNetworkSet } from '../../../src/model/network-set.ts'

/** Close to each other, and at both ends of all addresses. */
const anyAddress: fc.Arbitrary<Ipv4> = fc
  .oneof(
    fc.integer({ min: 0x0a000000, max: 0x0a0000ff }),
    fc.integer({ min: 0, max: 15 }),
    fc.integer({ min: 0xffff_fff0, max: 0xffff_ffff }),
    fc.integer({ min: 0, max: 0xffff_ffff }),
  )
  .map(ipv4FromNumber)
const anyNetwork: fc.Arbitrary<Cidr> = fc
  .tuple(fc.integer({ min: 0, max: 32 }), anyAddress)
  .map(([prefix, ip]) => {
    const size = 2 ** (32 - prefix)
    const value = ip.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0)
    return { network: ipv4FromNumber(value - (value % size)), prefix }
  })

it('says what going through all of them says', () => {
  fc.assert(
    fc.property(
      fc.array(anyNetwork, { maxLength: 8 }),
      anyNetwork,
      anyAddress,
      (nets, other, ip) => {
        const set = createNetworkSet()
        for (const net of nets) set.add(net)
        expect(set.contains(ip)).toBe(nets.some((net) => cidrContains(net, ip)))
        expect(set.overlaps(other)).toBe(nets.some((net) => cidrOverlaps(net, other)))
      },
    ),
    { numRuns: 2000 },
  )
})
