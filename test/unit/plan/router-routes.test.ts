/** Which routing tables lead packets to the router of a NAT gateway's pool. */
import { expect, it } from 'vitest'
import { cidr, ipv4 } from '../../../src/model/addr.ts'
import { routerRoutes } from '../../../src/plan/router-routes.ts'
import { numbered } from '../../kit/records.ts'
import { testInstance, testWant } from '../../kit/testbed.ts'

const IP = ipv4('203.0.113.205')
const ROUTER = ipv4('198.51.100.99')
const CARRIER = ipv4('10.0.0.2')

function want(via?: typeof CARRIER) {
  const { shared, ...rest } = testWant(testInstance(11, [1]))
  const to = { kind: 'nat-address', gateway: numbered('nat', 1), ip: IP, via } as const
  const routes = [
    { destination: cidr('192.0.2.0/24'), to: { kind: 'internet' as const } },
    { destination: cidr('0.0.0.0/0'), to },
  ]
  const subnets = shared.subnets.map((subnet) => ({ ...subnet, routes }))
  return { ...rest, shared: { ...shared, subnets } }
}
const gatewayOf = (ip: typeof IP) => (ip === IP ? ROUTER : undefined)
const hops = (...args: Parameters<typeof routerRoutes>) =>
  routerRoutes(...args).subnets.flatMap(({ routes }) => routes.flatMap(({ to }) => to ?? []))

it('what a NAT gateway here sends out goes by the router of its pool, and nothing else does', () => {
  expect(hops(want(), 'at-fabric', gatewayOf)).toEqual([{ link: null, via: ROUTER }])
  expect(hops(want(), 'at-fabric')).toEqual([])
})

it('what goes out by another host goes there', () => {
  expect(hops(want(CARRIER), 'at-fabric', gatewayOf)).toEqual([{ link: 'at-fabric', via: CARRIER }])
})
