/**
 * The rules of security groups in requests: `IpPermissions`, the older flat form, and the rules of
 * ModifySecurityGroupRules. Pure.
 *
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpPermission.html and
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AuthorizeSecurityGroupIngress.html
 */
import { z } from 'zod'
import { maskedCidr } from '../../model/addr.ts'
import { canonicalIpv6Cidr } from '../../model/addr6.ts'
import { refused } from '../../model/errors.ts'
import {
  ANY_PORT,
  ANY_PROTOCOL,
  hasPorts,
  ICMP_MAX,
  isIcmp,
  type NetworkPeer,
  PORT_MAX,
  PROTOCOLS,
  type RuleMatch,
  type RulePeer,
} from '../../model/group-rule.ts'
import { type GroupId, parseId } from '../../model/ids.ts'
import { IDS_MAX, idSchema, onlySchema, textSchema } from '../schemas.ts'
import { missingPrefixLists } from './prefix-lists.ts'

/** Longest description of a rule or a group, and longest name of a group. */
const GROUP_TEXT_MAX_LENGTH = 255
const GROUP_TEXT = /^[a-zA-Z0-9 ._\-:/()#,@[\]+=&;{}!$*]*$/

/** EC2's format for the name of a group, and for the description of a group or a rule. */
export const groupTextSchema = z
  .string()
  .refine((text) => text.length <= GROUP_TEXT_MAX_LENGTH, {
    error: `at most ${GROUP_TEXT_MAX_LENGTH} characters`,
  })
  .refine((text) => GROUP_TEXT.test(text), {
    error:
      'Character sets beyond ASCII are not supported: use a-z, A-Z, 0-9, spaces and ._-:/()#,@[]+=&;{}!$*',
  })

const description = { Description: groupTextSchema.optional() }
const groupId = idSchema('sg', 'InvalidGroupId.Malformed')
const range = {
  IpProtocol: textSchema.optional(),
  FromPort: z.int().optional(),
  ToPort: z.int().optional(),
}
const NO_PEERING = 'VpcPeeringConnectionId: there are no peerings of VPCs'

/** Clients may send the rules of an answer, so the members of answers are accepted as well. */
const permissionSchema = z.strictObject({
  ...range,
  IpRanges: z
    .array(z.strictObject({ CidrIp: textSchema, ...description }))
    .max(IDS_MAX)
    .default([]),
  Ipv6Ranges: z
    .array(z.strictObject({ CidrIpv6: textSchema, ...description }))
    .max(IDS_MAX)
    .default([]),
  UserIdGroupPairs: z
    .array(
      z.strictObject({
        GroupId: groupId.optional(),
        GroupName: textSchema.optional(),
        UserId: textSchema.optional(),
        VpcId: textSchema.optional(),
        VpcPeeringConnectionId: onlySchema('', NO_PEERING),
        ...description,
      }),
    )
    .max(IDS_MAX)
    .default([]),
  PrefixListIds: z
    .array(z.strictObject({ PrefixListId: textSchema.optional(), ...description }))
    .max(IDS_MAX)
    .default([]),
})
type Permission = z.output<typeof permissionSchema>

/** `IpPermissions`. */
export const permissionsSchema = z.array(permissionSchema).max(IDS_MAX).default([])

/** `IpPermissions`, or the flat form of one rule. */
export const rulesShape = {
  ...range,
  CidrIp: textSchema.optional(),
  SourceSecurityGroupName: textSchema.optional(),
  SourceSecurityGroupOwnerId: textSchema.optional(),
  IpPermissions: permissionsSchema,
}
const rulesSchema = z.strictObject(rulesShape)
type Rules = z.output<typeof rulesSchema>

/** `SecurityGroupRule` of ModifySecurityGroupRules. */
export const wholeRuleSchema = z.strictObject({
  ...range,
  CidrIpv4: textSchema.optional(),
  CidrIpv6: textSchema.optional(),
  PrefixListId: textSchema.optional(),
  ReferencedGroupId: groupId.optional(),
  ...description,
})

/** A group, as a rule names it. */
export interface NamedGroup {
  readonly id: GroupId | undefined
  readonly name: string | undefined
  readonly owner: string | undefined
  readonly vpc: string | undefined
}

/** The peer of a rule, before names of groups are looked up. */
type AskedPeer =
  | Exclude<RulePeer, { readonly kind: 'group' }>
  | { readonly kind: 'named'; readonly group: NamedGroup }

/** A requested rule. */
export interface AskedRule extends Pick<RuleMatch, 'protocol' | 'fromPort' | 'toPort'> {
  readonly peer: AskedPeer
  /** Undefined: not given. */
  readonly description: string | undefined
}

/**
 * The rules that a request names, in either form. Errors: `InvalidParameterCombination` for both
 * forms, `MissingParameter` for neither.
 */
export function askedRules(asked: Rules): readonly AskedRule[] {
  const { IpPermissions: permissions, CidrIp, SourceSecurityGroupName, ...flat } = asked
  const { SourceSecurityGroupOwnerId, ...ports } = flat
  const isFlat = [CidrIp, SourceSecurityGroupName, ...Object.values(flat)].some(
    (value) => value !== undefined,
  )
  if (!isFlat) {
    if (permissions.length > 0) return permissions.flatMap(permissionRules)
    throw refused('MissingParameter', 'The request must contain the parameter ipPermissions')
  }
  if (permissions.length > 0)
    throw refused(
      'InvalidParameterCombination',
      'The parameter ipPermissions may not be used in combination with parameters of one rule, such as ipProtocol and cidrIp',
    )
  if (SourceSecurityGroupName === undefined)
    return oneRule(ports, CidrIp === undefined ? [] : [{ peer: ipv4Peer(CidrIp) }])
  if (CidrIp !== undefined || Object.values(ports).some((value) => value !== undefined))
    throw refused(
      'InvalidParameterCombination',
      'The parameter sourceSecurityGroupName may not be used in combination with cidrIp, ipProtocol, fromPort and toPort; use ipPermissions',
    )
  const owner = SourceSecurityGroupOwnerId
  const group = { id: undefined, name: SourceSecurityGroupName, owner, vpc: undefined }
  return ALL_OF_EACH.map((part) => ({
    ...part,
    peer: { kind: 'named', group },
    description: undefined,
  }))
}

/** The rules that `SourceSecurityGroupName` means: "full ICMP, UDP, and TCP access". */
const ALL_OF_EACH = [
  { protocol: PROTOCOLS.tcp, fromPort: 0, toPort: PORT_MAX },
  { protocol: PROTOCOLS.udp, fromPort: 0, toPort: PORT_MAX },
  { protocol: PROTOCOLS.icmp, fromPort: ANY_PORT, toPort: ANY_PORT },
]

/** The rules of `IpPermissions`: one for each network, each group and each prefix list. */
export function permissionRules(permission: Permission): readonly AskedRule[] {
  const { IpRanges, Ipv6Ranges, UserIdGroupPairs, PrefixListIds } = permission
  return oneRule(permission, [
    ...IpRanges.map((one) => ({ peer: ipv4Peer(one.CidrIp), description: one.Description })),
    ...Ipv6Ranges.map((one) => ({ peer: ipv6Peer(one.CidrIpv6), description: one.Description })),
    ...UserIdGroupPairs.map((pair) => {
      const { GroupId: id, GroupName: name, UserId: owner, VpcId: vpc } = pair
      if (id === undefined && name === undefined)
        throw refused('MissingParameter', 'The request must contain the parameter groupId')
      const peer: AskedPeer = { kind: 'named', group: { id, name, owner, vpc } }
      return { peer, description: pair.Description }
    }),
    ...PrefixListIds.map((one) => ({
      peer: listPeer(one.PrefixListId),
      description: one.Description,
    })),
  ])
}

/** The rule that ModifySecurityGroupRules asks for. */
export function wholeRule(rule: z.output<typeof wholeRuleSchema>): AskedRule {
  const { CidrIpv4, CidrIpv6, PrefixListId, ReferencedGroupId: id, Description } = rule
  const peers: AskedPeer[] = []
  if (CidrIpv4 !== undefined) peers.push(ipv4Peer(CidrIpv4))
  if (CidrIpv6 !== undefined) peers.push(ipv6Peer(CidrIpv6))
  if (PrefixListId !== undefined) peers.push(listPeer(PrefixListId))
  if (id !== undefined)
    peers.push({
      kind: 'named',
      group: { id, name: undefined, owner: undefined, vpc: undefined },
    })
  const [made, more] = oneRule(
    rule,
    peers.map((peer) => ({ peer, description: Description })),
  )
  if (made !== undefined && more === undefined) return made
  throw refused(
    'InvalidParameterCombination',
    'A rule has exactly one of CidrIpv4, CidrIpv6, PrefixListId and ReferencedGroupId',
  )
}

function listPeer(text: string | undefined): Extract<RulePeer, { readonly kind: 'list' }> {
  if (text === undefined)
    throw refused('MissingParameter', 'The request must contain the parameter prefixListId')
  const list = parseId('pl', text)
  if (list === undefined) throw missingPrefixLists([text])
  return { kind: 'list', list }
}

function oneRule(
  given: { readonly [Name in keyof typeof range]?: z.output<(typeof range)[Name]> },
  peers: readonly { readonly peer: AskedPeer; readonly description?: string | undefined }[],
): readonly AskedRule[] {
  if (given.IpProtocol === undefined)
    throw refused(
      'InvalidPermission.Malformed',
      'A rule must name its protocol: give IpProtocol, which is tcp, udp, icmp, icmpv6, a number or -1',
    )
  if (peers.length === 0)
    throw refused(
      'MissingParameter',
      'Missing source specification: include source security group or CIDR information',
    )
  const match = askedTraffic(given.IpProtocol, given.FromPort, given.ToPort)
  return peers.map(({ peer, description }) => ({ ...match, peer, description }))
}

/** Protocols that have a name in answers. Others have a number. */
export function protocolName(protocol: number): string {
  const named = Object.entries(PROTOCOLS).find(([, number]) => number === protocol)
  return named?.[0] ?? String(protocol)
}

/**
 * The packets that a protocol, by name or number, and ports mean; for ICMP, type and code. Errors:
 * `InvalidParameterValue`.
 */
export function askedTraffic(
  protocol: string,
  from: number | undefined,
  to: number | undefined,
): Pick<RuleMatch, 'protocol' | 'fromPort' | 'toPort'> {
  return matchOf(parseProtocol(protocol), from, to)
}

/** The number of a protocol. Errors: `InvalidParameterValue`. */
export function parseProtocol(text: string): number {
  const name = text.trim().toLowerCase()
  if (Object.hasOwn(PROTOCOLS, name)) return PROTOCOLS[name as keyof typeof PROTOCOLS]
  if (name === 'all' || name === '-1') return ANY_PROTOCOL
  const number = /^\d{1,3}$/.test(name) ? Number(name) : Number.NaN
  if (number <= ICMP_MAX) return number
  throw refused(
    'InvalidParameterValue',
    `Invalid value '${text}' for IP protocol. Unknown protocol.`,
  )
}

/** Ports, or type and code, as the protocol has them. For others they are ignored. */
function matchOf(
  protocol: number,
  fromPort: number | undefined,
  toPort: number | undefined,
): Pick<RuleMatch, 'protocol' | 'fromPort' | 'toPort'> {
  const any = { protocol, fromPort: ANY_PORT, toPort: ANY_PORT }
  if (hasPorts(protocol)) return portRange(protocol, fromPort, toPort)
  if (!isIcmp(protocol)) return any
  if (fromPort === undefined || toPort === undefined) {
    // "If you omit the port range, traffic for all types and codes is allowed."
    if (protocol === PROTOCOLS.icmpv6 && fromPort === toPort) return any
    throw invalid("Invalid value 'Must specify both type and code with ICMP.' for portRange.")
  }
  for (const [what, value] of [
    ['type', fromPort],
    ['code', toPort],
  ] as const)
    if (value < ANY_PORT || value > ICMP_MAX) throw invalid(`ICMP ${what} (${value}) out of range`)
  if (fromPort === ANY_PORT && toPort !== ANY_PORT)
    throw invalid(`ICMP code (${toPort}) without a type; use -1`)
  return { protocol, fromPort, toPort }
}

function portRange(protocol: number, fromPort: number | undefined, toPort: number | undefined) {
  if (fromPort === undefined || toPort === undefined)
    throw invalid(
      "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.",
    )
  for (const port of [fromPort, toPort])
    if (port < 0 || port > PORT_MAX) throw invalid(`TCP/UDP port (${port}) out of range`)
  if (fromPort > toPort) throw invalid(`Invalid TCP/UDP port range (${fromPort}:${toPort})`)
  return { protocol, fromPort, toPort }
}

function invalid(message: string): Error {
  return refused('InvalidParameterValue', message)
}

/** A network. Errors: `InvalidParameterValue`. */
export function ipv4Peer(text: string): NetworkPeer {
  const cidr = maskedCidr(text)
  if (cidr === undefined) throw invalid(`CIDR block ${text} is malformed`)
  return { kind: 'ipv4', cidr }
}

/** An IPv6 network. Errors: `InvalidParameterValue`. */
export function ipv6Peer(text: string): NetworkPeer {
  const cidr = canonicalIpv6Cidr(text)
  if (cidr === undefined) throw invalid(`CIDR block ${text} is malformed`)
  return { kind: 'ipv6', cidr }
}
