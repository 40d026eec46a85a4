/**
 * Levers: what a host has to know of an instance's time to live and schedule besides the tags. They
 * concern the instance's host.
 */
import { z } from 'zod'
import type { InstanceId } from '../../model/ids.ts'
import { type Lever, type LeverTag, SCHEDULE_TAG, TTL_TAG } from '../../model/lever.ts'
import { ofHost } from '../scope.ts'
import { id, moment } from './columns.ts'
import { inParts } from './in-parts.ts'
import { insertOr } from './insert.ts'
import { always, noun, type RowsOf, type Session, table } from './noun.ts'

interface LeverRow {
  readonly instance: InstanceId
  readonly tag: LeverTag
  readonly fromMs: number
  /** Null in all three columns: nothing is announced. */
  readonly strike: 'stop' | 'terminate' | null
  readonly dueMs: number | null
  readonly notBeforeMs: number | null
}

const tables = {
  instanceLevers: table<LeverRow>({
    name: 'instanceLevers',
    key: ['instance', 'tag'],
    instance: 'instance',
    cached: false,
    schema: z.object({
      instance: id('i'),
      tag: z.enum([TTL_TAG, SCHEDULE_TAG]),
      fromMs: moment,
      strike: z.enum(['stop', 'terminate']).nullable(),
      dueMs: moment.nullable(),
      notBeforeMs: moment.nullable(),
    }),
  }),
}

/** The noun. */
export const levers = noun({
  tables,
  reads: ({ db, rows }: Session<RowsOf<typeof tables>>) => ({
    async levers(instances: readonly InstanceId[]): Promise<readonly Lever[]> {
      const query = db.selectFrom('instanceLevers').selectAll().orderBy('instance').orderBy('tag')
      const found = await inParts(instances, (part) =>
        part === undefined ? query.execute() : query.where('instance', 'in', part).execute(),
      )
      return (await rows.parseLong(tables.instanceLevers, found)).map(fromRow)
    },
  }),
  writes: ({ db }: Session<RowsOf<typeof tables>>) => ({
    /** Sets the record of a lever, in place of an earlier one. */
    async putLever(lever: Lever): Promise<void> {
      const row = toRow(lever)
      // Launches insert it. Updating a row that is not there would make them wait for each other.
      if ((await insertOr('exists', db, 'instanceLevers', row)) === 'done') return
      await db
        .updateTable('instanceLevers')
        .set(row)
        .where('instance', '=', lever.instance)
        .where('tag', '=', lever.tag)
        .execute()
    },
    async deleteLeversOf(instance: InstanceId): Promise<void> {
      await db.deleteFrom('instanceLevers').where('instance', '=', instance).execute()
    },
  }),
  touches: {
    putLever: async ({ where }, { instance }) => (await where.hostOf(instance)).map(ofHost),
    deleteLeversOf: async ({ where }, instance) => (await where.hostOf(instance)).map(ofHost),
  },
  inCopy: { putLever: always, deleteLeversOf: always },
})

function toRow({ instance, tag, fromMs, strike }: Lever): LeverRow {
  return {
    ...{ instance, tag, fromMs },
    strike: strike?.kind ?? null,
    dueMs: strike?.dueMs ?? null,
    notBeforeMs: strike?.notBeforeMs ?? null,
  }
}

function fromRow({ strike: kind, dueMs, notBeforeMs, ...rest }: LeverRow): Lever {
  return {
    ...rest,
    strike: kind === null || dueMs === null ? null : { kind, dueMs, notBeforeMs },
  }
}
