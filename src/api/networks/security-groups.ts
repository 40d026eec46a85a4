/** What actions on security groups and their rules share. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { formatPeer, type RuleMatch } from '../../model/group-rule.ts'
import type { AccountId, GroupId, VpcId } from '../../model/ids.ts'
import type { Group, GroupRule, Nic } from '../../model/records.ts'
import type { Version } from '../../model/version.ts'
import { namedLists } from '../../plan/prefix-lists.ts'
import type { ReadTx, Tx } from '../../store/store.ts'
import type { ApiSettings } from '../action.ts'
import { refuseMissing } from '../describe.ts'
import { refuseOlderHosts } from '../older-hosts.ts'
import { idSchema, notFound, textSchema } from '../schemas.ts'
import { groupsOfPeers } from './foreign-groups.ts'
import { type AskedRule, type NamedGroup, protocolName } from './group-permissions.ts'
import { requirePrefixLists } from './prefix-lists.ts'

/** A group by its id, or by its name in the default VPC. */
export const groupShape = {
  GroupId: idSchema('sg', 'InvalidGroupId.Malformed').optional(),
  GroupName: textSchema.optional(),
}
const groupSchema = z.strictObject(groupShape)

/** Older hosts know no rules: they let all members of a group reach each other. */
const RULES_VERSION: Version = [0, 3]

/** Errors: `OperationNotPermitted` while a host would not have changed rules in force. */
export async function refuseForOlderHosts(
  tx: ReadTx,
  settings: Pick<ApiSettings, 'host'>,
): Promise<void> {
  await refuseOlderHosts(tx, settings, RULES_VERSION, 'rules of security groups')
}

/** The VPC when none is named. Errors: `VPCIdNotSpecified`. */
export async function requireDefaultVpc(tx: ReadTx, account: AccountId): Promise<VpcId> {
  const vpc = (await tx.vpcs({ account })).find(({ isDefault }) => isDefault)
  if (vpc !== undefined) return vpc.id
  throw refused('VPCIdNotSpecified', 'No default VPC for this user; give a VpcId or a GroupId')
}

/** Removes a group with its rules and tags; `in-use`: as `deleteGroup`. */
export async function removeGroup(tx: Tx, group: Group): Promise<'done' | 'in-use'> {
  for (const rule of await tx.groupRules({ groups: [group.id] })) {
    await tx.deleteTagsOf(rule.id)
    await tx.deleteGroupRule(rule)
  }
  const result = await tx.deleteGroup(group)
  if (result === 'done') await tx.deleteTagsOf(group.id)
  return result
}

/** The group that a request names. Errors: `MissingParameter`, `InvalidGroup.NotFound`. */
export async function requireGroup(
  tx: ReadTx,
  account: AccountId,
  { GroupId: id, GroupName: name }: Partial<z.output<typeof groupSchema>>,
): Promise<Group> {
  if (id === undefined && name === undefined)
    throw refused('MissingParameter', 'The request must contain the parameter groupName or groupId')
  const vpc = id === undefined ? await requireDefaultVpc(tx, account) : undefined
  const groups = await tx.groups({ account })
  const group = groups.find(
    (one) =>
      (id === undefined ? one.vpc === vpc : one.id === id) &&
      (name === undefined || one.name === name),
  )
  if (group === undefined) throw missingGroups([id ?? name ?? ''])
  return group
}

/** `InvalidGroup.NotFound`. */
export function missingGroups(missing: readonly string[]): Error {
  return notFound('InvalidGroup.NotFound', 'security group', missing)
}

/** A rule with its peer looked up. */
export type KnownRule = RuleMatch & Pick<AskedRule, 'description'>

/**
 * The rules with the groups that they name, which must be in the same VPC or, by id, in one that is
 * peered with it. Prefix lists must be the account's own. Both may be what rules `kept` name.
 * Errors: `InvalidGroup.NotFound`, `InvalidPrefixListID.NotFound`, and `InvalidParameterValue` for
 * a duplicate rule.
 */
export async function knownRules(
  tx: ReadTx,
  group: Group,
  asked: readonly AskedRule[],
  { egress, kept = [] }: Pick<RuleMatch, 'egress'> & { readonly kept?: readonly GroupRule[] },
): Promise<readonly KnownRule[]> {
  const { account, vpc } = group
  const isNamed = asked.some(({ peer }) => peer.kind === 'named')
  const groups = isNamed ? await tx.groups({ account, vpcs: [vpc] }) : []
  const foreign = isNamed ? await groupsOfPeers(tx, group) : []
  const before = new Set(namedLists(kept))
  const lists = namedLists(asked).filter((id) => !before.has(id))
  if (lists.length > 0) await requirePrefixLists(tx, account, lists)
  const rules = asked.map(({ peer, ...rule }): KnownRule => {
    if (peer.kind !== 'named') return { ...rule, egress, peer }
    return { ...rule, egress, peer: namedPeer(peer.group, { groups, foreign, kept, of: group }) }
  })
  if (new Set(rules.map(ruleKey)).size < rules.length)
    throw refused('InvalidParameterValue', 'The same permission must not appear multiple times')
  return rules
}

/** Among which groups a rule may name one. */
interface Namable {
  readonly groups: readonly Group[]
  readonly foreign: readonly Group[]
  readonly kept: readonly GroupRule[]
  readonly of: Pick<Group, 'account' | 'vpc'>
}

