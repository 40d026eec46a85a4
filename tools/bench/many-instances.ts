/** Wants of a host with many instances, for benchmarks. */
import { cidr, cidrAddress, gatewayOf, type Ipv4, macFromRandom } from '../../src/model/addr.ts'
import { ALL_OUT } from '../../src/model/group-rule.ts'
import { formatId, type IdPrefix } from '../../src/model/ids.ts'
import type { HostWant, InstanceWant, RuleWant } from '../../src/model/want.ts'
import { hostWant, instance } from '../kit/instance.ts'

/** Members on other hosts that the group of these instances has. */
export const MEMBERS = 2_000
const VPC = cidr('172.16.0.0/12')
const GATEWAY = gatewayOf(VPC)

/** `size` instances here in one group, which has more members elsewhere and so many rules. */
export function wantOf(size: number, rules: number): HostWant {
  const want = hostWant(...Array.from({ length: size }, (_, at) => numbered(at)))
  const [nic] = want.local.instances.flatMap((one) => one.nics)
  if (nic === undefined) return want
  const here = want.local.instances.flatMap((one) => one.nics.map(({ ip }) => ip))
  const elsewhere = Array.from({ length: MEMBERS }, (_, at) => addressOf(100_000 + at))
  const group = { id: idOf('sg', 1), members: [...here, ...elsewhere], rules: rulesOf(rules) }
  return {
    ...want,
    shared: {
      ...want.shared,
      groups: [group],
      vpcs: [{ id: nic.vpc, cidr: VPC }],
      subnets: [{ id: nic.subnet, cidr: VPC, gateway: GATEWAY }],
    },
  }
}

function numbered(at: number): InstanceWant {
  const made = instance(1)
  const bytes = new Uint8Array(5)
  new DataView(bytes.buffer).setUint32(1, at)
  return {
    ...made,
    id: idOf('i', at),
    nics: made.nics.map((nic) => ({
      ...nic,
      id: idOf('eni', at),
      ip: addressOf(at),
      vpcCidr: VPC,
      subnetCidr: VPC,
      gateway: GATEWAY,
      mac: macFromRandom(bytes),
      groups: [{ id: idOf('sg', 1), name: 'bench' }],
    })),
  }
}

/** Half of the rules name the group, half networks; all but one a port. */
function rulesOf(count: number): readonly RuleWant[] {
  return Array.from({ length: count }, (_, at): RuleWant => {
    const id = idOf('sgr', at)
    if (at === 0) return { ...ALL_OUT, id }
    const port = 1000 + at
    const peer =
      at % 2 === 0
        ? ({ kind: 'group', group: idOf('sg', 1) } as const)
        : ({ kind: 'ipv4', cidr: cidr(`10.${at}.0.0/16`) } as const)
    return { id, egress: false, protocol: 6, fromPort: port, toPort: port, peer }
  })
}

/** The address of instance number `at` of the VPC. */
export function addressOf(at: number): Ipv4 {
  return cidrAddress(VPC, 1024 + at)
}

function idOf<P extends IdPrefix>(prefix: P, number: number) {
  const bytes = new Uint8Array(9)
  // The last half byte of an id is not shown, and a link's name is made of its first digits.
  new DataView(bytes.buffer).setUint32(0, number + 1)
  return formatId(prefix, bytes)
}
