/** NICs as rows, and back. */
import { z } from 'zod'
import type { Ipv4, Mac } from '../../model/addr.ts'
import type { AttachmentId, GroupId, InstanceId, NicId, SubnetId, VpcId } from '../../model/ids.ts'
import { addressesOfNic, sortedAddresses } from '../../model/nics.ts'
import type { Nic, NicAttachment, PlacedNic } from '../../model/records.ts'
import { account, flag, host, id, index, ip, like, prose, time } from './columns.ts'
import { table } from './noun.ts'
import type { RowShape } from './rows.ts'

/**
 * Canonical, because records are compared as text. A group address (odd first octet) belongs to no
 * NIC (IEEE 802, clause 8.2).
 */
const mac = like<Mac>(/^[0-9a-f][02468ace](?::[0-9a-f]{2}){5}$/)

/** Older daemons know neither the fields of attachments nor those of settings. */
export interface NicRow
  extends Pick<
    Nic,
    'id' | 'instance' | 'account' | 'vpc' | 'subnet' | 'deviceIndex' | 'ip' | 'mac' | 'createdAt'
  > {
  readonly attachment: AttachmentId | null
  readonly attachedAt: string | null
  readonly deleteOnTermination: number
  readonly isDetaching: number
  readonly isAttaching: number
  readonly description: string | null
  readonly sourceDestCheck: number
}

/** One NIC in one group. `position` keeps the requested order of the groups. */
export interface NicGroupRow {
  readonly nic: NicId
  readonly position: number
  readonly group: GroupId
}

/**
 * An address of a NIC. The primary one is here, too, so that one key has all addresses of a VPC;
 * older daemons do not write it.
 */
export interface NicAddressRow {
  readonly vpc: VpcId
  readonly ip: Ipv4
  readonly subnet: SubnetId
  readonly nic: NicId
  readonly isPrimary: number
}

/**
 * The rows that are selected for a placed NIC: one for each of its groups and further addresses, or
 * one without.
 */
export interface PlacedNicRow extends NicRow, Pick<PlacedNic, 'host' | 'nameTag'> {
  readonly instance: InstanceId
  readonly group: GroupId | null
  readonly publicIp: Ipv4 | null
  readonly secondaryIp: Ipv4 | null
  readonly secondaryPublicIp: Ipv4 | null
}

const nicSchema = z.object({
  id: id('eni'),
  instance: id('i').nullable(),
  account,
  vpc: id('vpc'),
  subnet: id('subnet'),
  deviceIndex: index,
  ip,
  mac,
  createdAt: time,
  attachment: id('eni-attach').nullable(),
  attachedAt: time.nullable(),
  deleteOnTermination: flag,
  isDetaching: flag,
  isAttaching: flag,
  description: prose.nullable(),
  sourceDestCheck: flag,
})

/** The tables. */
export const NIC_TABLES = {
  nics: table<NicRow>({ name: 'nics', schema: nicSchema }),
  nicGroups: table<NicGroupRow>({
    name: 'nicGroups',
    key: ['nic', 'position'],
    schema: z.object({ nic: id('eni'), position: index, group: id('sg') }),
  }),
  nicAddresses: table<NicAddressRow>({
    name: 'nicAddresses',
    key: ['vpc', 'ip'],
    schema: z.object({
      vpc: id('vpc'),
      ip,
      subnet: id('subnet'),
      nic: id('eni'),
      isPrimary: flag,
    }),
  }),
}

/** NICs with their instance's host and Name tag, one of their groups and a further address. */
export const PLACED_NICS: RowShape<PlacedNicRow> = {
  name: 'placedNics',
  schema: nicSchema.extend({
    instance: id('i'),
    host,
    nameTag: prose.nullable(),
    group: id('sg').nullable(),
    publicIp: ip.nullable(),
    secondaryIp: ip.nullable(),
    secondaryPublicIp: ip.nullable(),
  }),
}

/** A NIC as its row, the rows of its groups and those of its addresses. */
export function nicToRows(nic: Nic): {
  readonly nic: NicRow
  readonly groups: readonly NicGroupRow[]
  readonly addresses: readonly NicAddressRow[]
} {
  const { groups, secondaryIps: _, attachment, description = null, ...rest } = nic
  const { sourceDestCheck = true, ...row } = rest
  return {
    nic: {
      ...row,
      ...attachmentColumns(attachment ?? null),
      description,
      sourceDestCheck: Number(sourceDestCheck),
    },
    groups: groupRows(nic.id, groups),
    addresses: addressesOfNic(nic).map((each) => addressRow(nic, each)),
  }
}

/** The columns of an attachment. */
export function attachmentColumns(
  attachment: NicAttachment | null,
): Pick<
  NicRow,
  'attachment' | 'attachedAt' | 'deleteOnTermination' | 'isDetaching' | 'isAttaching'
