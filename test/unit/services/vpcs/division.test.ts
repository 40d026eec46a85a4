import { expect, it } from 'vitest'
import { cidr } from '../../../../src/model/addr.ts'
import { formatId, type VpcId } from '../../../../src/model/ids.ts'
import { PLAIN_NAT } from '../../../../src/model/nat.ts'
import type { HostWant, InstanceWant } from '../../../../src/model/want.ts'
import { createDivision } from '../../../../src/services/vpcs/division.ts'
import { hostWant, instance } from '../../../../tools/kit/instance.ts'

const MEMORY_MIB = 65_536
const NETWORKS = [1, 2, 3]
const vpcOf = (network: number) => formatId('vpc', new Uint8Array(9).fill(network))

function inVpc(number: number, network: number): InstanceWant {
  const one = instance(number)
  const nics = one.nics.map((nic) => ({ ...nic, vpc: vpcOf(network), network }))
  return { ...one, nics }
}

function wantOf(generation: number, ...instances: readonly InstanceWant[]): HostWant {
  const { local, shared } = hostWant(...instances)
  const vpcs: readonly { id: VpcId; cidr: ReturnType<typeof cidr>; network: number }[] =
    NETWORKS.map((network) => ({ id: vpcOf(network), cidr: cidr('10.0.0.0/16'), network }))
  return { local: { ...local, generation }, shared: { ...shared, vpcs } }
}

const first = NETWORKS.map((network) => inVpc(network, network))
const [one, ...others] = first
const added = inVpc(9, 1)

it.each([
  ['an instance is launched', [...first, added]],
  ['an instance stops', [{ ...one, run: 'stop' } as InstanceWant, ...others]],
  ['the last instance goes', others],
  ['only the generation advances', first],
])('when %s in a VPC, the parts of the others are the same objects', (_what, after) => {
  const divide = createDivision(MEMORY_MIB, PLAIN_NAT)
  const before = divide(wantOf(1, ...first)).vpcs
  const now = divide(wantOf(2, ...after)).vpcs
  for (const network of [2, 3]) expect(now.get(network)).toBe(before.get(network))
  expect(now.get(1) === before.get(1)).toBe(after === first)
})
