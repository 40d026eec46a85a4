/**
 * Tables: the shape of the rows, and rows as records and back.
 *
 * A column is called as the field that it holds, so that what an operator sees in SQL is what the code and the manual
 * say, and most rows are their record. What SQL has no plain type for is taken apart here: networks are `address/prefix`,
 * truth values 0 and 1, the reason of a state two columns, the groups of a NIC rows of their own. Pure.
 */
import { type Cidr, cidr, formatCidr } from '../model/addr.ts'
import type { GroupId, NicId } from '../model/ids.ts'
import { INSTANCE_OPTIONS } from '../model/instance-options.ts'
import type { InstanceChange } from '../model/lifecycle.ts'
import {
  type MetadataDefaults,
  type MetadataOptions,
  OLDER_METADATA,
} from '../model/metadata-options.ts'
import type {
  AccessKeyRecord,
  Account,
  ClientToken,
  Group,
  Host,
  Image,
  Instance,
  InstanceType,
  KeyPair,
  Nic,
  PlacedNic,
  Subnet,
  Tag,
  Volume,
  Vpc,
} from '../model/records.ts'
import { optionsFromColumn, optionsToColumn } from './records/instance-options.ts'

/** Field types of a record that columns hold in another way. */
type Stored<Value> = Value extends boolean ? number : Value extends Cidr ? string : Value
/** A record whose networks and truth values are as columns hold them. */
type Row<Item> = { readonly [Field in keyof Item]: Stored<Item[Field]> }

export type VpcRow = Row<Vpc>
export type SubnetRow = Row<Subnet>
/** The options of metadata, one column each; null: nothing was said. */
interface MetadataColumns {
  readonly metadataTokens: MetadataOptions['tokens'] | null
  readonly metadataEndpoint: MetadataOptions['endpoint'] | null
  readonly metadataHopLimit: number | null
  readonly metadataTags: MetadataOptions['tags'] | null
}
export type AccountRow = Omit<Account, 'metadata'> & MetadataColumns
export type InstanceRow = Omit<Row<Instance>, 'stateReason' | 'metadata' | 'options'> &
  MetadataColumns & {
    readonly options: string | null
    readonly stateReasonCode: string | null
    readonly stateReasonMessage: string | null
  }
/** `host` is where the volume lies while it has no instance. */
export type VolumeRow = Omit<Row<Volume>, 'volumeType'> & { readonly volumeType: string | null }
export type NicRow = Omit<Nic, 'groups'>
/** One NIC in one group. `position` keeps the order in which the groups were asked for. */
export interface NicGroupRow {
  readonly nic: NicId
  readonly position: number
  readonly group: GroupId
}

/** A host with its lease. Both times are the store's own, in milliseconds since the epoch. */
export type HostRow = Omit<Host, 'live'> & {
  readonly leaseUntilMs: number
  /** When something in its part of the records last changed. */
  readonly changedAtMs: number
}

/** All tables by name, as Kysely wants to know them. */
export interface Tables {
  readonly accounts: AccountRow
  readonly accessKeys: AccessKeyRecord
  readonly hosts: HostRow
  readonly images: Image
  readonly instanceTypes: InstanceType
  readonly vpcs: VpcRow
  readonly subnets: SubnetRow
  readonly securityGroups: Group
  readonly instances: InstanceRow
  readonly nics: NicRow
  readonly nicGroups: NicGroupRow
  readonly volumes: VolumeRow
  readonly keyPairs: KeyPair
  readonly tags: Tag
  readonly clientTokens: ClientToken
}

/** Options as their columns; null sets none. */
export function metadataColumns(options: MetadataDefaults | null): MetadataColumns {
  return {
    metadataTokens: options?.tokens ?? null,
    metadataEndpoint: options?.endpoint ?? null,
    metadataHopLimit: options?.hopLimit ?? null,
    metadataTags: options?.tags ?? null,
  }
}

function metadataOf(row: MetadataColumns): MetadataDefaults {
  return {
    tokens: row.metadataTokens,
    endpoint: row.metadataEndpoint,
    hopLimit: row.metadataHopLimit,
    tags: row.metadataTags,
  }
}

/** All four, or null when an older daemon wrote the row; one that is missing alone counts as an older daemon's. */
function instanceMetadata(row: MetadataColumns): MetadataOptions | null {
  const { tokens, endpoint, hopLimit, tags } = metadataOf(row)
  if (tokens === null && endpoint === null && hopLimit === null && tags === null) return null
  return {
    tokens: tokens ?? OLDER_METADATA.tokens,
    endpoint: endpoint ?? OLDER_METADATA.endpoint,
    hopLimit: hopLimit ?? OLDER_METADATA.hopLimit,
    tags: tags ?? OLDER_METADATA.tags,
  }
}

/** An account as its row. */
export function accountToRow({ metadata, ...account }: Account): AccountRow {
  return { ...account, ...metadataColumns(metadata) }
}