function namedPeer(
  { id, name, owner, vpc }: NamedGroup,
  { groups, foreign, kept, of }: Namable,
): RuleMatch['peer'] {
  const fits = (one: Group, account: string | undefined) =>
    (id === undefined || one.id === id) &&
    (name === undefined || one.name === name) &&
    (account === undefined || account === one.account) &&
    (vpc === undefined || vpc === one.vpc)
  const found = groups.find((one) => fits(one, owner))
  if (found !== undefined) return { kind: 'group', group: found.id }
  // As in EC2, a group of another account is named with its owner.
  const account = owner ?? of.account
  const there = id === undefined ? undefined : foreign.find((one) => fits(one, account))
  if (there !== undefined) return { kind: 'group', group: there.id, isForeign: true }
  const before = kept.find(({ peer }) => peer.kind === 'group' && peer.group === id)
  if (before !== undefined) return before.peer
  throw missingGroups([id ?? name ?? ''])
}

/** Equal for two rules of a group that allow the same. */
function ruleKey({ egress, protocol, fromPort, toPort, peer }: RuleMatch): string {
  return [egress, protocol, fromPort, toPort, formatPeer(peer)].join(' ')
}

/** A rule of a group, with the description in the request. */
interface MeantRule {
  readonly rule: GroupRule
  readonly description: string | undefined
}

/**
 * The rules among `known`, the group's, that allow the same as the requested ones, in their order.
 * Errors: `InvalidPermission.NotFound`; those of `knownRules`.
 */
export async function meantRules(
  tx: ReadTx,
  group: Group,
  known: readonly GroupRule[],
  asked: readonly AskedRule[],
  direction: Pick<RuleMatch, 'egress'>,
): Promise<readonly MeantRule[]> {
  const byKey = new Map(known.map((rule) => [ruleKey(rule), rule]))
  return (await knownRules(tx, group, asked, { ...direction, kept: known })).map(
    ({ description, ...match }) => {
      const rule = byKey.get(ruleKey(match))
      if (rule === undefined) throw missingRule()
      return { rule, description }
    },
  )
}

/** `InvalidPermission.Duplicate`. */
export function duplicateRule({ protocol, fromPort, toPort, peer }: RuleMatch): Error {
  const name = protocol === -1 ? 'ALL' : protocolName(protocol).toUpperCase()
  const ports = fromPort === -1 ? '' : ` from port: ${fromPort}, to port: ${toPort},`
  return refused(
    'InvalidPermission.Duplicate',
    `the specified rule "peer: ${formatPeer(peer)}, ${name},${ports} ALLOW" already exists`,
  )
}

/** `InvalidPermission.NotFound`. */
function missingRule(): Error {
  return refused(
    'InvalidPermission.NotFound',
    'The specified rule does not exist in this security group.',
  )
}

/** `InvalidSecurityGroupRuleId.NotFound`. */
export function missingRuleIds(ids: readonly string[]): Error {
  return notFound('InvalidSecurityGroupRuleId.NotFound', 'security group rule ID', ids)
}

/**
 * Refuses more rules than a group may have. As in EC2, each direction counts separately, and so do
 * rules for IPv4 and IPv6; a rule that names a group counts for both, and one that names a prefix
 * list as often as the list may have entries.
 * https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
 */
export async function refuseTooManyRules(
  tx: ReadTx,
  { id, account }: Pick<Group, 'id' | 'account'>,
  { quotas }: Pick<ApiSettings, 'quotas'>,
): Promise<void> {
  const rules = await tx.groupRules({ groups: [id] })
  const isNamed = rules.some(({ peer }) => peer.kind === 'list')
  const lists = new Map((isNamed ? await tx.prefixLists({ account }) : []).map((a) => [a.id, a]))
  const weightOf = ({ peer }: GroupRule, kind: 'ipv4' | 'ipv6'): number => {
    if (peer.kind !== 'list') return peer.kind === kind || peer.kind === 'group' ? 1 : 0
    const { addressFamily = 'IPv4', maxEntries = 1 } = lists.get(peer.list) ?? {}
    return addressFamily.toLowerCase() === kind ? maxEntries : 0
  }
  for (const egress of [false, true])
    for (const kind of ['ipv4', 'ipv6'] as const) {
      const those = rules.filter((rule) => rule.egress === egress)
      const sum = those.reduce((all, rule) => all + weightOf(rule, kind), 0)
      if (sum > quotas.rulesPerSecurityGroup)
        throw refused(
          'RulesPerSecurityGroupLimitExceeded',
          `The maximum number of rules per security group has been reached: ${quotas.rulesPerSecurityGroup} in each direction`,
        )
    }
}

/** Refuses more groups than a NIC may be in. */
export function refuseTooManyGroups(count: number, { quotas }: Pick<ApiSettings, 'quotas'>): void {
  if (count <= quotas.securityGroupsPerInterface) return
  throw refused(
    'SecurityGroupsPerInterfaceLimitExceeded',
    `The maximum number of security groups per interface is ${quotas.securityGroupsPerInterface}`,
  )
}

/**
 * Sets the groups of a NIC. Errors: `InvalidGroup.NotFound` for a group that is not in its VPC, and
 * `SecurityGroupsPerInterfaceLimitExceeded`.
 */
export async function putIntoGroups(
  tx: Tx,
  nic: Nic,
  wanted: readonly GroupId[],
  settings: Pick<ApiSettings, 'quotas'>,
): Promise<void> {
  refuseTooManyGroups(wanted.length, settings)
  const groups = await tx.groups({ account: nic.account, vpcs: [nic.vpc] })
  refuseMissing(wanted, new Set(groups.map(({ id }) => id)), missingGroups)
  await tx.setNicGroups(nic, wanted)
}
