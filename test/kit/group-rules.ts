/** Rules of security groups of any kind, and wants that have them. */
import fc from 'fast-check'
import { cidr } from '../../src/model/addr.ts'
import type { EnforcedMatch, EnforcedPeer } from '../../src/model/group-rule.ts'
import type { HostWant } from '../../src/model/want.ts'
import { numbered } from './records.ts'
import { testGroup } from './testbed.ts'

/**
 * For experiments (RFC 3692). There are no ports, so a packet the other way belongs to the same
 * flow: it is tried one way only, and not through address translation, which tells connections
 * apart by ports.
 */
export const NO_PORTS_PROTOCOL = 253

const anyPeer: fc.Arbitrary<EnforcedPeer> = fc.oneof(
  fc
    .constantFrom(
      '0.0.0.0/0',
      '172.31.0.0/16',
      '172.31.0.12/32',
      '172.31.0.12/31',
      '198.51.100.0/24',
    )
    .map((text): EnforcedPeer => ({ kind: 'ipv4', cidr: cidr(text) })),
  fc
    .constantFrom(1, 2, 3, 9)
    .map((group): EnforcedPeer => ({ kind: 'group', group: testGroup(group) })),
  fc.constant<EnforcedPeer>({ kind: 'ipv6', cidr: '::/0' }),
)
const anyPorts = fc
  .tuple(fc.constantFrom(0, 22, 80), fc.constantFrom(0, 22, 80, 65_535))
  .map(([a, b]) => ({ fromPort: Math.min(a, b), toPort: Math.max(a, b) }))
const NO_PORTS = { fromPort: -1, toPort: -1 }
const anyProtocol = fc.oneof(
  fc.constant({ protocol: -1, ...NO_PORTS }),
  fc.tuple(fc.constantFrom(6, 17), anyPorts).map(([protocol, ports]) => ({ protocol, ...ports })),
  fc
    .constantFrom([-1, -1], [8, -1], [8, 0], [13, 0])
    .map(([fromPort = -1, toPort = -1]) => ({ protocol: 1, fromPort, toPort })),
  fc.constant({ protocol: NO_PORTS_PROTOCOL, ...NO_PORTS }),
)
const anyRule: fc.Arbitrary<EnforcedMatch> = fc
  .tuple(fc.boolean(), anyPeer, anyProtocol)
  .map(([egress, peer, match]) => ({ egress, peer, ...match }))
/** Rules by the number of their group. */
export type RulesOfGroups = Readonly<Record<number, readonly EnforcedMatch[]>>

/** Any rules of these groups. */
export function anyRulesOf(groups: readonly number[]): fc.Arbitrary<RulesOfGroups> {
  return fc.record(
    Object.fromEntries(groups.map((group) => [group, fc.array(anyRule, { maxLength: 4 })])),
  )
}

/** The want, with these rules and no others in its groups. */
export function withRules(want: HostWant, rules: RulesOfGroups): HostWant {
  const byGroup = new Map(
    Object.entries(rules).map(([number, matches]) => [
      testGroup(Number(number)),
      matches.map((match, at) => ({ ...match, id: numbered('sgr', Number(number) * 100 + at) })),
    ]),
  )
  const groups = want.shared.groups.map((one) => ({ ...one, rules: byGroup.get(one.id) ?? [] }))
  return { ...want, shared: { ...want.shared, groups } }
}
