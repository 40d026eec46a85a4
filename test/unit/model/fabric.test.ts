import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ipv4FromNumber, parseMac } from '../../../src/model/addr.ts'
import { fabricMac, vpcVni } from '../../../src/model/fabric.ts'
import { VPC_NETWORK_MAX } from '../../../src/model/records.ts'

const VNI_MAX = 0xff_ffff
const anyAddress = fc.nat(0xffff_ffff).map(ipv4FromNumber)

it('gives every fabric address an Ethernet address of its own, which is nobody else’s', () => {
  fc.assert(
    fc.property(anyAddress, anyAddress, (a, b) => {
      const mac = fabricMac(a)
      expect(parseMac(mac)).toBe(mac)
      // Locally administered, and no group address.
      expect(Number.parseInt(mac.slice(0, 2), 16) & 3).toBe(2)
      expect(mac === fabricMac(b)).toBe(a === b)
    }),
  )
})

it('gives every VPC a VXLAN network of its own, whatever the fabric’s is', () => {
  const anyVni = fc.oneof(fc.integer({ min: 1, max: VNI_MAX }), fc.constant(VNI_MAX))
  const anyNumber = fc.integer({ min: 1, max: VPC_NETWORK_MAX })
  fc.assert(
    fc.property(anyVni, anyNumber, anyNumber, (vni, a, b) => {
      const mine = vpcVni(vni, a)
      expect(mine).not.toBe(vni)
      expect(mine).toBeGreaterThan(0)
      expect(mine).toBeLessThanOrEqual(VNI_MAX)
      expect(mine === vpcVni(vni, b)).toBe(a === b)
    }),
  )
})
