/** What cannot be read of routes and network ACLs stays as it was. */
import { expect, it } from 'vitest'
import { cidr, ipv4 } from '../../../src/model/addr.ts'
import type { UnreadableRow } from '../../../src/model/records.ts'
import type { HostWant } from '../../../src/model/want.ts'
import type { RouteWant } from '../../../src/model/ways-out.ts'
import { withUnreadable } from '../../../src/plan/unreadable.ts'
import { numbered } from '../../kit/records.ts'
import { testInstance, testWant } from '../../kit/testbed.ts'

const row = (table: string): UnreadableRow => ({
  ...{ table, key: 'x', problem: '', instance: null, host: null, ip: null },
})
const route = (to: 'internet' | 'nat' | 'blackhole'): RouteWant => ({
  destination: cidr('0.0.0.0/0'),
  to: { kind: to },
})

function routed(routes: readonly RouteWant[], denies: boolean): HostWant {
  const want = testWant(testInstance(11, [1]))
  const acl = { acl: { id: numbered('acl', 1), rules: [] } }
  const subnets = want.shared.subnets.map((subnet) => ({
    ...{ ...subnet, routes },
    ...(denies ? acl : {}),
  }))
  return { ...want, shared: { ...want.shared, subnets } }
}

it.each(['routes', 'internetGateways', 'routeTableAssociations', 'networkAclEntries'])(
  'a subnet keeps its routes and its ACL while a row of %s is unreadable',
  (table) => {
    const known = routed([route('blackhole')], true)
    const read = routed([route('internet')], false)
    expect(withUnreadable(read, [row(table)], known).shared.subnets).toEqual(known.shared.subnets)
    expect(withUnreadable(read, [row('tags')], known).shared.subnets).toEqual(read.shared.subnets)
    // Where nothing is known, what was read counts.
    expect(withUnreadable(read, [row(table)], null).shared.subnets).toEqual(read.shared.subnets)
  },
)

it.each(['placedNics', 'instances', 'peers'])(
  'a route keeps its router while a row of %s is unreadable',
  (table) => {
    const [nic] = testInstance(12, [1]).nics
    const to = { kind: 'nic', nic: nic?.id ?? numbered('eni', 1), ip: ipv4('172.31.0.12') } as const
    const known = routed([{ destination: cidr('0.0.0.0/0'), to }], false)
    const read = routed([route('blackhole')], false)
    expect(withUnreadable(read, [row(table)], known).shared.subnets).toEqual(known.shared.subnets)
    expect(withUnreadable(read, [row('tags')], known).shared.subnets).toEqual(read.shared.subnets)
    // A route that leads elsewhere now counts.
    const other = routed([route('internet')], false)
    expect(withUnreadable(other, [row(table)], known).shared.subnets).toEqual(other.shared.subnets)
  },
)
