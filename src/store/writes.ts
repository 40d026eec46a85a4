/**
 * Writing records with Kysely: the `Tx` of one transaction, on any engine.
 *
 * Whatever two hosts may fight for is decided by a UNIQUE key or by one conditional statement whose affected rows are
 * counted, never by reading first: so it holds even on engines that lose updates under read-then-write (Galera).
 */
import { type Kysely, type RawBuilder, sql } from 'kysely'
import { writeDump } from './dump.ts'
import { readTx } from './reads.ts'
import { changedAt, updaterOf, writeHosts } from './records/host.ts'
import { insertOr } from './records/insert.ts'
import type { RowReader } from './records/rows.ts'
import { writeVolumes } from './records/volume.ts'
import type { Tx } from './store.ts'
import {
  accountToRow,
  changeToColumns,
  instanceToRow,
  metadataColumns,
  nicToRows,
  subnetToRow,
  type Tables,
  vpcToRow,
} from './tables.ts'

/** What the methods that write are, without those that read. */
type WriteTx = Omit<Tx, keyof ReturnType<typeof readTx>>

/** A whole transaction in `db`. `nowMs` is the engine's clock in a query (`dialects.ts`). */
export function writeTx(db: Kysely<Tables>, nowMs: RawBuilder<number>, rows: RowReader): Tx {
  return {
    ...readTx(db, nowMs, rows),
    ...writeHouse(db),
    ...writeWorkloads(db),
    ...writeVolumes(db),
    ...writeLabels(db),
    ...writeHosts(db, nowMs),
    ...writeCapacity(db, nowMs),
    ...writeOwnership(db, nowMs),
    restore: (dump) => writeDump(db, dump),
  }
}

function writeHouse(
  db: Kysely<Tables>,
): Pick<
  WriteTx,
  | 'insertAccount'
  | 'updateAccount'
  | 'insertAccessKey'
  | 'updateAccessKey'
  | 'deleteAccessKey'
  | 'insertVpc'
  | 'insertSubnet'
  | 'insertGroup'
  | 'insertClientToken'
  | 'deleteClientTokensBefore'
> {
  return {
    insertAccount: (account) => insertOr('exists', db, 'accounts', accountToRow(account)),
    async updateAccount(id, metadata) {
      const columns = metadataColumns(metadata)
      await db.updateTable('accounts').set(columns).where('id', '=', id).execute()
    },
    insertAccessKey: (key) =>
      insertOr('exists', db, 'accessKeys', {
        status: 'active',
        createdAt: null,
        lastUsedAt: null,
        ...key,
      }),
    async updateAccessKey(id, change) {
      // MariaDB counts rows that were changed, not rows that were found.
      const found = await db.selectFrom('accessKeys').select('id').where('id', '=', id).execute()
      if (found.length === 0) return 'missing'
      await db.updateTable('accessKeys').set(change).where('id', '=', id).execute()
      return 'done'
    },
    async deleteAccessKey(id) {
      const found = await db.selectFrom('accessKeys').select('id').where('id', '=', id).execute()
      if (found.length === 0) return 'missing'
      await db.deleteFrom('accessKeys').where('id', '=', id).execute()
      return 'done'
    },
    insertVpc: (vpc) => insertOr('exists', db, 'vpcs', vpcToRow(vpc)),
    insertSubnet: (subnet) => insertOr('exists', db, 'subnets', subnetToRow(subnet)),
    insertGroup: (group) => insertOr('exists', db, 'securityGroups', group),
    insertClientToken: (token) => insertOr('exists', db, 'clientTokens', token),
    async deleteClientTokensBefore(createdAt) {
      await db.deleteFrom('clientTokens').where('createdAt', '<', createdAt).execute()
    },
  }
}

function writeWorkloads(
  db: Kysely<Tables>,
): Pick<
  WriteTx,
  | 'insertImage'
  | 'updateImage'
  | 'deleteUnusedImages'
  | 'insertInstance'
  | 'updateInstance'
  | 'deleteInstance'
  | 'insertNic'
  | 'deleteNics'
> {
  return {
    insertImage: (image) => insertOr('exists', db, 'images', image),
    async updateImage(id, change) {
      // An UPDATE that sets nothing is not SQL.
      if (Object.keys(change).length === 0) return
      await db.updateTable('images').set(change).where('id', '=', id).execute()
    },
    async deleteUnusedImages(host) {
      await db
        .deleteFrom('images')
        .where('host', '=', host)
        .where('state', '=', 'deregistered')
        .where(({ not, exists, selectFrom }) =>
          not(
            exists(
              selectFrom('instances')
                .select('instances.id')
                .whereRef('instances.image', '=', 'images.id')
                .where('instances.state', '!=', 'terminated'),
            ),
          ),
        )
        .execute()
    },
    async insertInstance(instance) {
      await db.insertInto('instances').values(instanceToRow(instance)).execute()
    },
    async updateInstance(id, change) {
      const columns = changeToColumns(change)
      if (Object.keys(columns).length === 0) return
      await db.updateTable('instances').set(columns).where('id', '=', id).execute()
    },
    async deleteInstance(id) {
      await db.deleteFrom('volumes').where('instance', '=', id).execute()
      await db.deleteFrom('instances').where('id', '=', id).execute()
    },
    async insertNic(nic) {
      const rows = nicToRows(nic)
      const result = await insertOr('taken', db, 'nics', rows.nic)
      if (result === 'done' && rows.groups.length > 0)
        await db.insertInto('nicGroups').values(rows.groups).execute()
      return result
    },
    async deleteNics(instance) {
      const nics = db.selectFrom('nics').select('id').where('instance', '=', instance)
      await db.deleteFrom('nicGroups').where('nic', 'in', nics).execute()
      await db.deleteFrom('nics').where('instance', '=', instance).execute()
    },
  }
}

