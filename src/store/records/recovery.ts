/**
 * Who may run an instance that others may start again: columns of instances and hosts, and the
 * conditional statements that decide (`plan/failover/taker.ts` has the argument).
 *
 * A takeover and the return of a host each replace the host's epoch, so only one of two that have
 * read the same one can have its way. Epochs and assignments are random: nobody writes one again.
 */
import { type ExpressionBuilder, type SqlBool, sql } from 'kysely'
import { z } from 'zod'
import type { HostName, InstanceId } from '../../model/ids.ts'
import type { Recovering } from '../../model/recovery.ts'
import { ofHost } from '../scope.ts'
import { host as hostColumn, id, label, storage } from './columns.ts'
import type { HostSelf } from './host.ts'
import { isLive } from './lists.ts'
import { nobody, noun, type Session } from './noun.ts'
import type { RecoveryColumns } from './recovery-columns.ts'
import type { RowShape } from './rows.ts'

/** Columns of other nouns. */
interface Tables {
  readonly instances: Pick<RecoveryColumns, 'recoverWanted' | 'recoverAcknowledged'> & {
    readonly id: InstanceId
    readonly host: HostName
    readonly type: string
    readonly state: string
    readonly claimed: number
    readonly run: number | null
    readonly assignment: string | null
  }
  readonly hosts: {
    readonly name: HostName
    readonly identity: string | null
    readonly life: string | null
    readonly state: string
    readonly leaseUntilMs: number
    readonly epoch: string | null
    readonly fenceLevel: string | null
  }
  readonly volumes: {
    readonly instance: InstanceId | null
    readonly sizeGiB: number
    readonly storage: string | null
  }
}

/** A host's epoch. Null: nobody has written one. */
export interface HostEpoch {
  readonly name: HostName
  readonly epoch: string | null
}

/** An instance that others may start again, and its disks: their size on its host, or where. */
interface RecoverableRow {
  readonly id: InstanceId
  readonly host: HostName
  readonly type: string
  readonly diskGiB: number
  readonly storage: string | null
}

const RECOVERABLE: RowShape<RecoverableRow> = {
  name: 'recoverable',
  key: ['id'],
  cached: false,
  schema: z.object({
    id: id('i'),
    host: hostColumn,
    type: label,
    diskGiB: z.coerce.number().min(0),
    storage: storage.transform((value) => value ?? null),
  }),
}

/** What its disks take of their host's own. */
const localGiB = sql<number>`coalesce(sum(case when ${sql.ref('volumes.storage')} is null then ${sql.ref('volumes.sizeGiB')} end), 0)`

const EPOCHS: RowShape<HostEpoch> = {
  name: 'epochs',
  key: ['name'],
  cached: false,
  schema: z.object({ name: hostColumn, epoch: label.nullable() }),
}

/** The noun. It has no table of its own. */
export const recoveries = noun({
  tables: {},
  reads: ({ db, nowMs, rows }: Session<Tables>) => ({
    /** The epoch of a host; undefined when there is no such host. */
    async hostEpoch(name: HostName): Promise<HostEpoch | undefined> {
      const query = db.selectFrom('hosts').select(['name', 'epoch']).where('name', '=', name)
      return rows.parse(EPOCHS, await query.execute())[0]
    },
    /**
     * The instances that others may start again, of all hosts; with `wanted` also those of which
     * their hosts have not acknowledged it yet, as after a launch.
     */
    async recoverable(which: 'acknowledged' | 'wanted'): Promise<readonly RecoverableRow[]> {
      const those = db
        .selectFrom('instances')
        .leftJoin('volumes', 'volumes.instance', 'instances.id')
        .select(['instances.id', 'instances.host', 'instances.type'])
        .select(localGiB.as('diskGiB'))
        .select(({ fn }) => fn.max('volumes.storage').as('storage'))
        .where('recoverWanted', '=', 'recover')
        .where(isLive('instances.state'))
        .groupBy(['instances.id', 'instances.host', 'instances.type'])
        .orderBy('instances.id')
      const query = which === 'wanted' ? those : those.where('recoverAcknowledged', '=', 'recover')
      return rows.parse(RECOVERABLE, await query.execute())
    },
    /**
     * Hosts that have instances which others may start again, and no live lease or no permission to
     * run them; with their epochs, at most `limit`.
     */
    async hostsToTakeOver(limit: number): Promise<readonly HostEpoch[]> {
      const found = await db
        .selectFrom('hosts')
        .select(['name', 'epoch'])
        .where('state', '!=', 'forgotten')
        .where(({ eb, or }) => or([eb('leaseUntilMs', '<', nowMs), eb('fenceLevel', 'is', null)]))
        .where(({ exists, selectFrom }) =>
          exists(
            selectFrom('instances')
              .select('id')
              .whereRef('instances.host', '=', 'hosts.name')
              .where('recoverWanted', '=', 'recover')
              .where('recoverAcknowledged', '=', 'recover')
              .where(isLive('instances.state')),
          ),
        )
        .orderBy('name')
        .limit(limit)
        .execute()
      return rows.parse(EPOCHS, found)
    },
  }),
  writes: (session: Session<Tables>) => ({ ...writeWishes(session), ...writeEpochs(session) }),
  touches: {
    wishRecovery: async ({ where }, id) => (await where.hostOf(id)).map(ofHost),
    acknowledgeRecovery: (_session, _id, { name }) => [ofHost(name)],
    // No want has it, and no host must look because of it.
    beginEpoch: nobody,
    takeEpoch: nobody,
    takeInstance: async ({ where }, id, from, { to }) => [
      ofHost(from),
      ofHost(to),
      ...(await where.membersOf(id, from)),
      ...(await where.membersOf(id, to)),
    ],
  },
  inCopy: {
    wishRecovery: null,
    acknowledgeRecovery: null,
    beginEpoch: null,
    takeEpoch: null,
    takeInstance: null,
  },
})

