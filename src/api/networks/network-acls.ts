/** What actions on network ACLs share. */
import { z } from 'zod'
import { derivedId } from '../../model/derived-ids.ts'
import { refused } from '../../model/errors.ts'
import { ANY_PROTOCOL, hasPorts, isIcmp } from '../../model/group-rule.ts'
import {
  ACL_NUMBER_MAX,
  type AclRule,
  type NetworkAcl,
  type NetworkAclAssociation,
} from '../../model/network-acl.ts'
import type { Subnet } from '../../model/records.ts'
import type { VpcRouting } from '../../model/vpc-routing.ts'
import { textSchema } from '../schemas.ts'
import { askedTraffic, ipv4Peer, ipv6Peer, parseProtocol } from './group-permissions.ts'
import { networkAclIdSchema } from './routing.ts'

/** The ACL of every subnet of a VPC. What no record says follows from the subnet. */
export function aclAssociations(
  routing: Pick<VpcRouting, 'acls' | 'aclAssociations'>,
  subnets: readonly Subnet[],
): readonly NetworkAclAssociation[] {
  const byDefault = routing.acls.find(({ isDefault }) => isDefault)
  const own = new Map(routing.aclAssociations.map((one) => [one.subnet, one]))
  return subnets.flatMap(({ id: subnet, vpc }) => {
    const known = own.get(subnet)
    if (known !== undefined) return [known]
    if (byDefault === undefined) return []
    const id = derivedId('aclassoc', subnet) as NetworkAclAssociation['id']
    return [{ id, acl: byDefault.id, vpc, subnet }]
  })
}

/** The parameters that name an entry. */
export const entryKeyShape = {
  NetworkAclId: networkAclIdSchema,
  Egress: z.boolean(),
  RuleNumber: z.int().min(1).max(ACL_NUMBER_MAX, `must be from 1 to ${ACL_NUMBER_MAX}`),
}

/** The parameters of an entry. */
export const entrySchema = z.strictObject({
  ...entryKeyShape,
  Protocol: textSchema,
  RuleAction: z.enum(['allow', 'deny']),
  CidrBlock: textSchema.optional(),
  Ipv6CidrBlock: textSchema.optional(),
  PortRange: z.strictObject({ From: z.int().optional(), To: z.int().optional() }).optional(),
  IcmpTypeCode: z.strictObject({ Type: z.int().optional(), Code: z.int().optional() }).optional(),
})

/**
 * The entry that a request asks for. Ports that its protocol does not have are ignored, as in EC2.
 * Errors: `MissingParameter`, `InvalidParameterCombination`, `InvalidParameterValue`.
 */
export function askedEntry(asked: z.output<typeof entrySchema>): AclRule {
  const { Egress: egress, RuleNumber: number, RuleAction, CidrBlock, Ipv6CidrBlock } = asked
  if (CidrBlock !== undefined && Ipv6CidrBlock !== undefined)
    throw refused(
      'InvalidParameterCombination',
      'The parameter cidrBlock cannot be used with the parameter ipv6CidrBlock',
    )
  if (CidrBlock === undefined && Ipv6CidrBlock === undefined)
    throw refused('MissingParameter', 'The request must contain the parameter cidrBlock')
  return {
    egress,
    number,
    allow: RuleAction === 'allow',
    ...askedPorts(asked),
    peer: CidrBlock === undefined ? ipv6Peer(Ipv6CidrBlock ?? '') : ipv4Peer(CidrBlock),
  }
}

function askedPorts({ Protocol, PortRange, IcmpTypeCode }: z.output<typeof entrySchema>) {
  const protocol = parseProtocol(Protocol)
  if (hasPorts(protocol)) {
    if (PortRange === undefined)
      throw refused('MissingParameter', 'The request must contain the parameter portRange')
    return askedTraffic(Protocol, PortRange.From, PortRange.To)
  }
  if (!isIcmp(protocol)) return askedTraffic(Protocol, undefined, undefined)
  if (IcmpTypeCode === undefined)
    throw refused('MissingParameter', 'The request must contain the parameter icmpTypeCode')
  return askedTraffic(
    Protocol,
    IcmpTypeCode.Type ?? ANY_PROTOCOL,
    IcmpTypeCode.Code ?? ANY_PROTOCOL,
  )
}

/** `InvalidNetworkAclEntry.NotFound`. */
export function missingEntry(number: number): Error {
  return refused(
    'InvalidNetworkAclEntry.NotFound',
    `The network acl entry identified by ${number} does not exist.`,
  )
}

/** Errors: `InvalidParameterValue` for a default ACL. */
export function refuseDefault({ id, isDefault }: NetworkAcl): void {
  if (isDefault) throw refused('InvalidParameterValue', `cannot delete default network ACL ${id}`)
}
