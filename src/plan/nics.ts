/** What a want says of NICs, made from their records. Pure. */
import type { Ipv4 } from '../model/addr.ts'
import { ipHostLabel, isHostLabel, nameTagLabel, publicHostLabel } from '../model/hostname.ts'
import type { GroupId, HostName, VpcId } from '../model/ids.ts'
import type { DetachingNic, NicAttaching } from '../model/nic-changes.ts'
import { addressesOfNic, attachmentOf } from '../model/nics.ts'
import type { PeerHost, PlacedNic, Vpc } from '../model/records.ts'
import { rangesOf } from '../model/vpc-range.ts'
import type { NicWant, SharedWant } from '../model/want.ts'

/** Further addresses, each with its floating IP. */
export function secondaryWant({
  secondaryIps,
  secondaryPublicIps = {},
}: PlacedNic): Partial<NicWant> {
  if (secondaryIps === undefined) return {}
  return {
    secondary: secondaryIps.map((ip) => {
      const publicIp = secondaryPublicIps[ip]
      return publicIp === undefined ? { ip } : { ip, publicIp }
    }),
  }
}

/** Whether packets may pass it: nobody has asked for its detachment. */
export function isInUse({ attachment }: PlacedNic): boolean {
  return attachment?.isEnding !== true
}

/** What is to be reported of a NIC when its instance has it; nothing if it is known. */
export function attachingNic({ id, attachment }: PlacedNic): readonly NicAttaching[] {
  return attachment?.isBeginning === true ? [{ id, attachment: attachment.id }] : []
}

/** What is to be taken off an instance; nothing while its VPC is not known. */
export function detachingNic(
  nic: PlacedNic,
  vpcs: ReadonlyMap<string, Vpc>,
): readonly DetachingNic[] {
  const vpc = vpcs.get(nic.vpc)
  const attachment = attachmentOf(nic)?.id
  if (vpc === undefined || attachment === undefined) return []
  return [{ id: nic.id, attachment, ...numberOf(vpc) }]
}

/** Nothing for a VPC without a namespace of its own. */
function numberOf({ network }: Vpc): { readonly network?: number } {
  return network === null ? {} : { network }
}

/** What a NIC has of its VPC. */
export function vpcOfNic(vpc: Vpc): Pick<NicWant, 'vpcCidr' | 'moreVpcCidrs' | 'network'> {
  const more = vpc.moreCidrs?.map(({ cidr }) => cidr)
  return {
    vpcCidr: vpc.cidr,
    ...(more === undefined ? {} : { moreVpcCidrs: more }),
    ...numberOf(vpc),
  }
}

/** The ranges of a VPC. `routers` are the VPCs with routers on other hosts. */
export function rangesWant(vpc: Vpc, routers: ReadonlySet<VpcId>): SharedWant['vpcs'] {
  return rangesOf(vpc).map((cidr) => ({
    ...{ id: vpc.id, cidr },
    ...numberOf(vpc),
    ...(routers.has(vpc.id) ? { hasRouters: true as const } : {}),
  }))
}

/** The next hop to what is on a host: undefined on this one; null: there is none. */
type NextHops = (there: HostName) => Ipv4 | null | undefined

/** The next hops from a host to these. */
export function nextHops(
  host: HostName,
  hosts: readonly Pick<PeerHost, 'name' | 'fabricAddress'>[],
): NextHops {
  const fabric = new Map(hosts.map(({ name, fabricAddress }) => [name, fabricAddress]))
  return (there) => (there === host ? undefined : (fabric.get(there) ?? null))
}

/** The routes to the addresses of NICs on other hosts. */
export function routesToNics(nics: readonly PlacedNic[], viaOf: NextHops): SharedWant['routes'] {
  return nics.flatMap((nic) => {
    const via = viaOf(nic.host) ?? null
    return via === null
      ? []
      : addressesOfNic(nic).map((ip) => ({
          ip,
          via,
          vpc: nic.vpc,
          nic: nic.attachment?.id ?? nic.id,
        }))
  })
}

/** The addresses of the members of each group. */
export function membersOf(nics: readonly PlacedNic[]): ReadonlyMap<GroupId, readonly Ipv4[]> {
  const members = new Map<GroupId, Ipv4[]>()
  for (const nic of nics)
    for (const group of new Set(nic.groups)) {
      const known = members.get(group)
      const ips = addressesOfNic(nic)
      if (known === undefined) members.set(group, [...ips])
      else known.push(...ips)
    }
  return members
}

/** VPCs with NICs on other hosts whose source is not checked. */
export function vpcsWithRouters(host: HostName, nics: readonly PlacedNic[]): ReadonlySet<VpcId> {
  return new Set(
    nics.flatMap((nic) => (nic.sourceDestCheck === false && nic.host !== host ? nic.vpc : [])),
  )
}

/**
 * Each instance has up to three DNS names: its id (the canonical name, as in EC2's resource-name
 * host names), its IP-based name, and its Name tag, if that is a DNS label that looks like neither
 * of the others. They lead to the first address of its first NIC. Every other address has its
 * IP-based name.
 */
export function namesOf(nics: readonly PlacedNic[]): SharedWant['names'] {
  return nics.flatMap((nic) => [
    ...(nic.deviceIndex === 0 ? instanceNames(nic) : addressNames(nic, nic.ip, nic.publicIp, true)),
    ...(nic.secondaryIps ?? []).flatMap((ip) =>
      addressNames(nic, ip, nic.secondaryPublicIps?.[ip], true),
    ),
  ])
}

function instanceNames(nic: PlacedNic): SharedWant['names'] {
  const { ip, vpc } = nic
  const label = nameTagLabel(nic.nameTag ?? undefined)
  return [
    { name: nic.instance, ip, primary: true, vpc },
    ...addressNames(nic, ip, nic.publicIp, false),
    ...(label !== undefined && !isHostLabel(label)
      ? [{ name: label, ip, primary: false, vpc }]
      : []),
  ]
}

/** The names of an address, the first of which may be what a reverse lookup returns. */
function addressNames(
  { vpc }: PlacedNic,
  ip: Ipv4,
  publicIp: Ipv4 | null | undefined,
  primary: boolean,
): SharedWant['names'] {
  const name = { name: ipHostLabel(ip), ip, primary, vpc }
  // Inside the VPC the public name leads to the private address, as in EC2.
  return publicIp ? [name, { name: publicHostLabel(publicIp), ip, primary: false, vpc }] : [name]
}
