/**
 * Instances that hosts have started before anybody asks for them, offered to launches. A launch
 * takes one by deleting its row, so each is taken once. The host that offers one never offers it
 * again.
 *
 * They concern no host: no want has them. The host's own duty reads and writes its offers
 * (`agent/warm-instances.ts`), and a launch that takes one changes the host's part anyway.
 */
import { z } from 'zod'
import type { HostName, InstanceId } from '../../model/ids.ts'
import type { Instance } from '../../model/records.ts'
import type { OfferedInstance } from '../../model/warm-instance.ts'
import { digest, host, id, label } from './columns.ts'
import { insertOr } from './insert.ts'
import { nobody, noun, type RowsOf, type Session, table } from './noun.ts'

const tables = {
  warmInstances: table<OfferedInstance>({
    name: 'warmInstances',
    host: 'host',
    schema: z.object({ id: id('i'), host, image: id('ami'), digest, type: label }),
    // Only launches use them, which change the records themselves.
    copied: 'never',
  }),
}

/** Columns of other nouns. */
interface Others {
  readonly instances: Pick<Instance, 'id'>
}

/** The noun. */
export const warmInstances = noun({
  tables,
  reads: ({ db, rows }: Session<RowsOf<typeof tables> & Others>) => ({
    /** Those that hosts offer; with `host`, only that host. */
    async warmInstances(host?: HostName): Promise<readonly OfferedInstance[]> {
      const found = await db
        .selectFrom('warmInstances')
        .selectAll()
        .$if(host !== undefined, (query) => query.where('host', '=', host ?? ('' as HostName)))
        .orderBy('id')
        .execute()
      return await rows.parseLong(tables.warmInstances, found)
    },
  }),
  writes: ({ db }: Session<RowsOf<typeof tables> & Others>) => ({
    /** `exists`: it was offered before. */
    offerWarmInstance: (offered: OfferedInstance) =>
      insertOr('exists', db, 'warmInstances', offered),
    /** `gone`: another launch has it, its host has withdrawn it, or there is such an instance. */
    async takeWarmInstance({ id, host }: OfferedInstance): Promise<'done' | 'gone'> {
      const { numDeletedRows } = await db
        .deleteFrom('warmInstances')
        .where('id', '=', id)
        .where('host', '=', host)
        .where(({ exists, not, selectFrom }) =>
          not(exists(selectFrom('instances').select('id').where('instances.id', '=', id))),
        )
        .executeTakeFirstOrThrow()
      return numDeletedRows === 1n ? 'done' : 'gone'
    },
    /** Withdraws what the host offers; with `ids`, only these. */
    async withdrawWarmInstances(host: HostName, ids?: readonly InstanceId[]): Promise<void> {
      if (ids?.length === 0) return
      await db
        .deleteFrom('warmInstances')
        .where('host', '=', host)
        .$if(ids !== undefined, (query) => query.where('id', 'in', ids ?? []))
        .execute()
    },
  }),
  touches: { offerWarmInstance: nobody, takeWarmInstance: nobody, withdrawWarmInstances: nobody },
  inCopy: { offerWarmInstance: null, takeWarmInstance: null, withdrawWarmInstances: null },
})
