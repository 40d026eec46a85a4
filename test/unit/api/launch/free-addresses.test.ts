/** Addresses for one launch, in subnets from empty to full. */
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { freeAddresses } from '../../../../src/api/launch/free-addresses.ts'
import { cidr, cidrAddress, type Ipv4 } from '../../../../src/model/addr.ts'
import { formatId, ID_BYTES } from '../../../../src/model/ids.ts'
import { assignableCount, isAssignable } from '../../../../src/plan/placement.ts'

const id = formatId('subnet', new Uint8Array(ID_BYTES))

function world(block: string, taken: readonly Ipv4[]) {
  const subnet = { id, cidr: cidr(block) }
  const lookups: (number | 'all')[] = []
  const tx = {
    takenAddresses: async (_subnet: unknown, among?: readonly Ipv4[]) => {
      lookups.push(among?.length ?? 'all')
      return taken.filter((ip) => among?.includes(ip) ?? true)
    },
  }
  return { subnet, tx, lookups }
}

it('gives every free address of a subnet once but those that are named, whatever is taken, then none', async () => {
  const block = '10.0.1.0/26'
  const all = Array.from({ length: 64 }, (_, index) => cidrAddress(cidr(block), index))
  await fc.assert(
    fc.asyncProperty(
      fc.subarray(all),
      fc.subarray(all),
      fc.nat(80),
      fc.infiniteStream(fc.nat(0xffff_ffff)),
      async (taken, named, count, chance) => {
        const { subnet, tx, lookups } = world(block, taken)
        const addresses = freeAddresses(tx, subnet, count, () => chance.next().value, named)
        const given: Ipv4[] = []
        for (let ip = await addresses.next(); ip !== undefined; ip = await addresses.next())
          given.push(ip)
        const isFree = (ip: Ipv4) => ![...taken, ...named].includes(ip)
        const free = all.filter((ip) => isAssignable(subnet.cidr, ip) && isFree(ip))
        expect(given.toSorted()).toStrictEqual(free.toSorted())
        expect(await addresses.next()).toBeUndefined()
        expect(lookups.filter((one) => one === 'all')).toHaveLength(1)
      },
    ),
    { numRuns: 50 },
  )
})

it('reads a few addresses of a large subnet, not all', async () => {
  const { subnet, tx, lookups } = world('10.0.0.0/16', [])
  let next = 0
  const addresses = freeAddresses(tx, subnet, 3, () => (next += 7919), [])
  for (let n = 0; n < 3; n += 1) expect(await addresses.next()).toBeDefined()
  expect(lookups).toStrictEqual([11])
  expect(assignableCount(subnet.cidr)).toBeGreaterThan(60_000)
})
