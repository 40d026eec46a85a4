import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ipv4FromNumber, ipv4ToNumber } from '../../../../src/model/addr.ts'
import type { SharedWant } from '../../../../src/model/want.ts'
import { InstanceNames } from '../../../../src/services/dns/names.ts'

type Names = SharedWant['names']

/** Few names and addresses, so that they meet. */
const entry = fc.record({
  name: fc.constantFrom('a', 'b', 'web', 'i-1', 'BAD', ''),
  ip: fc.constantFrom(1, 2, 256, 65_536, 2 ** 31).map(ipv4FromNumber),
  primary: fc.boolean(),
})
const lists = fc.array(fc.array(entry, { maxLength: 12 }), { minLength: 1, maxLength: 6 })

function follow(names: InstanceNames, list: Names): void {
  for (const _ of names.follow(list));
}

function contents(names: InstanceNames) {
  const labels = [...names.labels()].toSorted()
  const named = [...names.named()].toSorted((a, b) => a - b)
  return {
    addresses: labels.map((label) => [label, names.addressesOf(label)]),
    reverse: named.map((address) => [address, names.nameOf(address)]),
    blocks: [[0], [128], [0, 0], [0, 1], [0, 0, 0], [0, 0, 1]].map((one) => names.hasBelow(one)),
    unusable: names.unusable.toSorted(),
  }
}

function many(count: number, from = 0): Names {
  return Array.from({ length: count }, (_, at) => {
    const ip = ipv4FromNumber(ipv4ToNumber(ipv4FromNumber(0x0a00_0000)) + from + at)
    return { name: `i-${from + at}`, ip, primary: true }
  })
}

describe('names that follow a list', () => {
  it('are those of the last list, whatever came before', () => {
    fc.assert(
      fc.property(lists, (all) => {
        const names = new InstanceNames('atoll.internal')
        for (const list of all) follow(names, list)
        const fresh = new InstanceNames('atoll.internal')
        follow(fresh, all.at(-1) ?? [])
        expect(contents(names)).toEqual(contents(fresh))
      }),
    )
  })

  it('have what the list has, and nothing else', () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 12 }), (list) => {
        const names = new InstanceNames('atoll.internal')
        follow(names, list)
        const usable = list.filter(({ name }) => /^[a-z0-9-]+$/.test(name))
        for (const label of ['a', 'b', 'web', 'i-1', 'BAD', '']) {
          const wanted = usable.filter(({ name }) => name === label).map(({ ip }) => ip)
          const known = names.addressesOf(label) ?? []
          expect(known.map(ipv4FromNumber).toSorted()).toEqual(wanted.toSorted())
        }
        for (const { ip } of usable) {
          const primary = usable.filter((one) => one.ip === ip && one.primary)
          const name = names.nameOf(ipv4ToNumber(ip))
          expect(primary.map((one) => one.name).toSorted()[0]).toBe(name)
        }
      }),
    )
  })

  it('pause often, and a name that stays has an address at each pause', () => {
    const names = new InstanceNames('atoll.internal')
    const before = many(50_000)
    follow(names, before)
    // All are in another place of the list, and one has another address.
    const after = before
      .toReversed()
      .map((one) => (one.name === 'i-7' ? { ...one, ip: ipv4FromNumber(99) } : one))
    let pauses = 0
    for (const _ of names.follow(after)) {
      pauses += 1
      expect(names.addressesOf('i-7')?.length).toBeGreaterThan(0)
      expect(names.addressesOf('i-49999')?.length).toBeGreaterThan(0)
      expect(names.nameOf(0x0a00_0001)).toBe('i-1')
    }
    expect(pauses).toBeGreaterThan(40)
    expect(names.addressesOf('i-7')).toEqual([99])
    expect(names.nameOf(0x0a00_0007)).toBeUndefined()
  })
})
