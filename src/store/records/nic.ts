/**
 * NICs, and the groups of each. A NIC concerns its instance's host and, as a member of its VPC,
 * every host with members of that VPC.
 */
import { sql } from 'kysely'
import type { Ipv4 } from '../../model/addr.ts'
import type {
  AccountId,
  GroupId,
  HostName,
  InstanceId,
  NicId,
  SubnetId,
  VpcId,
} from '../../model/ids.ts'
import type { Instance, Nic, NicAttachment, PlacedNic, Tag } from '../../model/records.ts'
import { EngineError, isEngineError } from '../engines/engine.ts'
import { ofHost, ofVpc, type Scope } from '../scope.ts'
import { inParts, isOf } from './in-parts.ts'
import { type GroupIds, insertOr, insertReferring } from './insert.ts'
import { isLive, NICS_BY_ID, type NicRestriction } from './lists.ts'
import {
  addressRow,
  attachmentColumns,
  groupRows,
  nicsFromRows,
  nicToRows,
  PLACED_NICS,
  placedNicsFromRows,
  NIC_TABLES as tables,
} from './nic-rows.ts'
import { always, isThere, noun, type RowsOf, type Session } from './noun.ts'
import { type PartQuery, readPart } from './part.ts'
import type { RecordLocations } from './record-locations.ts'

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

