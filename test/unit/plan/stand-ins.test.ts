/** Which private addresses destinations see, and by which stand-ins. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Cidr, cidr, cidrContains, cidrOverlaps, ipv4 } from '../../../src/model/addr.ts'
import { formatId } from '../../../src/model/ids.ts'
import { PLAIN_NAT } from '../../../src/model/nat.ts'
import { STAND_IN_RANGE, transitOf } from '../../../src/model/transit.ts'
import { withNatShares } from '../../../src/plan/nat-shares.ts'
import { isSeen, shownVpcs, withStandIns } from '../../../src/plan/stand-ins.ts'
import { wantsByVpc } from '../../../src/plan/vpc-wants.ts'
import { hostWant, instance } from '../../../tools/kit/instance.ts'

const id = (number: number) => formatId('vpc', new Uint8Array(9).fill(number))
const vpc = (network: number | undefined, range: string) => ({
  ...{ id: id(network ?? 0), cidr: cidr(range) },
  ...(network === undefined ? {} : { network }),
})
const NAT = { ...PLAIN_NAT, exceptions: [cidr('192.0.2.0/24')] }

describe('destinations see', () => {
  it.each([
    ['none without exceptions', [vpc(1, '10.0.0.0/16')], PLAIN_NAT, []],
    ['all that overlap nobody', [vpc(1, '10.0.0.0/16'), vpc(2, '10.1.0.0/16')], NAT, [1, 2]],
    ['the older of two with one range', [vpc(7, '10.0.0.0/16'), vpc(3, '10.0.0.0/16')], NAT, [3]],
    ['the older, if it is the larger', [vpc(3, '10.0.0.0/16'), vpc(7, '10.0.9.0/24')], NAT, [3]],
    ['the older, if it is the smaller', [vpc(7, '10.0.0.0/16'), vpc(3, '10.0.9.0/24')], NAT, [3]],
    [
      'that in the network of the host',
      [vpc(1, '10.0.0.0/16'), vpc(undefined, '10.0.0.0/8')],
      NAT,
      [0],
    ],
    ['no public ones', [vpc(1, '192.0.0.0/16')], NAT, []],
    [
      'public ones of a VPC that is named, and none of one that is named without',
      [vpc(1, '192.0.0.0/16'), vpc(2, '10.0.0.0/16')],
      {
        ...NAT,
        vpcs: [
          { vpc: id(1), exceptions: NAT.exceptions },
          { vpc: id(2), exceptions: [] },
        ],
      },
      [1],
    ],
    [
      'all of them where a VPC is named for its source only',
      [vpc(1, '10.0.0.0/16')],
      { ...NAT, vpcs: [{ vpc: id(1), source: [ipv4('198.51.100.7')] }] },
      [1],
    ],
  ])('%s', (_what, vpcs, settings, seen) => {
    expect([...shownVpcs(vpcs, settings)].toSorted()).toEqual(seen.map(id).toSorted())
  })

  it('of those that overlap one, and of others all', () => {
    const anyCidr = fc
      .tuple(fc.integer({ min: 0, max: 255 }), fc.constantFrom(8, 12, 16, 24))
      .map(([part, prefix]): Cidr => {
        const text = { 8: '10.0.0.0/8', 12: `10.${part & 240}.0.0/12` }[prefix as 8 | 12]
        return cidr(text ?? (prefix === 16 ? `10.${part}.0.0/16` : `10.1.${part}.0/24`))
      })
    fc.assert(
      fc.property(fc.array(anyCidr, { maxLength: 20 }), (ranges) => {
        const vpcs = ranges.map((range, at) => ({ id: id(at + 1), cidr: range, network: at + 1 }))
        const seen = shownVpcs(vpcs, NAT)
        for (const [at, one] of vpcs.entries()) {
          const isFirst = !vpcs.slice(0, at).some((older) => cidrOverlaps(older.cidr, one.cidr))
          expect(seen.has(one.id)).toBe(isFirst)
        }
      }),
    )
  })

  it('none that the host knows as those of others', () => {
    const taken = [cidr('10.0.0.0/24'), cidr('10.0.1.1/32')]
    expect(['10.0.0.9', '10.0.1.1', '10.0.1.2'].map((ip) => isSeen(ipv4(ip), taken))).toEqual([
      false,
      false,
      true,
    ])
  })
})

describe('stand-ins', () => {
  const inVpc = (number: number, network: number, more: readonly string[] = []) => {
    const one = instance(number)
    const nics = one.nics.map((nic) => ({
      ...{ ...nic, vpc: id(network), network },
      secondary: more.map((ip) => ({ ip: ipv4(ip) })),
    }))
    return { ...one, nics }
  }
  const standInsOf = (more: readonly string[]) => {
    const want = hostWant(inVpc(1, 1, more), inVpc(2, 2))
    const vpcs = [vpc(1, '10.0.0.0/16'), vpc(2, '10.1.0.0/16')]
    const all = { ...want, shared: { ...want.shared, vpcs } }
    return withStandIns(withNatShares(wantsByVpc(all), all, 1024), all, NAT)
  }

  it('are different for all addresses of a host, and the same inside and outside', () => {
    const { own, vpcs } = standInsOf(['10.0.0.77', '10.0.1.77'])
    const inside = [...vpcs.values()].flatMap(({ want }) => want.standIns ?? [])
    expect(own.transits?.flatMap(({ standIns }) => standIns ?? [])).toEqual(inside)
    expect(own.transits?.map(({ link }) => link)).toEqual([transitOf(1).link, transitOf(2).link])
    expect(inside).toHaveLength(4)
    expect(new Set(inside.map(({ as }) => as)).size).toBe(4)
    for (const { as } of inside) expect(cidrContains(STAND_IN_RANGE, as)).toBe(true)
  })

  it('stay when another address of the NIC goes', () => {
    const of = (more: readonly string[]) =>
      new Map(
        standInsOf(more)
          .vpcs.get(1)
          ?.want.standIns?.map(({ ip, as }) => [ip, as]),
      )
    const [three, two] = [of(['10.0.0.77', '10.0.0.78']), of(['10.0.0.78'])]
    for (const [ip, as] of two) expect(three.get(ip)).toBe(as)
  })
})
