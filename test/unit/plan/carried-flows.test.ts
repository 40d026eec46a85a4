/** Which connections a host takes over that another one names. */
import { expect, test } from 'vitest'
import { cidr, ipv4 } from '../../../src/model/addr.ts'
import type { CarriedFlow } from '../../../src/model/carried-flow.ts'
import type { NicWant, SharedWant } from '../../../src/model/want.ts'
import { carriedByNetwork } from '../../../src/plan/carried-flows.ts'
import { instance } from '../../../tools/kit/instance.ts'
import { numbered } from '../../kit/records.ts'

const [base] = instance(1).nics
if (base === undefined) throw new Error('an instance has a NIC')
const [VPC, PEER, OTHER] = [numbered('vpc', 1), numbered('vpc', 2), numbered('vpc', 3)]
const NIC: NicWant = {
  ...{ ...base, vpc: VPC, network: 7, ip: ipv4('10.0.0.5'), vpcCidr: cidr('10.0.0.0/16') },
  moreVpcCidrs: [cidr('10.1.0.0/16')],
  secondary: [{ ip: ipv4('10.0.0.6') }],
}
const shared: Pick<SharedWant, 'vpcs' | 'peerings'> = {
  vpcs: [
    { id: VPC, cidr: NIC.vpcCidr, network: 7 },
    { id: PEER, cidr: cidr('10.2.0.0/16') },
    { id: OTHER, cidr: cidr('10.3.0.0/16') },
  ],
  peerings: [{ id: numbered('pcx', 1), vpcs: [PEER, VPC] }],
}

function between(source: string, destination: string): CarriedFlow {
  return {
    ...{ protocol: 6, source: ipv4(source), sourcePort: 40_000 },
    ...{ destination: ipv4(destination), destinationPort: 22 },
    ...{ state: 3, seconds: 30, isAssured: true },
  }
}

test.each([
  ['10.0.0.5', '10.0.9.9', true],
  ['10.0.9.9', '10.0.0.5', true],
  ['10.0.9.9', '10.0.0.6', true],
  ['10.0.0.5', '10.1.0.9', true],
  ['10.2.0.9', '10.0.0.5', true],
  // Of others, and of what is not in the VPC.
  ['10.0.9.9', '10.0.8.8', false],
  ['10.3.0.9', '10.0.0.5', false],
  ['10.0.0.5', '192.0.2.1', false],
  ['192.0.2.1', '10.0.0.5', false],
  ['10.0.0.5', '127.0.0.1', false],
  ['10.0.0.5', '169.254.169.254', false],
])('%s to %s: %s', (source, destination, expected) => {
  const flow = between(source, destination)
  const found = carriedByNetwork([NIC], shared, [flow])
  expect(found).toEqual(new Map([[7, expected ? [flow] : []]]))
})

test('each is made in the namespaces of the NICs that have it, once', () => {
  const ofFirst = between('10.0.0.5', '10.0.0.7')
  const second: NicWant = { ...NIC, ip: ipv4('10.0.0.7'), secondary: [] }
  const own: NicWant = { ...NIC, ip: ipv4('10.0.0.8'), secondary: [], network: undefined }
  expect(carriedByNetwork([NIC, second, own], shared, [ofFirst])).toEqual(
    new Map([
      [7, [ofFirst]],
      [undefined, []],
    ]),
  )
})
