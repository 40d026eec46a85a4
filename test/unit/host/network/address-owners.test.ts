import { expect, it } from 'vitest'
import { createAddressOwners } from '../../../../src/host/network/address-owners.ts'
import { ipv4 } from '../../../../src/model/addr.ts'
import { type HostWant, plugName } from '../../../../src/model/want.ts'
import { hostWant, instance } from '../../../../tools/kit/instance.ts'

const here = hostWant(instance(1))
const [nic] = instance(1).nics
const ip = nic?.ip ?? ipv4('10.0.0.1')
const via = ipv4('192.0.2.7')
const none: HostWant = hostWant()

/** The address belongs to this NIC of another host. */
function elsewhere(name: string | undefined): HostWant {
  return { ...none, shared: { ...none.shared, routes: [{ ip, via, nic: name }] } }
}
const own = elsewhere(nic && plugName(nic))

it.each([
  ['it stays here', here, here, true],
  ['its instance moves away', here, own, true],
  ['its instance moves here', own, here, true],
  ['another NIC has it now', here, elsewhere('eni-other'), false],
  ['an older daemon has not said whose it is', elsewhere(undefined), here, false],
  ['nobody has it any more', here, none, false],
  ['nobody had it', none, here, false],
])('tells whether an address stays: %s', (_what, before, now, stays) => {
  const owners = createAddressOwners()
  expect(owners.compare(before)(ip)).toBe(false)
  owners.keep(before)
  expect(owners.compare(now)(ip)).toBe(stays)
})

it('compares with the last want that came into force', () => {
  const owners = createAddressOwners()
  owners.keep(here)
  expect(owners.compare(elsewhere('eni-other'))(ip)).toBe(false)
  // It was not kept.
  expect(owners.compare(own)(ip)).toBe(true)
})
