/** What `atoll explain` is asked: who, to whom, and with what. Pure. */
import { type Ipv4, ipv4, parseIpv4 } from '../model/addr.ts'
import type { Flow } from '../model/flow.ts'
import {
  ANY_PORT,
  ANY_PROTOCOL,
  hasPorts,
  ICMP_MAX,
  PORT_MAX,
  PROTOCOLS,
} from '../model/group-rule.ts'
import { type HostName, type InstanceId, parseId, type VpcId } from '../model/ids.ts'
import { addressesOfNic } from '../model/nics.ts'
import { peersOfVpc, usablePeerings } from '../model/peering.ts'
import type { Host, Instance, PlacedNic } from '../model/records.ts'
import type { SharedRecords } from './want.ts'

/** Records of the whole cloud. */
export interface CloudRecords extends Omit<SharedRecords, 'hosts'> {
  readonly hosts: readonly Host[]
  /** All that are not terminated, and some that are. */
  readonly instances: readonly Instance[]
  /** The tags `Name` of instances. */
  readonly nameTags: ReadonlyMap<InstanceId, string>
}

/** What a packet is, whoever sends it. -1 in `protocol` or `port` means every one. */
export type Traffic = Pick<Flow, 'protocol' | 'port' | 'code'> & { readonly text: string }

/** Who sends or gets a packet. */
export type End =
  | {
      readonly kind: 'instance'
      readonly instance: Instance
      /** Null once it is terminated. */
      readonly nic: PlacedNic | null
      /** The floating IP by which it is meant; null: it is meant by itself. */
      readonly floatingIp: Ipv4 | null
    }
  | { readonly kind: 'address'; readonly ip: Ipv4 }

/** A text that means something, or why it does not. */
export type Parsed<T> = { readonly value: T } | { readonly problem: string }

const TRAFFIC_FORMS = 'tcp/22, udp/53, icmp, icmp/8, any, or the number of a protocol'
const PROTOCOL_MAX = 255
/** Stands for any address outside (RFC 5737, TEST-NET-3). */
export const SOME_ADDRESS_OUTSIDE = ipv4('203.0.113.1')

/** The traffic in `text`: `tcp/22`, `udp/53`, `icmp`, `icmp/8`, `icmp/3/4`, `any`, `47`. */
export function parseTraffic(text: string): Parsed<Traffic> {
  const asked = text.toLowerCase()
  if (asked === 'any' || asked === 'all')
    return { value: { protocol: ANY_PROTOCOL, port: ANY_PORT, code: ANY_PORT, text: 'any' } }
  const [, name = '', first, second] =
    /^(tcp|udp|icmp|\d{1,3})(?:\/(\d{1,5}))?(?:\/(\d{1,3}))?$/.exec(asked) ?? []
  if (name === '') return { problem: `"${text}" is not a kind of traffic: use ${TRAFFIC_FORMS}` }
  const protocol =
    name === 'tcp' || name === 'udp' || name === 'icmp' ? PROTOCOLS[name] : Number(name)
  if (protocol > PROTOCOL_MAX) return { problem: `there is no protocol ${name}: 0 to 255` }
  if (hasPorts(protocol)) {
    const port = Number(first)
    if (first === undefined || second !== undefined || port < 1 || port > PORT_MAX)
      return { problem: `${name} needs one port from 1 to ${PORT_MAX}, such as ${name}/22` }
    return { value: { protocol, port, code: 0, text: asked } }
  }
  if (protocol !== PROTOCOLS.icmp)
    return first === undefined
      ? { value: { protocol, port: 0, code: 0, text: `protocol ${name}` } }
      : { problem: `protocol ${name} has no ports: write ${name}` }
  if (first === undefined)
    return { value: { protocol, port: ANY_PORT, code: ANY_PORT, text: 'icmp' } }
  if (Number(first) > ICMP_MAX || Number(second ?? 0) > ICMP_MAX)
    return { problem: 'type and code of ICMP are 0 to 255, such as icmp/8 or icmp/3/4' }
  return { value: { protocol, port: Number(first), code: Number(second ?? 0), text: asked } }
}

