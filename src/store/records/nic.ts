/**
 * NICs, and the groups of each. A NIC concerns its instance's host and, as a member of its VPC,
 * every host with members of that VPC.
 */
import { z } from 'zod'
import type { Ipv4, Mac } from '../../model/addr.ts'
import type {
  AccountId,
  GroupId,
  HostName,
  InstanceId,
  NicId,
  SubnetId,
  VpcId,
} from '../../model/ids.ts'
import type { Instance, Nic, PlacedNic, Tag } from '../../model/records.ts'
import { isEngineError } from '../engines/engine.ts'
import { ofHost, ofVpc, type Scope } from '../scope.ts'
import { account, host, id, index, ip, like, prose, time } from './columns.ts'
import { inParts } from './in-parts.ts'
import { type GroupIds, insertOr, insertReferring } from './insert.ts'
import { always, noun, type RowsOf, type Session, table } from './noun.ts'
import type { RecordLocations } from './record-locations.ts'
import type { RowShape } from './rows.ts'

/**
 * Canonical, because records are compared as text. A group address (odd first octet) belongs to no
 * NIC (IEEE 802, clause 8.2).
 */
const mac = like<Mac>(/^[0-9a-f][02468ace](?::[0-9a-f]{2}){5}$/)

type NicRow = Omit<Nic, 'groups'>
/** One NIC in one group. `position` keeps the requested order of the groups. */
interface NicGroupRow {
  readonly nic: NicId
  readonly position: number
  readonly group: GroupId
}
/**
 * The rows that are selected for a placed NIC: one for each of its groups, or one without a group.
 */
type PlacedNicRow = NicRow &
  Pick<PlacedNic, 'host' | 'nameTag'> & {
    readonly group: GroupId | null
    readonly publicIp: Ipv4 | null
  }

const nicSchema = z.object({
  id: id('eni'),
  instance: id('i'),
  account,
  vpc: id('vpc'),
  subnet: id('subnet'),
  deviceIndex: index,
  ip,
  mac,
  createdAt: time,
})

const tables = {
  nics: table<NicRow>({ name: 'nics', schema: nicSchema }),
  nicGroups: table<NicGroupRow>({
    name: 'nicGroups',
    key: ['nic', 'position'],
    schema: z.object({ nic: id('eni'), position: index, group: id('sg') }),
  }),
}
/** Columns of other nouns. */
interface Others extends GroupIds {
  readonly instances: Pick<Instance, 'id' | 'host' | 'state'>
  readonly tags: Pick<Tag, 'resource' | 'key' | 'value'>
  readonly addresses: {
    readonly ip: Ipv4
    readonly nic: NicId | null
    readonly privateIp: Ipv4 | null
  }
}
type Tables = RowsOf<typeof tables> & Others

/** NICs with their instance's host and Name tag, and one of their groups. */
const placed: RowShape<PlacedNicRow> = {
  name: 'placedNics',
  schema: nicSchema.extend({
    host,
    nameTag: prose.nullable(),
    group: id('sg').nullable(),
    publicIp: ip.nullable(),
  }),
}

/** What restricts a query of NICs. */
interface NicQuery {
  readonly account?: AccountId
  readonly instances?: readonly InstanceId[]
}

/** Both fields restrict the result. */
interface PlacedNicQuery {
  readonly hosts?: readonly HostName[]
  readonly vpcs?: readonly VpcId[]
}