/** What restricts a query of NICs. */
interface NicQuery {
  readonly account?: AccountId
  readonly ids?: readonly NicId[]
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
    /** By id in ascending order. */
    async nics(query: NicQuery): Promise<readonly Nic[]> {
      const { rows } = session
      const found = await nicRows(session, query, (some) => some.selectAll('nics').execute())
      const groups = await nicRows(session, query, (some) =>
        some
          .innerJoin('nicGroups', 'nicGroups.nic', 'nics.id')
          .selectAll('nicGroups')
          .orderBy('nicGroups.nic')
          .orderBy('nicGroups.position')
          .execute(),
      )
      const further = await nicRows(session, query, (some) =>
        some
          .innerJoin('nicAddresses', 'nicAddresses.nic', 'nics.id')
          .selectAll('nicAddresses')
          .where('nicAddresses.isPrimary', '=', 0)
          .execute(),
      )
      // In no order, so that SQLite chooses an index by what it finds.
      return nicsFromRows(
        (await rows.parseLong(tables.nics, found)).toSorted((a, b) => (a.id < b.id ? -1 : 1)),
        await rows.parseLong(tables.nicGroups, groups),
        await rows.parseLong(tables.nicAddresses, further),
      )
    },
    /** A part of the list by id. */
    nicPart: (query: PartQuery<NicRestriction>) =>
      readPart<NicId, NicRestriction>(session.db, NICS_BY_ID, query),
    async countNics(account: AccountId): Promise<number> {
      const { count } = await session.db
        .selectFrom('nics')
        .select(({ fn }) => fn.countAll<number | bigint | string>().as('count'))
        .where('account', '=', account)
        .executeTakeFirstOrThrow()
      return Number(count)
    },
    /** How many addresses of each subnet NICs have. */
    countAddresses: (subnets: readonly SubnetId[]) => countAddresses(session.db, subnets),
    /** Addresses of the subnet that NICs have, or those of them in `among`. */
    async takenAddresses(subnet: SubnetId, among?: readonly Ipv4[]): Promise<readonly Ipv4[]> {
      const { db } = session
      const found = await inParts(among, (part) => {
        const primary = db.selectFrom('nics').select('ip').where('subnet', '=', subnet)
        const all = db.selectFrom('nicAddresses').select('ip').where('subnet', '=', subnet)
        return part === undefined
          ? primary.union(all).execute()
          : primary
              .where('ip', 'in', part)
              .union(all.where('ip', 'in', part))
              .execute()
      })
      // The address is taken, even if the rest of the row is unreadable.
      return [...new Set(found.map(({ ip }) => ip))].sort()
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
      const parsed = await rows.parseLong(PLACED_NICS, found)
      if (parsed.length === found.length) return placedNicsFromRows(parsed)
      // If the row of one group is unreadable, the whole NIC is left out: with fewer groups it
      // would be another NIC.
      const broken = new Set(rows.unreadable.map(({ key }) => key))
      return placedNicsFromRows(parsed.filter(({ id }) => !broken.has(id)))
    },
  }),
  writes: ({ db, where }: Session<Tables>) => ({
    /**
     * `taken` when another NIC of the VPC has one of the addresses, or any has the MAC, or its
     * instance has one with the device index: choose another and try again in the same transaction.
     * `no-subnet` when the subnet is gone, though this transaction may have seen it.
     */
    async insertNic(nic: Nic): Promise<'done' | 'taken' | 'no-subnet'> {
      const { instance } = nic
      const rows = nicToRows(nic)
      const result = await insertOr('taken', db, 'nics', rows.nic).catch(async (error: unknown) => {
        if (!isEngineError(error, 'referenced')) throw error
        // Nobody removes an instance that is being launched, so its row is what is seen.
        if (instance !== null && (await idsOf(db, instance)).length === 0) throw error
        return 'no-subnet' as const
      })
      if (result !== 'done') return result
      for (const row of rows.addresses)
        if ((await insertOr('taken', db, 'nicAddresses', row)) === 'taken') {
          await deleteRows(db, nic.id)
          return 'taken'
        }
      if (instance !== null) where.plugged(instance, nic.vpc)
      await insertReferring(db, 'nicGroups', rows.groups, nic.groups)
      return result
    },
    /** Puts the NIC into exactly these groups, in this order. */
    async setNicGroups({ id }: Pick<Nic, 'id' | 'instance'>, groups: readonly GroupId[]) {
      await db.deleteFrom('nicGroups').where('nic', '=', id).execute()
      await insertReferring(db, 'nicGroups', groupRows(id, groups), groups)
    },
    /**
     * `in-use` when the NIC is attached meanwhile or gone, `taken` when the instance has a NIC with
     * the device index.
     */
    async attachNic(
      { id, vpc }: Pick<Nic, 'id' | 'vpc'>,
      { instance, deviceIndex, attachment }: NicPlace,
    ): Promise<'done' | 'in-use' | 'taken'> {
      const columns = { instance, deviceIndex, ...attachmentColumns(attachment) }
      try {
        const { numUpdatedRows } = await db
          .updateTable('nics')
          .set(columns)
          .where('id', '=', id)
          .where('instance', 'is', null)
          .executeTakeFirstOrThrow()
        if (numUpdatedRows !== 1n) return 'in-use'
      } catch (error) {
        if (isEngineError(error, 'duplicate')) return 'taken'
        // The instance is gone, though this transaction still sees it.
        if (isEngineError(error, 'referenced')) throw new EngineError('conflict', error, {})
        throw error
      }
      where.plugged(instance, vpc)
      return 'done'
    },
    /** Changes the attachment of the NIC to its instance. */
    async updateAttachment({ id }: Pick<Nic, 'id' | 'instance'>, attachment: NicAttachment) {
      const columns = attachmentColumns(attachment)
      await db.updateTable('nics').set(columns).where('id', '=', id).execute()
    },
    /** The NIC keeps everything else. */
    async detachNic({ id }: Pick<Nic, 'id' | 'instance'>): Promise<void> {
      const columns = { instance: null, deviceIndex: 0, ...attachmentColumns(null) }
      await db.updateTable('nics').set(columns).where('id', '=', id).execute()
    },
    async updateNic(
      { id }: Pick<Nic, 'id' | 'instance'>,
      { description, sourceDestCheck }: Pick<Nic, 'description' | 'sourceDestCheck'>,
    ): Promise<void> {
      const columns = {
        ...(description === undefined ? {} : { description }),
        ...(sourceDestCheck === undefined ? {} : { sourceDestCheck: Number(sourceDestCheck) }),
      }
      await db.updateTable('nics').set(columns).where('id', '=', id).execute()
    },
    /** Gives the NIC a further address. `taken` when another NIC of the VPC has it. */
    insertNicAddress: (nic: Nic, ip: Ipv4) =>
      insertOr('taken', db, 'nicAddresses', addressRow(nic, ip)),
    async deleteNicAddress({ id }: Pick<Nic, 'id' | 'instance'>, ip: Ipv4): Promise<void> {
      await db.deleteFrom('nicAddresses').where('nic', '=', id).where('ip', '=', ip).execute()
    },
    async deleteNic({ id }: Pick<Nic, 'id' | 'instance'>): Promise<void> {
      await deleteRows(db, id)
    },
    async deleteNics(instance: InstanceId): Promise<void> {
      const nics = db.selectFrom('nics').select('id').where('instance', '=', instance)
      await db.deleteFrom('nicGroups').where('nic', 'in', nics).execute()
      await db.deleteFrom('nicAddresses').where('nic', 'in', nics).execute()
      await db.deleteFrom('nics').where('instance', '=', instance).execute()
      where.unplugged(instance)
    },
  }),
  touches: {
    insertNic: async ({ where }, { instance, vpc }) => await ofPlace(where, instance, vpc),
    setNicGroups: ({ where }, { instance }) => ofItsHost(where, instance),
    attachNic: async ({ where }, { vpc }, { instance }) => await ofPlace(where, instance, vpc),
    updateAttachment: ({ where }, { instance }) => ofItsHost(where, instance),
    detachNic: ({ where }, { instance }) => ofItsHost(where, instance),
    updateNic: ({ where }, { instance }) => ofItsHost(where, instance),
    insertNicAddress: ({ where }, { instance }) => ofItsHost(where, instance),
    deleteNicAddress: ({ where }, { instance }) => ofItsHost(where, instance),
    deleteNic: ({ where }, { instance }) => ofItsHost(where, instance),
    deleteNics: ({ where }, instance) => ofItsHost(where, instance),
  },
  inCopy: {
    insertNic: (tx, { id }) => isThere(tx.nics({ ids: [id] })),
    setNicGroups: always,
    attachNic: (tx, { id }) => isThere(tx.nics({ ids: [id] })),
    updateAttachment: always,
    detachNic: always,
    updateNic: always,
    insertNicAddress: (tx, { id }) => isThere(tx.nics({ ids: [id] })),
    deleteNicAddress: always,
    deleteNic: always,
    deleteNics: always,
  },
})