/**
 * Who is meant by `text`: an instance id, an address, a Name tag, or `outside`. Several VPCs may
 * have an address: then the one that `near` sees is meant.
 */
export function findEnd(text: string, records: CloudRecords, near?: End): Parsed<End> {
  if (text === 'outside') return { value: { kind: 'address', ip: SOME_ADDRESS_OUTSIDE } }
  const ip = parseIpv4(text)
  if (ip !== undefined) return findAddress(ip, records, near)
  const id = parseId('i', text)
  const named = records.instances.filter((one) =>
    id === undefined ? records.nameTags.get(one.id) === text : one.id === id,
  )
  const living = named.filter(({ state }) => state !== 'terminated')
  const [instance, another] = living.length > 0 ? living : named
  if (instance === undefined)
    return {
      problem: `no instance is "${text}": give an instance id, a Name tag, an address or "outside"`,
    }
  if (another !== undefined)
    return {
      problem: `"${text}" is the Name of several: ${living.map((one) => one.id).join(', ')}`,
    }
  const nic = records.nics
    .filter((one) => one.instance === instance.id)
    .reduce<PlacedNic | null>(
      (lowest, one) => (lowest === null || one.deviceIndex < lowest.deviceIndex ? one : lowest),
      null,
    )
  return { value: { kind: 'instance', instance, nic, floatingIp: null } }
}

function findAddress(ip: Ipv4, records: CloudRecords, near: End | undefined): Parsed<End> {
  const numbers = new Map(records.vpcs.map(({ id, network }) => [id, network]))
  const vpc = near?.kind === 'instance' ? near.nic?.vpc : undefined
  const peers =
    vpc === undefined ? [] : peersOfVpc(vpc, usablePeerings(records.peerings, records.vpcs))
  // VPCs without a number are in one address space.
  const isSeen = (nic: PlacedNic) =>
    vpc === undefined ||
    nic.vpc === vpc ||
    peers.includes(nic.vpc) ||
    (numbers.get(vpc) ?? numbers.get(nic.vpc) ?? null) === null
  const found = records.nics.filter(
    (one) => isFloatingIpOf(one, ip) || (addressesOfNic(one).includes(ip) && isSeen(one)),
  )
  const [nic, another] = found
  if (another !== undefined)
    return {
      problem: `several instances have ${ip}, in different VPCs: ${found.map((one) => one.instance).join(', ')}`,
    }
  const owner = records.instances.find(({ id }) => id === nic?.instance)
  if (nic === undefined || owner === undefined) return { value: { kind: 'address', ip } }
  const isPrivate = addressesOfNic(nic).includes(ip)
  const meant = isPrivate ? ip : privateIpOf(nic, ip)
  return {
    value: {
      kind: 'instance',
      instance: owner,
      // A NIC is judged by the address that is meant.
      nic: meant === nic.ip ? nic : { ...nic, ip: meant },
      floatingIp: isPrivate ? null : ip,
    },
  }
}

/** Whether the floating IP leads to the NIC. */
function isFloatingIpOf({ publicIp, secondaryPublicIps = {} }: PlacedNic, ip: Ipv4): boolean {
  return publicIp === ip || Object.values(secondaryPublicIps).includes(ip)
}

/** The address of the NIC that a floating IP leads to. */
function privateIpOf({ ip, secondaryIps = [], secondaryPublicIps }: PlacedNic, publicIp: Ipv4) {
  return secondaryIps.find((one) => secondaryPublicIps?.[one] === publicIp) ?? ip
}

/** Its address; null: it has none any more. */
export function addressOf(end: End): Ipv4 | null {
  return end.kind === 'address' ? end.ip : (end.nic?.ip ?? null)
}

/** The floating IP by which it is meant; null: it is meant by itself. */
export function floatingIpOf(end: End): Ipv4 | null {
  return end.kind === 'address' ? null : end.floatingIp
}

/** Its host; null: it is no instance. */
export function hostOf(end: End): HostName | null {
  return end.kind === 'address' ? null : end.instance.host
}

/** Its VPC; null: it has none. */
export function vpcOf(end: End): VpcId | null {
  return end.kind === 'address' ? null : (end.nic?.vpc ?? null)
}
