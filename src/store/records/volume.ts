/**
 * Volumes. A volume concerns the host that has it.
 *
 * Older daemons share the records and do not know this table: they move and end instances. So the
 * host of an attached volume is the one in its instance's row, and a volume of a deleted instance
 * does not count.
 */
import { type Kysely, sql } from 'kysely'
import { z } from 'zod'
import type { AccountId, HostName, InstanceId, VolumeId } from '../../model/ids.ts'
import type { Instance, Volume } from '../../model/records.ts'
import { ofHost } from '../scope.ts'
import { account, flag, host, id, label, type Row, storage, time } from './columns.ts'
import { inParts, isOf } from './in-parts.ts'
import { namesNoInstance, VOLUMES_BY_ID, type VolumeRestriction } from './lists.ts'
import { always, isThere, noun, type RowsOf, type Session, table } from './noun.ts'
import { type PartQuery, readPart } from './part.ts'

/** EC2's largest volume is 64 TiB. */
const VOLUME_MAX_GIB = 65_536

/** `host` is the volume's host while it has no instance. */
type VolumeRow = Omit<Row<Volume>, 'volumeType' | 'storage'> & {
  readonly volumeType: string | null
  readonly storage?: string | null | undefined
}

const tables = {
  volumes: table<VolumeRow>({
    name: 'volumes',
    schema: z
      .object({
        id: id('vol'),
        account,
        host,
        zone: label,
        instance: id('i').nullable(),
        device: z.string().regex(/^\/dev\/[a-z0-9]{1,26}$/),
        sizeGiB: z.int().min(1).max(VOLUME_MAX_GIB),
        deleteOnTermination: flag,
        volumeType: label.nullable(),
        storage,
        state: z.enum(['in-use', 'available', 'deleting']),
        createdAt: time,
      })
      .refine(
        ({ state, instance }) => state !== 'in-use' || instance !== null,
        'is in use by nobody',
      ),
  }),
}
export type VolumeTables = RowsOf<typeof tables>
/** Columns of other nouns. */
interface Others {
  readonly instances: Pick<Instance, 'id' | 'host' | 'state'>
}
type Tables = VolumeTables & Others

/**
 * The records to list. Fields are joined by AND, members of a list by OR. An absent field does not
 * restrict. `instances`: the instances that have the disks, even deleted ones.
 */
interface VolumeQuery {
  readonly account?: AccountId
  readonly ids?: readonly VolumeId[]
  readonly instances?: readonly InstanceId[]
  readonly hosts?: readonly HostName[]
}

/** The noun. */
export const volumes = noun({
  tables,
  reads: ({ db, rows, where }: Session<Tables>) => ({
    /**
     * Those of deleted instances only if `instances` names these: a daemon that knows no volumes
     * left them.
     */
    async volumes(query: VolumeQuery): Promise<readonly Volume[]> {
      const found = await inParts(query.ids, (ids) =>
        inParts(query.instances, (instances) =>
          inParts(query.hosts, (hosts) => volumeRows(db, { ...query, ids, instances, hosts })),
        ),
      )
      const parsed = (await rows.parseLong(tables.volumes, found)).map(volumeFromRow)
      for (const { id, host } of parsed) where.isAt(id, host)
      return parsed.sort((a, b) => (a.id < b.id ? -1 : 1))
    },
    /** A part of the list by id. */
    volumePart: (query: PartQuery<VolumeRestriction>) =>
      readPart<VolumeId, VolumeRestriction>(db, VOLUMES_BY_ID, query),
  }),
  writes: ({ db, where }: Session<Tables>) => ({
    async insertVolume(volume: Volume): Promise<void> {
      await db.insertInto('volumes').values(volumeToRow(volume)).execute()
      where.isAt(volume.id, volume.host)
    },
    async updateVolume(
      id: VolumeId,
      {
        deleteOnTermination,
        ...change
      }: Partial<Pick<Volume, 'state' | 'instance' | 'host' | 'deleteOnTermination'>>,
    ): Promise<void> {
      const flag =
        deleteOnTermination === undefined
          ? {}
          : { deleteOnTermination: Number(deleteOnTermination) }
      const columns = { ...change, ...flag }
      if (Object.keys(columns).length === 0) return
      await db.updateTable('volumes').set(columns).where('id', '=', id).execute()
    },
    /** Deletes the record. The caller deletes its tags. */
    async deleteVolume(id: VolumeId): Promise<void> {
      await db.deleteFrom('volumes').where('id', '=', id).execute()
    },
  }),
  touches: {
    insertVolume: (_session, { host }) => [ofHost(host)],
    updateVolume: async (session, id, { host }) => [
      ...(await hostOf(session, id)).map(ofHost),
      ...(host === undefined ? [] : [ofHost(host)]),
    ],
    deleteVolume: async (session, id) => (await hostOf(session, id)).map(ofHost),
  },
  inCopy: {
    insertVolume: async (tx, { id }) => isThere(tx.volumes({ ids: [id] })),
    updateVolume: async (tx, id) => isThere(tx.volumes({ ids: [id] })),
    deleteVolume: always,
  },
})