/** What a NIC is attached to, and how. */
interface NicPlace {
  readonly instance: InstanceId
  readonly deviceIndex: number
  readonly attachment: NicAttachment
}

type Db = Session<Tables>['db']

function idsOf(db: Db, instance: InstanceId) {
  return db.selectFrom('instances').select('id').where('id', '=', instance).execute()
}

async function deleteRows(db: Db, nic: NicId): Promise<void> {
  await db.deleteFrom('nicGroups').where('nic', '=', nic).execute()
  await db.deleteFrom('nicAddresses').where('nic', '=', nic).execute()
  await db.deleteFrom('nics').where('id', '=', nic).execute()
}

/** The instance's host, and the members of this VPC there. */
async function ofPlace(
  where: RecordLocations,
  instance: InstanceId | null,
  vpc: VpcId,
): Promise<readonly Scope[]> {
  if (instance === null) return []
  const hosts = await where.hostOf(instance)
  return hosts.flatMap((host) => [ofHost(host), ofVpc(vpc, host)])
}

/** An instance's host, and the scopes of its memberships there. */
async function ofItsHost(
  where: RecordLocations,
  instance: InstanceId | null,
): Promise<readonly Scope[]> {
  if (instance === null) return []
  const hosts = await where.hostOf(instance)
  const members = hosts.map((host) => where.membersOf(instance, host))
  return [...hosts.map(ofHost), ...(await Promise.all(members)).flat()]
}

async function countAddresses(
  db: Db,
  subnets: readonly SubnetId[],
): Promise<ReadonlyMap<SubnetId, number>> {
  const all = sql<number | bigint | string>`count(*)`.as('count')
  const ofTable = (table: 'nics' | 'nicAddresses', part: readonly SubnetId[]) =>
    db.selectFrom(table).select(['subnet', all]).where('subnet', 'in', part).groupBy('subnet')
  const found = await inParts(subnets, async (part = []) => [
    ...(await ofTable('nics', part).execute()),
    // Not all NICs have their primary address here.
    ...(await ofTable('nicAddresses', part).where('isPrimary', '=', 0).execute()),
  ])
  const counts = new Map<SubnetId, number>()
  for (const { subnet, count } of found)
    counts.set(subnet, (counts.get(subnet) ?? 0) + Number(count))
  return counts
}

/** The rows of the groups and further addresses of each NIC, in order of the groups. */
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
    .leftJoin('nicAddresses as further', (join) =>
      join.onRef('further.nic', '=', 'nics.id').on('further.isPrimary', '=', 0),
    )
    .leftJoin('addresses as ofFurther', (join) =>
      join
        .onRef('ofFurther.nic', '=', 'further.nic')
        .onRef('ofFurther.privateIp', '=', 'further.ip'),
    )
    .selectAll('nics')
    .select([
      'instances.host',
      'tags.value as nameTag',
      'nicGroups.group',
      'addresses.ip as publicIp',
      'further.ip as secondaryIp',
      'ofFurther.ip as secondaryPublicIp',
    ])
    .where(isLive('instances.state'))
    .orderBy('nics.id')
    .orderBy('nicGroups.position')
  if (hosts !== undefined) query = query.where('instances.host', 'in', hosts)
  if (vpcs !== undefined) query = query.where('nics.vpc', 'in', vpcs)
  return query
}

/** The rows of a query of NICs, each part of which is completed by `select`. */
async function nicRows<Found>(
  { db }: Session<Tables>,
  { account, ids, instances }: NicQuery,
  select: (part: NicSelection) => Promise<readonly Found[]>,
): Promise<readonly Found[]> {
  let query: NicSelection = selectNics(db)
  if (account !== undefined)
    query = query.where(isOf('nics.account', account, (ids ?? instances) !== undefined))
  return await inParts(ids, (someIds) => {
    const those = someIds === undefined ? query : query.where('nics.id', 'in', someIds)
    return inParts(instances, (some) =>
      select(some === undefined ? those : those.where('nics.instance', 'in', some)),
    )
  })
}

type NicSelection = ReturnType<typeof selectNics>

function selectNics(db: Db) {
  return db.selectFrom('nics')
}