> {
  const { id: name = null, attachedAt = null, deleteOnTermination } = attachment ?? {}
  const { isEnding, isBeginning } = attachment ?? {}
  return {
    attachment: name,
    attachedAt,
    deleteOnTermination: Number(deleteOnTermination ?? true),
    isDetaching: Number(isEnding ?? false),
    isAttaching: Number(isBeginning ?? false),
  }
}

/** The rows of a NIC's groups. */
export function groupRows(nic: NicId, groups: readonly GroupId[]): readonly NicGroupRow[] {
  return groups.map((group, position) => ({ nic, position, group }))
}

/** The row of an address of a NIC. */
export function addressRow(
  { id, vpc, subnet, ip: primary }: Pick<Nic, 'id' | 'vpc' | 'subnet' | 'ip'>,
  ip: Ipv4,
): NicAddressRow {
  return { vpc, ip, subnet, nic: id, isPrimary: Number(ip === primary) }
}

/**
 * NICs from their rows, in the order of `rows`. `groups` must be in ascending order of position.
 */
export function nicsFromRows(
  rows: readonly NicRow[],
  groups: readonly NicGroupRow[],
  addresses: readonly NicAddressRow[] = [],
): readonly Nic[] {
  const groupsOf = Map.groupBy(groups, ({ nic }) => nic)
  const further = addresses.filter(({ isPrimary }) => isPrimary === 0)
  const addressesOf = Map.groupBy(further, ({ nic }) => nic)
  return rows.map((row) =>
    nicFromRow(
      row,
      (groupsOf.get(row.id) ?? []).map(({ group }) => group),
      (addressesOf.get(row.id) ?? []).map(({ ip }) => ip),
    ),
  )
}

function nicFromRow(row: NicRow, groups: readonly GroupId[], further: readonly Ipv4[]): Nic {
  const { attachment, attachedAt, deleteOnTermination, isDetaching, isAttaching, ...rest } = row
  const { description, sourceDestCheck, ...columns } = rest
  return {
    ...columns,
    groups,
    ...(further.length === 0 ? {} : { secondaryIps: sortedAddresses(further) }),
    ...(row.instance === null ? {} : attached(row)),
    ...(description === null ? {} : { description }),
    ...(sourceDestCheck === 0 ? { sourceDestCheck: false } : {}),
  }
}

/** Nothing where an older daemon attached it and nobody has changed that since. */
function attached({ id: nic, createdAt, ...row }: NicRow): Pick<Nic, 'attachment'> {
  const { attachment, attachedAt, deleteOnTermination, isDetaching, isAttaching } = row
  if (attachment === null && deleteOnTermination !== 0 && isDetaching === 0) return {}
  return {
    attachment: {
      id: attachment ?? (`eni-attach-${nic.slice('eni-'.length)}` as AttachmentId),
      attachedAt: attachedAt ?? createdAt,
      deleteOnTermination: deleteOnTermination !== 0,
      ...(isDetaching === 0 ? {} : { isEnding: true }),
      ...(isAttaching === 0 ? {} : { isBeginning: true }),
    },
  }
}

/** What is collected of one NIC from its rows. */
interface Collected {
  readonly row: PlacedNicRow
  readonly groups: GroupId[]
  /** Further addresses, and the floating IPs that lead to them. */
  readonly further: Map<Ipv4, Ipv4 | null>
}

/**
 * NICs from their rows, by id. The rows of one NIC must be in ascending order of the group's
 * position.
 */
export function placedNicsFromRows(rows: readonly PlacedNicRow[]): readonly PlacedNic[] {
  const found = new Map<NicId, Collected>()
  for (const row of rows) {
    const one: Collected = found.get(row.id) ?? { row, groups: [], further: new Map() }
    found.set(row.id, one)
    // A NIC with several further addresses has a row of each group for each of them.
    if (row.group !== null && !one.groups.includes(row.group)) one.groups.push(row.group)
    if (row.secondaryIp !== null) one.further.set(row.secondaryIp, row.secondaryPublicIp)
  }
  return [...found.values()].map(placedNicFromRows).sort((a, b) => (a.id < b.id ? -1 : 1))
}

function placedNicFromRows({ row, groups, further }: Collected): PlacedNic {
  const { group: _, secondaryIp: _ip, secondaryPublicIp: _public, ...rest } = row
  const { host: at, nameTag, publicIp, ...columns } = rest
  const floating = [...further].flatMap(([address, leads]) =>
    leads === null ? [] : [[address, leads] as const],
  )
  return {
    ...nicFromRow(columns, groups, [...further.keys()]),
    instance: row.instance,
    host: at,
    nameTag,
    publicIp,
    ...(floating.length === 0 ? {} : { secondaryPublicIps: Object.fromEntries(floating) }),
  }
}