async function hostOf({ db, where }: Session<Tables>, id: VolumeId): Promise<readonly HostName[]> {
  const known = where.known(id)
  if (known !== undefined) return known
  const found = await db
    .selectFrom('volumes')
    .leftJoin('instances', 'instances.id', 'volumes.instance')
    .select(whereItLies.as('host'))
    .where('volumes.id', '=', id)
    .execute()
  return found.map(({ host }) => host)
}

const NO_INSTANCE = namesNoInstance('volumes.instance')

const whereItLies = sql<HostName>`coalesce(${sql.ref('instances.host')}, ${sql.ref('volumes.host')})`

/**
 * The disk space that the volumes of a host take together on its own disks, as part of a statement.
 */
export function volumesGiB(db: Kysely<Tables>, host: HostName) {
  const sum = db
    .selectFrom('volumes')
    .leftJoin('instances', 'instances.id', 'volumes.instance')
    .select(({ fn }) => fn.sum<number>('volumes.sizeGiB').as('sum'))
    .where('volumes.storage', 'is', null)
    // A size that no daemon writes would create free space, or make the host's row unreadable.
    .where('volumes.sizeGiB', '>', 0)
    .where('volumes.sizeGiB', '<=', VOLUME_MAX_GIB)
    .where(sql<boolean>`round(${sql.ref('volumes.sizeGiB')}) = ${sql.ref('volumes.sizeGiB')}`)
    .where(({ and, eb, or }) =>
      or([
        and([eb('instances.host', '=', host), eb('instances.state', '!=', 'terminated')]),
        and([NO_INSTANCE, eb('volumes.host', '=', host)]),
      ]),
    )
  return sql<number>`coalesce(${sum}, 0)`
}

/** Each list is part of the query, or undefined. */
type Part = {
  readonly [Field in keyof VolumeQuery]: VolumeQuery[Field] | undefined
}

function volumeRows(db: Kysely<Tables>, { account, ids, instances, hosts }: Part) {
  let query = db
    .selectFrom('volumes')
    .leftJoin('instances', 'instances.id', 'volumes.instance')
    .select([
      'volumes.id',
      'volumes.account',
      'volumes.zone',
      'volumes.instance',
      'volumes.device',
      'volumes.sizeGiB',
      'volumes.deleteOnTermination',
      'volumes.volumeType',
      'volumes.storage',
      'volumes.state',
      'volumes.createdAt',
      whereItLies.as('host'),
    ])
  if (account !== undefined)
    query = query.where(isOf('volumes.account', account, (ids ?? instances) !== undefined))
  if (ids !== undefined) query = query.where('volumes.id', 'in', ids)
  query =
    instances !== undefined
      ? query.where('volumes.instance', 'in', instances)
      : query.where(({ eb, or }) => or([NO_INSTANCE, eb('instances.state', '!=', 'terminated')]))
  if (hosts !== undefined)
    query = query.where(({ and, eb, or }) =>
      or([eb('instances.host', 'in', hosts), and([NO_INSTANCE, eb('volumes.host', 'in', hosts)])]),
    )
  return query.execute()
}

function volumeToRow(volume: Volume): VolumeRow {
  const { deleteOnTermination, volumeType = null, storage = null, ...rest } = volume
  return { ...rest, volumeType, storage, deleteOnTermination: Number(deleteOnTermination) }
}

function volumeFromRow(row: VolumeRow): Volume {
  const { deleteOnTermination, volumeType, storage = null, ...rest } = row
  const said = {
    ...(volumeType === null ? {} : { volumeType }),
    ...(storage === null ? {} : { storage }),
  }
  return { ...rest, ...said, deleteOnTermination: deleteOnTermination !== 0 }
}