/** An account from its row. */
export function accountFromRow(row: AccountRow): Account {
  return { id: row.id, name: row.name, metadata: metadataOf(row) }
}

/** A VPC as its row. */
export function vpcToRow(vpc: Vpc): VpcRow {
  return { ...vpc, cidr: formatCidr(vpc.cidr), isDefault: Number(vpc.isDefault) }
}

/** A VPC from its row; throws RangeError when the network in it is malformed. */
export function vpcFromRow(row: VpcRow): Vpc {
  return { ...row, cidr: cidr(row.cidr), isDefault: row.isDefault !== 0 }
}

/** A subnet as its row. */
export function subnetToRow(subnet: Subnet): SubnetRow {
  return { ...subnet, cidr: formatCidr(subnet.cidr), isDefault: Number(subnet.isDefault) }
}

/** A subnet from its row; throws RangeError when the network in it is malformed. */
export function subnetFromRow(row: SubnetRow): Subnet {
  return { ...row, cidr: cidr(row.cidr), isDefault: row.isDefault !== 0 }
}

/** A host from its row and the store's clock at the time of reading. */
export function hostFromRow(row: HostRow & { readonly nowMs: number }): Host {
  const { leaseUntilMs, changedAtMs: _changedAtMs, nowMs, ...host } = row
  return { ...host, live: Number(leaseUntilMs) >= Number(nowMs) }
}

/** An instance as its row. */
export function instanceToRow(instance: Instance): InstanceRow {
  const { stateReason, metadata, options = INSTANCE_OPTIONS, ...rest } = instance
  return {
    ...rest,
    ...metadataColumns(metadata),
    options: optionsToColumn(options),
    claimed: Number(instance.claimed),
    stateReasonCode: stateReason?.code ?? null,
    stateReasonMessage: stateReason?.message ?? null,
  }
}

/** An instance from its row. */
export function instanceFromRow(row: InstanceRow): Instance {
  const { stateReasonCode: code, stateReasonMessage: message, ...columns } = row
  const { metadataTokens, metadataEndpoint, metadataHopLimit, metadataTags, ...rest } = columns
  const stateReason = code === null ? null : { code, message: message ?? '' }
  const metadata = instanceMetadata({
    metadataTokens,
    metadataEndpoint,
    metadataHopLimit,
    metadataTags,
  })
  const { options: column, ...plain } = rest
  const options = optionsFromColumn(column)
  const said = column === null || options === undefined ? {} : { options }
  return { ...plain, claimed: row.claimed !== 0, stateReason, metadata, ...said }
}

/** The columns that a change sets: those of its fields and no others. */
export function changeToColumns(change: InstanceChange): Partial<InstanceRow> {
  const { stateReason, claimed, metadata, options, ...plain } = change
  const rest = {
    ...plain,
    ...(metadata === undefined ? {} : metadataColumns(metadata)),
    ...(options === undefined ? {} : { options: optionsToColumn(options) }),
    ...(claimed === undefined ? {} : { claimed: Number(claimed) }),
  }
  if (stateReason === undefined) return rest
  return {
    ...rest,
    stateReasonCode: stateReason?.code ?? null,
    stateReasonMessage: stateReason?.message ?? null,
  }
}

/** A NIC as its row and the rows of its groups. */
export function nicToRows(nic: Nic): {
  readonly nic: NicRow
  readonly groups: readonly NicGroupRow[]
} {
  const { groups, ...row } = nic
  return { nic: row, groups: groups.map((group, position) => ({ nic: nic.id, position, group })) }
}

/** NICs from their rows, in the order of `rows`. `groups` come in ascending order of position. */
export function nicsFromRows(
  rows: readonly NicRow[],
  groups: readonly NicGroupRow[],
): readonly Nic[] {
  const groupsOf = new Map<NicId, GroupId[]>()
  for (const { nic, group } of groups) {
    const known = groupsOf.get(nic)
    if (known === undefined) groupsOf.set(nic, [group])
    else known.push(group)
  }
  return rows.map((row) => ({ ...row, groups: groupsOf.get(row.id) ?? [] }))
}

/** What is selected for a NIC that is placed: a row for each of its groups, or one without any. */
type PlacedNicRow = NicRow &
  Pick<PlacedNic, 'host' | 'nameTag'> & { readonly group: GroupId | null }

/** NICs from their rows, by id. The rows of one NIC come in ascending order of the group's position. */
export function placedNicsFromRows(rows: readonly PlacedNicRow[]): readonly PlacedNic[] {
  const nics = new Map<NicId, PlacedNic & { readonly groups: GroupId[] }>()
  for (const { group, ...row } of rows) {
    const nic = nics.get(row.id) ?? { ...row, groups: [] }
    if (group !== null) nic.groups.push(group)
    nics.set(row.id, nic)
  }
  return [...nics.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
}
