import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ipv4FromNumber, parseMac } from '../../../src/model/addr.ts'
import { fabricMac } from '../../../src/model/fabric.ts'

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