function writeLabels(
  db: Kysely<Tables>,
): Pick<WriteTx, 'insertKeyPair' | 'deleteKeyPair' | 'putTags' | 'deleteTag' | 'deleteTagsOf'> {
  return {
    insertKeyPair: (key) => insertOr('exists', db, 'keyPairs', key),
    async deleteKeyPair(id) {
      await db.deleteFrom('keyPairs').where('id', '=', id).execute()
    },
    async putTags(tags) {
      for (const tag of tags) {
        if ((await insertOr('exists', db, 'tags', tag)) === 'done') continue
        await db
          .updateTable('tags')
          .set({ value: tag.value, resourceType: tag.resourceType })
          .where('account', '=', tag.account)
          .where('resource', '=', tag.resource)
          .where('key', '=', tag.key)
          .execute()
      }
    },
    async deleteTag({ account, resource, key, value }) {
      let query = db
        .deleteFrom('tags')
        .where('account', '=', account)
        .where('resource', '=', resource)
        .where('key', '=', key)
      if (value !== undefined) query = query.where('value', '=', value)
      await query.execute()
    },
    async deleteTagsOf(resource) {
      await db.deleteFrom('tags').where('resource', '=', resource).execute()
    },
  }
}

/** What placement hands out of a host. */
function writeCapacity(
  db: Kysely<Tables>,
  nowMs: RawBuilder<number>,
): Pick<WriteTx, 'takeCapacity' | 'returnCapacity'> {
  const updateHost = updaterOf(db)
  const changed = changedAt(nowMs)
  return {
    async takeCapacity(host, vcpus, memoryMiB, diskGiB = 0) {
      const { numUpdatedRows } = await updateHost(host)
        .where('state', '=', 'active')
        .where('shortOf', 'is', null)
        .where(sql<boolean>`${sql.ref('usedVcpus')} + ${vcpus} <= ${sql.ref('vcpus')}`)
        .where(sql<boolean>`${sql.ref('usedMemoryMiB')} + ${memoryMiB} <= ${sql.ref('memoryMiB')}`)
        .where(({ eb, or }) =>
          or([
            eb('diskGiB', 'is', null),
            // Whoever asks for none is welcome on a host whose disk is handed out.
            ...(diskGiB === 0 ? [sql<boolean>`1 = 1`] : []),
            sql<boolean>`${sql.ref('usedDiskGiB')} + ${diskGiB} <= ${sql.ref('diskGiB')}`,
          ]),
        )
        .set((row) => ({
          usedVcpus: row('usedVcpus', '+', vcpus),
          usedDiskGiB: row('usedDiskGiB', '+', diskGiB),
          usedMemoryMiB: row('usedMemoryMiB', '+', memoryMiB),
          ...changed,
        }))
        .executeTakeFirstOrThrow()
      return numUpdatedRows === 1n ? 'done' : 'full'
    },
    async returnCapacity(host, vcpus, memoryMiB, diskGiB = 0) {
      await updateHost(host)
        .set({
          usedVcpus: lessButNotNegative('usedVcpus', vcpus),
          usedMemoryMiB: lessButNotNegative('usedMemoryMiB', memoryMiB),
          usedDiskGiB: lessButNotNegative('usedDiskGiB', diskGiB),
          ...changed,
        })
        .execute()
    },
  }
}

/** Who may start an instance: decided by conditional statements alone. */
function writeOwnership(
  db: Kysely<Tables>,
  nowMs: RawBuilder<number>,
): Pick<WriteTx, 'claimInstance' | 'moveInstance' | 'inherit'> {
  return {
    async claimInstance(id, { name: host, identity, lives }) {
      const { numUpdatedRows } = await db
        .updateTable('instances')
        .set({ claimed: 1 })
        .where('id', '=', id)
        .where('host', '=', host)
        .where('wanted', '=', 'run')
        .where((where) =>
          where.exists(
            where
              .selectFrom('hosts')
              .select('name')
              .where('name', '=', host)
              .where('identity', '=', identity)
              .$if(lives !== undefined, (query) => query.where('life', '=', lives?.own ?? null))
              .where('leaseUntilMs', '>=', nowMs),
          ),
        )
        .executeTakeFirstOrThrow()
      return numUpdatedRows === 1n ? 'done' : 'lost'
    },
    async moveInstance(id, from, to) {
      const { numUpdatedRows } = await db
        .updateTable('instances')
        .set({ host: to })
        .where('id', '=', id)
        .where('host', '=', from)
        .where('claimed', '=', 0)
        .where('wanted', '=', 'run')
        .executeTakeFirstOrThrow()
      return numUpdatedRows === 1n ? 'done' : 'lost'
    },
    async inherit(from, to) {
      await db.updateTable('images').set({ host: to }).where('host', '=', from).execute()
      await db
        .updateTable('instances')
        .set({ host: to })
        .where('host', '=', from)
        .where('state', '=', 'terminated')
        .execute()
    },
  }
}

/** `max(0, column - amount)`, whose name differs between engines. */
function lessButNotNegative(column: 'usedVcpus' | 'usedMemoryMiB' | 'usedDiskGiB', amount: number) {
  const ref = sql.ref(column)
  return sql<number>`case when ${ref} > ${amount} then ${ref} - ${amount} else 0 end`
}
