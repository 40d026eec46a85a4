/**
 * A virtual machine that does not let go of a network interface: its QEMU is stopped, or its guest
 * ignores the removal. A process holds the tap as QEMU does.
 *
 * Before: after a forced detachment the tap that was held served the next instance, too. Held when
 * first tried: nothing passes from the detachment on, and it is not reported as free while it is
 * held.
 */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { FIRST_DRIVERS } from '../../src/model/driver.ts'
import { nicLinkName } from '../../src/model/names.ts'
import type { Fact, HostWant, InstanceWant, NicWant } from '../../src/model/want.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { numbered } from '../kit/records.ts'
import { createTestbed, type Testbed, testInstance, testWant } from '../kit/testbed.ts'

const attachment = numbered('eni-attach', 1)
const [MOVING] = testInstance(14, [1]).nics.map((nic) => ({ ...nic, deviceIndex: 1, attachment }))
const ALICE = testInstance(11, [1])
const MACHINE: InstanceWant = {
  ...testInstance(13, [1]),
  image: { ...ALICE.image, location: 'kernel=/k,initrd=/i', driver: FIRST_DRIVERS.machine },
  driver: FIRST_DRIVERS.machine,
}
const nic = MOVING as NicWant
const link = nicLinkName(nic.id)

let testbed: Testbed
beforeAll(async () => {
  testbed = await createTestbed()
})
afterAll(() => testbed?.destroy())

/** What a pass over these two finds out. */
async function pass(machine: Partial<InstanceWant>, alice: Partial<InstanceWant> = {}) {
  const want: HostWant = testWant({ ...MACHINE, ...machine }, { ...ALICE, ...alice })
  const facts: Fact[] = []
  const signal = new AbortController().signal
  for (const service of testbed.services)
    facts.push(...(await service.apply({ want, resync: false, signal, log: silentLog })))
  return facts
}

const links = () => testbed.machine.must(['ip', '-d', '-o', 'link'])
const rules = () => testbed.machine.must(['nft', 'list', 'set', 'inet', 'atoll', 'nic_links'])

it('a NIC that is held is not free, and passes nothing; force takes it away', async () => {
  const detaching = [{ id: nic.id, attachment }]
  await pass({ nics: [...MACHINE.nics, nic] })
  expect(await rules()).toContain(link)
  const tap = await testbed.host.openTap(link)
  for (const _ of [1, 2]) {
    expect(await pass({ detaching })).toEqual([])
    expect(await links()).toContain(link)
    expect(await rules()).not.toContain(link)
  }
  // With force the records do not know the attachment any more. It may be another's at once.
  await pass({}, { nics: [...ALICE.nics, { ...nic, attachment: numbered('eni-attach', 2) }] })
  const [line = ''] = (await links()).split('\n').filter((one) => one.includes(link))
  expect(line).toContain('veth')
  expect(await rules()).toContain(link)
  tap.close()
  // Let go, it is reported at once.
  await pass({ nics: [...MACHINE.nics, nic] })
  expect(await pass({ detaching })).toEqual([
    { kind: 'detached', nic: nic.id, attachment, from: MACHINE.id },
  ])
})
