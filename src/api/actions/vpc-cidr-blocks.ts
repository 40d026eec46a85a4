/** AssociateVpcCidrBlock and DisassociateVpcCidrBlock: further ranges of a VPC. */
import { z } from 'zod'
import { type Cidr, cidrHolds, cidrOverlaps, formatCidr } from '../../model/addr.ts'
import { refused } from '../../model/errors.ts'
import type { Vpc, VpcCidr } from '../../model/records.ts'
import { TRANSIT_RANGE } from '../../model/transit.ts'
import type { Version } from '../../model/version.ts'
import { overlapping, rangesOf, VPC_RANGES_MAX } from '../../model/vpc-range.ts'
import { readRouting } from '../../store/routing.ts'
import type { ReadTx } from '../../store/store.ts'
import { changeAction } from '../change.ts'
import { rangeSchema, requireVpc, requireWhole, vpcIdSchema } from '../networks/vpcs.ts'
import { refuseOlderHosts } from '../older-hosts.ts'
import { idSchema, notFound, onlySchema } from '../schemas.ts'
import { primaryAssociation, vpcCidrView } from '../views/network.ts'
import { toStranger, whyNot } from './create-vpc-peering-connection.ts'

/** Hosts of this version and later know VPCs of several ranges. */
const RANGES_VERSION: Version = [0, 4]

/**
 * The range is usable at once. It may be any that a VPC may have, also one that EC2 restricts.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateVpcCidrBlock.html
 */
export const associateVpcCidrBlock = changeAction({
  name: 'AssociateVpcCidrBlock',
  input: z.strictObject({
    VpcId: vpcIdSchema,
    CidrBlock: rangeSchema('InvalidVpc.Range'),
    AmazonProvidedIpv6CidrBlock: onlySchema(
      false,
      'AmazonProvidedIpv6CidrBlock: there are no IPv6 addresses',
    ),
  }),
  async change(tx, { VpcId, CidrBlock: cidr }, { account, newId, settings }) {
    await refuseOlderHosts(tx, settings, RANGES_VERSION, 'VPCs of several ranges')
    await tx.takeTurn(account)
    const vpc = await requireVpc(tx, account, VpcId)
    requireWhole(tx, 'vpcs')
    if (vpc.network === null)
      throw refused(
        'OperationNotPermitted',
        `${vpc.id} is in the network of the hosts themselves, which a further range could cut off; a VPC that has a network of its own takes one, as each does that CreateVpc makes`,
      )
    const more = vpc.moreCidrs ?? []
    if (more.length + 1 >= VPC_RANGES_MAX)
      throw refused(
        'CidrLimitExceeded',
        `This network '${vpc.id}' has met its maximum number of allowed CIDRs: ${VPC_RANGES_MAX}`,
      )
    const added = { id: newId('vpc-cidr-assoc'), cidr }
    await refuseConflict(tx, vpc, cidr)
    await refusePeersConflict(tx, { ...vpc, moreCidrs: [...more, added] }, cidr)
    await tx.setVpcCidrs(vpc, [...more, added])
    return { vpc: vpc.id, added }
  },
  view: ({ vpc, added }) => ({
    VpcId: vpc,
    CidrBlockAssociation: vpcCidrView(added, 'associating'),
  }),
})

/**
 * Refuses a range that the VPC, its routes, its peers or the hosts have. Errors: `CidrConflict`;
 * `unavailable` when routes cannot be read.
 */
async function refuseConflict(tx: ReadTx, vpc: Vpc, cidr: Cidr): Promise<void> {
  const conflict = (why: string) => refused('CidrConflict', `${formatCidr(cidr)} ${why}`)
  const [there] = overlapping(rangesOf(vpc), [cidr]) ?? []
  if (there !== undefined)
    throw conflict(`overlaps with pre-existing CIDR block ${formatCidr(there)} from VPC ${vpc.id}`)
  if (cidrOverlaps(TRANSIT_RANGE, cidr))
    throw conflict(`overlaps ${formatCidr(TRANSIT_RANGE)}, which is between hosts and their VPCs`)
  const [routing] = await readRouting(tx, [vpc.id])
  const inside = routing?.routes.find(({ destination }) => cidrHolds(cidr, destination))
  if (inside !== undefined)
    throw conflict(
      `holds ${formatCidr(inside.destination)}, the destination of a route of ${inside.table}`,
    )
}

/** What a peer has, and what the peers of a peer have, must stay apart from the widened VPC. */
async function refusePeersConflict(tx: ReadTx, vpc: Vpc, cidr: Cidr): Promise<void> {
  const peerings = (await tx.activePeerings()).filter(({ vpcs }) => vpcs.includes(vpc.id))
  if (peerings.length === 0) return
  const vpcs = new Map((await tx.vpcs({})).map((one) => [one.id, one]))
  for (const { id, vpcs: pair } of peerings) {
    const peer = vpcs.get(pair[0] === vpc.id ? pair[1] : pair[0])
    const why = peer === undefined ? null : await whyNot(tx, vpc, peer)
    const shown = peer?.account === vpc.account ? why : toStranger(why)
    if (shown !== null)
      throw refused('CidrConflict', `${formatCidr(cidr)} cannot be used beside ${id}: ${shown}`)
  }
}

/**
 * Refused for the range that the VPC was made with, and while a subnet lies in it.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DisassociateVpcCidrBlock.html
 */
export const disassociateVpcCidrBlock = changeAction({
  name: 'DisassociateVpcCidrBlock',
  input: z.strictObject({
    AssociationId: idSchema('vpc-cidr-assoc', 'InvalidVpcCidrBlockAssociationId.Malformed'),
  }),
  async change(tx, { AssociationId: id }, { account }) {
    await tx.takeTurn(account)
    const vpcs = await tx.vpcs({ account })
    const primary = vpcs.find((vpc) => primaryAssociation(vpc) === id)
    if (primary !== undefined)
      throw refused(
        'OperationNotPermitted',
        `The vpc CIDR block with association ID ${id} may not be disassociated. It is the primary IPv4 CIDR block of the VPC`,
      )
    const found = vpcs.flatMap((vpc) =>
      (vpc.moreCidrs ?? []).flatMap((one) => (one.id === id ? { vpc, removed: one } : [])),
    )[0]
    if (found === undefined)
      throw notFound('InvalidVpcCidrBlockAssociationID.NotFound', 'vpc CIDR block association ID', [
        id,
      ])
    const { vpc, removed } = found
    await refuseUsed(tx, vpc, removed)
    await tx.setVpcCidrs(
      vpc,
      (vpc.moreCidrs ?? []).filter((one) => one.id !== id),
    )
    return found
  },
  view: ({ vpc, removed }) => ({
    VpcId: vpc.id,
    CidrBlockAssociation: vpcCidrView(removed, 'disassociating'),
  }),
})

async function refuseUsed(tx: ReadTx, vpc: Vpc, { id, cidr }: VpcCidr): Promise<void> {
  const used = (await tx.subnets({ vpc: vpc.id })).find((subnet) => cidrHolds(cidr, subnet.cidr))
  requireWhole(tx, 'subnets')
  if (used !== undefined)
    throw refused(
      'DependencyViolation',
      `The vpc CIDR block with association ID ${id} has the subnet ${used.id} and cannot be disassociated.`,
    )
}
