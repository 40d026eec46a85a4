/**
 * Moves of instances between hosts. A move concerns both hosts.
 *
 * An instance has one record, which its next move replaces. Whether a move goes on is decided by
 * conditional statements on that record, so a move that one host ends is not completed by another.
 */
import { sql } from 'kysely'
import { z } from 'zod'
import type { HostName, InstanceId } from '../../model/ids.ts'
import { MOVE_STATES, type Move, type MoveState } from '../../model/move.ts'
import type { Instance } from '../../model/records.ts'
import { ofHost, type Scope } from '../scope.ts'
import { count, flag, host, id, moment, prose, type Row, size } from './columns.ts'
import { inParts } from './in-parts.ts'
import { insertOr } from './insert.ts'
import { always, noun, type RowsOf, type Session, table } from './noun.ts'
import type { RecoveryColumns } from './recovery-columns.ts'

type MoveRow = Omit<Row<Move>, 'from' | 'to'> & {
  readonly fromHost: HostName
  readonly toHost: HostName
  /** When somebody last worked on it, by the store's clock. */
  readonly heardAtMs: number
}

const tables = {
  moves: table<MoveRow>({
    name: 'moves',
    key: ['instance'],
    instance: 'instance',
    cached: false,
    schema: z.object({
      instance: id('i'),
      fromHost: host,
      toHost: host,
      state: z.enum(MOVE_STATES),
      live: flag,
      restart: flag,
      bootCount: count,
      vcpus: size,
      memoryMiB: size,
      diskGiB: size,
      message: prose,
      askedAtMs: moment,
      stoppedAtMs: moment.nullable(),
      endedAtMs: moment.nullable(),
      heardAtMs: count,
    }),
  }),
}

/** Columns of other nouns. */
interface Others {
  readonly instances: Pick<Instance, 'id' | 'host' | 'state' | 'wanted' | 'bootCount'> &
    Pick<RecoveryColumns, 'recoverAcknowledged' | 'assignment'>
}
type Tables = RowsOf<typeof tables> & Others

/** Those that have not ended. */
const UNENDED: readonly MoveState[] = ['stopping', 'copying', 'starting']

/** The records to list. An absent field does not restrict. */
interface MoveQuery {
  readonly instances?: readonly InstanceId[]
  /** Those from or to this host. */
  readonly host?: HostName
  /** Those that have not ended. */
  readonly unended?: true
}

/** The fields of a move that change. */
type MoveChange = Partial<
  Pick<Move, 'state' | 'bootCount' | 'message' | 'stoppedAtMs' | 'endedAtMs'>
>

