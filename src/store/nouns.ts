/**
 * The list of nouns, which the store is built from.
 *
 * Its order is one in which a copy can be filled: a noun comes after those it refers to.
 */
import { accounts } from './records/account.ts'
import { addresses } from './records/address.ts'
import { auditEvents } from './records/audit-event.ts'
import { clientTokens } from './records/client-token.ts'
import { commits } from './records/commit.ts'
import { dhcpOptions } from './records/dhcp-options.ts'
import { failoverMembers } from './records/failover-members.ts'
import { flowLogs } from './records/flow-log.ts'
import { gateways } from './records/gateway.ts'
import { generations } from './records/generation.ts'
import { groups } from './records/group.ts'
import { groupRules } from './records/group-rule.ts'
import { hosts } from './records/host.ts'
import { images } from './records/image.ts'
import { imagePermissions } from './records/image-permission.ts'
import { instances } from './records/instance.ts'
import { instanceTypes } from './records/instance-type.ts'
import { keyPairs } from './records/key-pair.ts'
import { launchTemplates } from './records/launch-template.ts'
import { levers } from './records/lever.ts'
import { moves } from './records/move.ts'
import { networks } from './records/network.ts'
import { networkAcls } from './records/network-acl.ts'
import { nics } from './records/nic.ts'
import type { Noun, RowsOf } from './records/noun.ts'
import { ownPolicies } from './records/own-policy.ts'
import { pendingEvents } from './records/pending-event.ts'
import { placementGroups } from './records/placement-group.ts'
import { prefixLists } from './records/prefix-list.ts'
import { recoveries } from './records/recovery.ts'
import { roles } from './records/role.ts'
import { routeTables } from './records/route-table.ts'
import { storageFences } from './records/storage-fence.ts'
import { tags } from './records/tag.ts'
import { usageRecords } from './records/usage.ts'
import { users } from './records/user.ts'
import { userGroups } from './records/user-group.ts'
import { volumes } from './records/volume.ts'
import { vpcPeerings } from './records/vpc-peering.ts'
import { warmInstances } from './records/warm-instance.ts'

/** All nouns. */
export const NOUNS = [
  accounts,
  users,
  userGroups,
  ownPolicies,
  roles,
  hosts,
  failoverMembers,
  images,
  imagePermissions,
  instanceTypes,
  launchTemplates,
  placementGroups,
  networks,
  dhcpOptions,
  gateways,
  routeTables,
  networkAcls,
  vpcPeerings,
  groups,
  groupRules,
  prefixLists,
  instances,
  warmInstances,
  recoveries,
  storageFences,
  nics,
  addresses,
  flowLogs,
  volumes,
  keyPairs,
  tags,
  levers,
  moves,
  usageRecords,
  clientTokens,
  auditEvents,
  pendingEvents,
  generations,
  commits,
] as const

/** Any noun. */
// biome-ignore lint/suspicious/noExplicitAny: a list holds nouns of different tables and methods.
export type AnyNoun = Noun<any, any, any, any>

/** The intersection of the members of a union. */
type All<Parts> = (Parts extends unknown ? (part: Parts) => void : never) extends (
  part: infer Whole,
) => void
  ? Whole
  : never

/** The methods that read the records of these nouns. */
export type ReadsOf<One extends AnyNoun> = All<
  One extends unknown ? ReturnType<One['reads']> : never
>
/** The methods that write them. */
export type WritesOf<One extends AnyNoun> = All<
  One extends unknown ? ReturnType<One['writes']> : never
>
/** Their tables by name. */
type TablesOf<One extends AnyNoun> = All<One extends unknown ? RowsOf<One['tables']> : never>

/** All tables by name, as Kysely needs them. */
export type Tables = TablesOf<(typeof NOUNS)[number]>
