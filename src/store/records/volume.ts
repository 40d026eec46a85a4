/**
 * The table of volumes.
 *
 * Daemons of before share the records and know nothing of it: they move instances, and end them. So where a volume of an instance lies
 * is asked of the instance's row, and a volume whose instance is no more counts for nothing.
 */
import { type Kysely, sql } from 'kysely'
import type { HostName } from '../../model/ids.ts'
import type { Volume } from '../../model/records.ts'
import type { Tx, VolumeQuery } from '../store.ts'
import type { Tables, VolumeRow } from '../tables.ts'
import { inParts } from './in-parts.ts'
import type { RowReader } from './rows.ts'

/** What reads volumes. */
export function readVolumes(db: Kysely<Tables>, rows: RowReader): Pick<Tx, 'volumes'> {
  return {
    async volumes(query) {
      const found = await inParts(query.ids, (ids) =>
        inParts(query.instances, (instances) =>
          inParts(query.hosts, (hosts) => volumeRows(db, { ...query, ids, instances, hosts })),
        ),
      )
      const parsed = (await rows.parseLong('volumes', found)).map(volumeFromRow)
      return parsed.sort((a, b) => (a.id < b.id ? -1 : 1))
    },
  }
}

/** What the volumes of a host take of it together, as part of a statement. */
export function volumesGiB(db: Kysely<Tables>, host: HostName) {
  const sum = db
    .selectFrom('volumes')
    .leftJoin('instances', 'instances.id', 'volumes.instance')
    .select(({ fn }) => fn.sum<number>('volumes.sizeGiB').as('sum'))
    // A size below nothing, which no daemon writes, would make room out of nothing.
    .where('volumes.sizeGiB', '>', 0)
    .where(({ and, eb, or }) =>
      or([
        and([eb('instances.host', '=', host), eb('instances.state', '!=', 'terminated')]),
        and([eb('volumes.instance', 'is', null), eb('volumes.host', '=', host)]),
      ]),
    )
  return sql<number>`coalesce(${sum}, 0)`
}

/** What writes them. */
export function writeVolumes(
  db: Kysely<Tables>,
): Pick<Tx, 'insertVolume' | 'updateVolume' | 'deleteVolume'> {
  return {
    async insertVolume(volume) {
      await db.insertInto('volumes').values(volumeToRow(volume)).execute()
    },
    async updateVolume(id, { deleteOnTermination, ...change }) {
      const flag =
        deleteOnTermination === undefined
          ? {}
          : { deleteOnTermination: Number(deleteOnTermination) }
      const columns = { ...change, ...flag }
      if (Object.keys(columns).length === 0) return
      await db.updateTable('volumes').set(columns).where('id', '=', id).execute()
    },
    async deleteVolume(id) {
      await db.deleteFrom('volumes').where('id', '=', id).execute()
    },
  }
}

/** Each list is a part of what was asked for, or undefined. */
type Part = {
  readonly [Field in keyof VolumeQuery]: VolumeQuery[Field] | undefined
}

function volumeRows(db: Kysely<Tables>, { account, ids, instances, hosts }: Part) {
  const host = sql<HostName>`coalesce(${sql.ref('instances.host')}, ${sql.ref('volumes.host')})`
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
      'volumes.state',
      'volumes.createdAt',
      host.as('host'),
    ])
    .orderBy('volumes.id')
  if (account !== undefined) query = query.where('volumes.account', '=', account)
  if (ids !== undefined) query = query.where('volumes.id', 'in', ids)
  query =
    instances !== undefined
      ? query.where('volumes.instance', 'in', instances)
      : query.where(({ eb, or }) =>
          or([eb('volumes.instance', 'is', null), eb('instances.state', '!=', 'terminated')]),
        )
  if (hosts !== undefined)
    query = query.where(({ and, eb, or }) =>
      or([
        eb('instances.host', 'in', hosts),
        and([eb('volumes.instance', 'is', null), eb('volumes.host', 'in', hosts)]),
      ]),
    )
  return query.execute()
}

function volumeToRow(volume: Volume): VolumeRow {
  const { deleteOnTermination, volumeType = null, ...rest } = volume
  return { ...rest, volumeType, deleteOnTermination: Number(deleteOnTermination) }
}

function volumeFromRow(row: VolumeRow): Volume {
  const { deleteOnTermination, volumeType, ...rest } = row
  const said = volumeType === null ? {} : { volumeType }
  return { ...rest, ...said, deleteOnTermination: deleteOnTermination !== 0 }
}