/** The noun. */
export const moves = noun({
  tables,
  reads: ({ db, rows, nowMs }: Session<Tables>) => ({
    async moves({ instances, host: of, unended }: MoveQuery): Promise<readonly Move[]> {
      let query = db.selectFrom('moves').selectAll().orderBy('instance')
      if (of !== undefined)
        query = query.where(({ eb, or }) => or([eb('fromHost', '=', of), eb('toHost', '=', of)]))
      if (unended === true) query = query.where('state', 'in', UNENDED)
      const found = await inParts(instances, (part) =>
        part === undefined ? query.execute() : query.where('instance', 'in', part).execute(),
      )
      return (await rows.parseLong(tables.moves, found)).map(fromRow)
    },
    /** Those that nobody has worked on for this long though their instances are stopped. */
    async stalledMoves(ms: number, limit: number): Promise<readonly Move[]> {
      const found = await db
        .selectFrom('moves')
        .selectAll()
        .where('state', '=', 'copying')
        .where('heardAtMs', '<', sql<number>`${nowMs} - ${ms}`)
        .orderBy('instance')
        .limit(limit)
        .execute()
      return (await rows.parseLong(tables.moves, found)).map(fromRow)
    },
  }),
  writes: ({ db, where, nowMs }: Session<Tables>) => ({
    /** Begins a move. `taken`: the instance has one that has not ended. */
    async beginMove(move: Move): Promise<'done' | 'taken'> {
      const row = { ...toRow(move), heardAtMs: nowMs }
      if ((await insertOr('exists', db, 'moves', row)) === 'done') return 'done'
      const { numUpdatedRows } = await db
        .updateTable('moves')
        .set(row)
        .where('instance', '=', move.instance)
        .where('state', 'not in', UNENDED)
        .executeTakeFirstOrThrow()
      return numUpdatedRows === 1n ? 'done' : 'taken'
    },
    /** Changes a move that is as it was read. `lost`: it has gone on or ended meanwhile. */
    async changeMove(move: Move, change: MoveChange): Promise<'done' | 'lost'> {
      const { numUpdatedRows } = await db
        .updateTable('moves')
        .set({ ...change, heardAtMs: nowMs })
        .where('instance', '=', move.instance)
        .where('state', '=', move.state)
        .where('toHost', '=', move.to)
        .where('askedAtMs', '=', move.askedAtMs)
        .executeTakeFirstOrThrow()
      return numUpdatedRows === 1n ? 'done' : 'lost'
    },
    /** Says how far a move is, which concerns no host. */
    async describeMove({ instance, to }: Move, message: string): Promise<void> {
      await db
        .updateTable('moves')
        .set({ message, heardAtMs: nowMs })
        .where('instance', '=', instance)
        .where('toHost', '=', to)
        .where('state', '=', 'copying')
        .execute()
    },
    /**
     * Gives an instance to its new host: a stopped one, or a running one of a live move. `lost`
     * when it was started, stopped, moved or ended meanwhile, or has booted since it was copied.
     */
    async transferInstance({
      instance,
      from,
      to,
      bootCount,
      live,
    }: Move): Promise<'done' | 'lost'> {
      const { numUpdatedRows } = await db
        .updateTable('instances')
        // What the host before has promised of it does not bind another one.
        .set({ host: to, recoverAcknowledged: null, assignment: null })
        .where('id', '=', instance)
        .where('host', '=', from)
        .where('state', '=', live ? 'running' : 'stopped')
        .where('wanted', '=', live ? 'run' : 'stop')
        .where('bootCount', '=', bootCount)
        .executeTakeFirstOrThrow()
      if (numUpdatedRows !== 1n) return 'lost'
      where.isAt(instance, to)
      return 'done'
    },
    /** Says when a live move stopped its instance and let it go on, which concerns no host. */
    async timeMove(
      { instance, to, askedAtMs }: Move,
      times: { readonly stoppedAtMs: number; readonly endedAtMs: number },
    ): Promise<void> {
      await db
        .updateTable('moves')
        .set(times)
        .where('instance', '=', instance)
        .where('toHost', '=', to)
        .where('askedAtMs', '=', askedAtMs)
        .where('state', '=', 'done')
        .execute()
    },
    async deleteMove({ instance }: Pick<Move, 'instance'>): Promise<void> {
      await db.deleteFrom('moves').where('instance', '=', instance).execute()
    },
  }),
  touches: {
    beginMove: (_session, move) => bothHosts(move),
    changeMove: (_session, move) => bothHosts(move),
    // Nobody acts on it.
    describeMove: () => [],
    timeMove: () => [],
    transferInstance: async ({ where }, move) => [
      ...bothHosts(move),
      ...(await where.membersOf(move.instance, move.from)),
      ...(await where.membersOf(move.instance, move.to)),
    ],
    // Only with its instance, of which nothing is left.
    deleteMove: () => [],
  },
  inCopy: {
    beginMove: always,
    changeMove: always,
    describeMove: always,
    timeMove: always,
    transferInstance: always,
    deleteMove: always,
  },
})

function bothHosts({ from, to }: Move): readonly Scope[] {
  return [ofHost(from), ofHost(to)]
}

function toRow({ from, to, live, restart, ...rest }: Move): Omit<MoveRow, 'heardAtMs'> {
  return { ...rest, fromHost: from, toHost: to, live: Number(live), restart: Number(restart) }
}

function fromRow({ fromHost, toHost, live, restart, heardAtMs: _, ...rest }: MoveRow): Move {
  return { ...rest, from: fromHost, to: toHost, live: live !== 0, restart: restart !== 0 }
}