/** The noun. */
export const nics = noun({
  tables,
  reads: (session: Session<Tables>) => ({
    async nics(query: NicQuery): Promise<readonly Nic[]> {
      const { rows } = session
      const found = await inParts(query.instances, (part) =>
        nicRows(session, query, part).selectAll('nics').orderBy('nics.id').execute(),
      )
      const groups = await inParts(query.instances, (part) =>
        nicRows(session, query, part)
          .innerJoin('nicGroups', 'nicGroups.nic', 'nics.id')
          .selectAll('nicGroups')
          .orderBy('nicGroups.nic')
          .orderBy('nicGroups.position')
          .execute(),
      )
      // Each part is ordered by NIC, but the parts are by instance.
      return nicsFromRows(
        (await rows.parseLong(tables.nics, found)).toSorted((a, b) => (a.id < b.id ? -1 : 1)),
        await rows.parseLong(tables.nicGroups, groups),
      )
    },
    /** Addresses of the subnet that NICs have, or those of them in `among`. */
    async takenAddresses(subnet: SubnetId, among?: readonly Ipv4[]): Promise<readonly Ipv4[]> {
      const query = session.db
        .selectFrom('nics')
        .select('ip')
        .where('subnet', '=', subnet)
        .orderBy('ip')
      const found = await inParts(among, (part) =>
        part === undefined ? query.execute() : query.where('ip', 'in', part).execute(),
      )
      // The address is taken, even if the rest of the row is unreadable.
      return found.map(({ ip }) => ip)
    },
    /**
     * The NICs of the instances on these hosts, in these VPCs (on all and in all when absent). One
     * statement suffices for any usual number of both.
     */
    async placedNics({ hosts, vpcs }: PlacedNicQuery): Promise<readonly PlacedNic[]> {
      const { rows } = session
      const found = await inParts(hosts, (some) =>
        inParts(vpcs, (part) => placedNicRows(session, some, part).execute()),
      )
      const parsed = await rows.parseLong(placed, found)
      if (parsed.length === found.length) return placedNicsFromRows(parsed)
      // If the row of one group is unreadable, the whole NIC is left out: with fewer groups it
      // would be another NIC.
      const broken = new Set(rows.unreadable.map(({ key }) => key))
      return placedNicsFromRows(parsed.filter(({ id }) => !broken.has(id)))
    },
  }),
  writes: ({ db, where }: Session<Tables>) => ({
    /**
     * `taken` when another NIC of the VPC has the address, or any has the MAC: choose another and
     * try again in the same transaction. `no-subnet` when the subnet is gone, though this
     * transaction may have seen it.
     */
    async insertNic(nic: Nic): Promise<'done' | 'taken' | 'no-subnet'> {
      const rows = nicToRows(nic)
      const result = await insertOr('taken', db, 'nics', rows.nic).catch(async (error: unknown) => {
        if (!isEngineError(error, 'referenced')) throw error
        const instance = db.selectFrom('instances').select('id').where('id', '=', nic.instance)
        // Nobody removes an instance that is being launched, so its row is what is seen.
        if ((await instance.execute()).length === 0) throw error
        return 'no-subnet' as const
      })
      if (result === 'done') where.plugged(nic.instance, nic.vpc)
      if (result === 'done') await insertReferring(db, 'nicGroups', rows.groups, nic.groups)
      return result
    },
    /** Puts the NIC into exactly these groups, in this order. */
    async setNicGroups({ id }: Pick<Nic, 'id' | 'instance'>, groups: readonly GroupId[]) {
      await db.deleteFrom('nicGroups').where('nic', '=', id).execute()
      await insertReferring(db, 'nicGroups', groupRows(id, groups), groups)
    },
    async deleteNics(instance: InstanceId): Promise<void> {
      const nics = db.selectFrom('nics').select('id').where('instance', '=', instance)
      await db.deleteFrom('nicGroups').where('nic', 'in', nics).execute()
      await db.deleteFrom('nics').where('instance', '=', instance).execute()
      where.unplugged(instance)
    },
  }),
  touches: {
    insertNic: async ({ where }, { instance, vpc }) =>
      (await where.hostOf(instance)).flatMap((host) => [ofHost(host), ofVpc(vpc, host)]),
    setNicGroups: ({ where }, { instance }) => ofItsHost(where, instance),
    deleteNics: ({ where }, instance) => ofItsHost(where, instance),
  },
  inCopy: {
    insertNic: async (tx, { id, instance }) =>
      (await tx.nics({ instances: [instance] })).some((nic) => nic.id === id),
    setNicGroups: always,
    deleteNics: always,
  },
})

/** An instance's host, and the scopes of its memberships there. */
async function ofItsHost(where: RecordLocations, instance: InstanceId): Promise<readonly Scope[]> {
  const hosts = await where.hostOf(instance)
  const members = hosts.map((host) => where.membersOf(instance, host))
  return [...hosts.map(ofHost), ...(await Promise.all(members)).flat()]
}

/** The rows of the groups of each NIC, in order. */
function placedNicRows(
  { db }: Session<Tables>,
  hosts: readonly HostName[] | undefined,
  vpcs: readonly VpcId[] | undefined,
) {
  let query = db
    .selectFrom('nics')
    .innerJoin('instances', 'instances.id', 'nics.instance')
    .leftJoin('nicGroups', 'nicGroups.nic', 'nics.id')
    .leftJoin('tags', (join) =>
      join
        .onRef('tags.resource', '=', 'instances.id')
        .on('tags.key', '=', 'Name')
        .on('instances.state', '=', 'running'),
    )
    .leftJoin('addresses', (join) =>
      join.onRef('addresses.nic', '=', 'nics.id').onRef('addresses.privateIp', '=', 'nics.ip'),
    )
    .selectAll('nics')
    .select([
      'instances.host',
      'tags.value as nameTag',
      'nicGroups.group',
      'addresses.ip as publicIp',
    ])
    .where('instances.state', '!=', 'terminated')
    .orderBy('nics.id')
    .orderBy('nicGroups.position')
  if (hosts !== undefined) query = query.where('instances.host', 'in', hosts)
  if (vpcs !== undefined) query = query.where('nics.vpc', 'in', vpcs)
  return query
}

/** The NICs of a query, ready for a selection. */
function nicRows(
  { db }: Session<Tables>,
  { account }: NicQuery,
  part: readonly InstanceId[] | undefined,
) {
  let query = db.selectFrom('nics')
  if (account !== undefined) query = query.where('nics.account', '=', account)
  if (part !== undefined) query = query.where('nics.instance', 'in', part)
  return query
}

/** A NIC as its row and the rows of its groups. */
export function nicToRows(nic: Nic): {
  readonly nic: NicRow
  readonly groups: readonly NicGroupRow[]
} {
  const { groups, ...row } = nic
  return { nic: row, groups: groupRows(nic.id, groups) }
}

function groupRows(nic: NicId, groups: readonly GroupId[]): readonly NicGroupRow[] {
  return groups.map((group, position) => ({ nic, position, group }))
}

/**
 * NICs from their rows, in the order of `rows`. `groups` must be in ascending order of position.
 */
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

/**
 * NICs from their rows, by id. The rows of one NIC must be in ascending order of the group's
 * position.
 */
function placedNicsFromRows(rows: readonly PlacedNicRow[]): readonly PlacedNic[] {
  const nics = new Map<NicId, PlacedNic & { readonly groups: GroupId[] }>()
  for (const { group, ...row } of rows) {
    const nic = nics.get(row.id) ?? { ...row, groups: [] }
    if (group !== null) nic.groups.push(group)
    nics.set(row.id, nic)
  }
  return [...nics.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
}