/** What its owner wishes, and what its host has acknowledged. */
function writeWishes({ db }: Session<Tables>) {
  return {
    /** What its owner wishes. Its host is told. */
    async wishRecovery(id: InstanceId, wanted: Recovering): Promise<void> {
      await db
        .updateTable('instances')
        .set({ recoverWanted: wanted === 'recover' ? 'recover' : null })
        .where('id', '=', id)
        .execute()
    },
    /**
     * Acknowledges the wish as the instance's host, with a new assignment. `lost` when the instance
     * is not this machine's, or its owner wishes something else by now.
     */
    async acknowledgeRecovery(
      id: InstanceId,
      self: HostSelf,
      to: Recovering,
      assignment: string,
    ): Promise<'done' | 'lost'> {
      const recover = to === 'recover' ? 'recover' : null
      const { numUpdatedRows } = await db
        .updateTable('instances')
        .set(({ eb }) => ({
          recoverAcknowledged: recover,
          assignment,
          run: eb(sql<number>`coalesce(${sql.ref('run')}, 0)`, '+', 1),
        }))
        .where('id', '=', id)
        .where('host', '=', self.name)
        .where('claimed', '=', 1)
        .where(isSame('recoverWanted', recover))
        .where(({ exists, selectFrom }) =>
          exists(
            selectFrom('hosts')
              .select('name')
              .where((row) => isMachine(row, self)),
          ),
        )
        .executeTakeFirstOrThrow()
      return numUpdatedRows === 1n ? 'done' : 'lost'
    },
  }
}

/** Who has its way about a host, and then about its instances. */
function writeEpochs({ db, where }: Session<Tables>) {
  return {
    /**
     * Replaces this machine's own epoch, before it starts anything in a new term. `lost` when it is
     * not `from` any more, or the row is another machine's.
     */
    async beginEpoch(
      self: HostSelf,
      { from, to }: { readonly from: string | null; readonly to: string },
    ): Promise<'done' | 'lost'> {
      const { numUpdatedRows } = await db
        .updateTable('hosts')
        .set({ epoch: to })
        .where((row) => isMachine(row, self))
        .where(isSame('epoch', from))
        .executeTakeFirstOrThrow()
      return numUpdatedRows === 1n ? 'done' : 'lost'
    },
    /**
     * Replaces the epoch of another host, to whose takeover a majority has consented. `lost` when
     * it is not `from` any more: the host is back, or somebody else was faster.
     */
    async takeEpoch(
      name: HostName,
      { from, to }: { readonly from: string | null; readonly to: string },
    ): Promise<'done' | 'lost'> {
      const { numUpdatedRows } = await db
        .updateTable('hosts')
        .set({ epoch: to })
        .where('name', '=', name)
        .where(isSame('epoch', from))
        .executeTakeFirstOrThrow()
      return numUpdatedRows === 1n ? 'done' : 'lost'
    },
    /**
     * Gives an instance of a lost host to another one, in the transaction that took the epoch.
     * `lost` when it is no longer there, or is to be kept.
     */
    async takeInstance(
      id: InstanceId,
      from: HostName,
      { to, assignment }: { readonly to: HostName; readonly assignment: string },
    ): Promise<'done' | 'lost'> {
      const { numUpdatedRows } = await db
        .updateTable('instances')
        .set(({ eb }) => ({
          host: to,
          assignment,
          run: eb(sql<number>`coalesce(${sql.ref('run')}, 0)`, '+', 1),
        }))
        .where('id', '=', id)
        .where('host', '=', from)
        .where('recoverWanted', '=', 'recover')
        .where('recoverAcknowledged', '=', 'recover')
        .executeTakeFirstOrThrow()
      if (numUpdatedRows !== 1n) return 'lost'
      where.isAt(id, to)
      return 'done'
    },
  }
}

function isSame(column: 'epoch' | 'recoverWanted', value: string | null) {
  const ref = sql.ref(column)
  return value === null ? sql<SqlBool>`${ref} is null` : sql<SqlBool>`${ref} = ${value}`
}

/** Whether the row is of this machine, and of this run of its daemon. */
function isMachine(
  { and, eb }: ExpressionBuilder<Tables, 'hosts'>,
  { name, identity, run }: HostSelf,
) {
  return and([
    eb('hosts.name', '=', name),
    eb('hosts.identity', '=', identity),
    ...(run === undefined ? [] : [eb('hosts.life', '=', run.own)]),
  ])
}
