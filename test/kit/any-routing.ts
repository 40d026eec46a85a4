/** Routes and network ACLs of any kind for two subnets, and wants that have them. */
import fc from 'fast-check'
import { cidr } from '../../src/model/addr.ts'
import type { Flow } from '../../src/model/flow.ts'
import { type AclRule, byNumber } from '../../src/model/network-acl.ts'
import { byDestination } from '../../src/model/route-table.ts'
import type { HostWant, RouteWant, WayOut } from '../../src/model/want.ts'
import { judgeAcl } from '../../src/plan/acl-rules.ts'
import { numbered } from './records.ts'
import { TEST_GATEWAY } from './testbed.ts'

/** The first has 172.31.0.8 to .11, the second .12 to .15. */
const SPLIT_SUBNETS = [
  { id: numbered('subnet', 1), cidr: cidr('172.31.0.8/30') },
  { id: numbered('subnet', 2), cidr: cidr('172.31.0.12/30') },
] as const

const anyWay: fc.Arbitrary<WayOut> = fc
  .constantFrom('internet', 'internet', 'nat', 'blackhole')
  .map((kind): WayOut => ({ kind }))
const anyRoutes: fc.Arbitrary<readonly RouteWant[]> = fc
  .dictionary(
    fc.constantFrom('0.0.0.0/0', '198.51.0.0/16', '198.51.100.2/32', '203.0.113.0/24'),
    anyWay,
    { maxKeys: 3 },
  )
  .map((routes) =>
    byDestination(
      Object.entries(routes).map(([destination, to]) => ({ destination: cidr(destination), to })),
    ),
  )

const ANY = { fromPort: -1, toPort: -1 }
const anyMatch = fc.constantFrom(
  { protocol: -1, ...ANY },
  { protocol: -1, ...ANY },
  { protocol: 6, fromPort: 22, toPort: 80 },
  { protocol: 6, fromPort: 0, toPort: 65_535 },
  { protocol: 17, fromPort: 53, toPort: 53 },
  { protocol: 1, ...ANY },
  { protocol: 1, fromPort: 8, toPort: 0 },
)
const anyAcl: fc.Arbitrary<readonly AclRule[]> = fc
  .array(
    fc.tuple(
      fc.boolean(),
      fc.boolean(),
      anyMatch,
      fc.constantFrom(
        '0.0.0.0/0',
        '0.0.0.0/0',
        '172.31.0.11/32',
        '172.31.0.12/30',
        '198.51.100.0/24',
      ),
    ),
    { maxLength: 6 },
  )
  .map((rules) =>
    byNumber(
      rules.map(([egress, allow, match, peer], at) => ({
        ...{ egress, allow, number: at + 1, ...match },
        peer: { kind: 'ipv4', cidr: cidr(peer) },
      })),
    ),
  )

/** Routes and, perhaps, an ACL for each of the two subnets. */
export type AnyRouting = readonly (readonly [readonly RouteWant[], readonly AclRule[] | null])[]
export const anyRouting: fc.Arbitrary<AnyRouting> = fc.tuple(
  fc.tuple(anyRoutes, fc.option(anyAcl, { nil: null })),
  fc.tuple(anyRoutes, fc.option(anyAcl, { nil: null })),
)

/** The want with its NICs in the two subnets, and these routes and ACLs. */
export function withRouting(want: HostWant, routing: AnyRouting): HostWant {
  const subnets = SPLIT_SUBNETS.map((subnet, at) => {
    const [routes, rules] = routing[at] ?? [[], null]
    const acl = rules === null ? {} : { acl: { id: numbered('acl', at + 1), rules } }
    return { ...subnet, gateway: TEST_GATEWAY, routes, ...acl }
  })
  const instances = want.local.instances.map((instance) => ({
    ...instance,
    nics: instance.nics.map((nic) => ({ ...nic, subnet: subnetOf(nic.ip).id })),
  }))
  return {
    ...want,
    local: { ...want.local, instances },
    shared: { ...want.shared, subnets },
  }
}

function subnetOf(ip: string) {
  const [first, second] = SPLIT_SUBNETS
  return Number(ip.split('.').at(-1)) < 12 ? first : second
}

/** Whether network ACLs let a packet out of the subnet of its source and into that of the other. */
export function passesAcls(flow: Flow, { shared }: HostWant): boolean {
  const [from, to] = [flow.source, flow.destination].map((ip) =>
    ip.startsWith('172.31.') ? subnetOf(ip).id : undefined,
  )
  if (from === to) return true
  const rulesOf = (id: string | undefined) =>
    shared.subnets.find((one) => one.id === id)?.acl?.rules
  const allows = (egress: boolean, rules: readonly AclRule[] | undefined) =>
    rules === undefined || judgeAcl(flow, egress, rules)?.allow === true
  return allows(true, rulesOf(from)) && allows(false, rulesOf(to))
}
