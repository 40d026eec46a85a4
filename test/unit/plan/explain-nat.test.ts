/** What is said of a NAT gateway with an address: who carries it, and whether anybody does. */
import { expect, it } from 'vitest'
import { ipv4 } from '../../../src/model/addr.ts'
import { gatewayAddress } from '../../../src/plan/explain-nat.ts'
import { account, hostName, hostRecord, network, numbered } from '../../kit/records.ts'

const [HERE, THERE] = [hostName('here'), hostName('there')]
const ip = ipv4('198.51.100.7')
const gateway = numbered('nat', 1)
const WAY = { kind: 'nat-address', gateway, ip } as const
const PLACES = [HERE, THERE].map((name, at) =>
  hostRecord(name, { fabricAddress: ipv4(`10.0.0.${at + 1}`) }),
)

function records(
  carrier: typeof HERE | null,
  hosts = PLACES,
  vpcs: readonly (typeof network.vpc)[] = [],
) {
  const address = { nic: numbered('eni', 9), ip, carrier }
  const { vpc, subnet } = network
  const natGateways = [
    { id: gateway, account, vpc: vpc.id, subnet: subnet.id, createdAt: '', address },
  ]
  const none = { internetGateways: [], tables: [], routes: [], associations: [] }
  const acls = { acls: [], aclEntries: [], aclAssociations: [] }
  return { vpcs, hosts, routing: [{ vpc: vpc.id, natGateways, ...none, ...acls }] }
}

it('names the host that carries it', () => {
  const by = (carrier: typeof HERE | null, hosts = PLACES) =>
    gatewayAddress(WAY, HERE, records(carrier, hosts), { mode: 'direct' })
  expect(by(HERE)).toEqual({ passes: true, text: `${ip}, the address of ${gateway}` })
  expect(by(THERE)).toEqual({
    ...{ passes: true, text: `${ip}, the address of ${gateway}, by host there, which carries it` },
  })
  expect(by(null).text).toMatch(/no host carries it/)
  const lost = PLACES.map((one) => ({ ...one, live: one.name === HERE }))
  expect(by(THERE, lost).text).toMatch(/host there, which carries it, is lost/)
  const alone = PLACES.map((one) => ({ ...one, fabricAddress: null }))
  expect(by(THERE, alone).text).toMatch(/lacks the setting fabric\.address/)
  for (const answer of [by(null), by(THERE, lost), by(THERE, alone)])
    expect(answer.passes).toBe(false)
})

it("of a VPC in the hosts' own network, other hosts reach it in mode vxlan only", () => {
  const by = (carrier: typeof HERE, mode: 'direct' | 'vxlan', place: number | null) => {
    const vpcs = [{ ...network.vpc, network: place }]
    return gatewayAddress(WAY, HERE, records(carrier, PLACES, vpcs), { mode }).passes
  }
  expect([by(THERE, 'direct', null), by(THERE, 'vxlan', null)]).toEqual([false, true])
  expect([by(HERE, 'direct', null), by(THERE, 'direct', 7)]).toEqual([true, true])
})
