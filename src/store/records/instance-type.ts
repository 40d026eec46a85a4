/** Instance types. A migration creates them, the same for all. */
import { z } from 'zod'
import type { InstanceType } from '../../model/records.ts'
import { label, size, VCPUS_MAX } from './columns.ts'
import { noun, type RowsOf, type Session, table } from './noun.ts'

const tables = {
  instanceTypes: table<InstanceType>({
    name: 'instanceTypes',
    key: ['name'],
    schema: z.object({
      name: label,
      vcpus: z.int().min(1).max(VCPUS_MAX),
      memoryMiB: size.min(1),
      diskGiB: size,
    }),
  }),
}

/** The noun. */
export const instanceTypes = noun({
  tables,
  reads: ({ db, rows }: Session<RowsOf<typeof tables>>) => ({
    async instanceTypes(): Promise<readonly InstanceType[]> {
      const found = await db.selectFrom('instanceTypes').selectAll().orderBy('name').execute()
      return rows.parse(tables.instanceTypes, found)
    },
  }),
  writes: () => ({}),
  touches: {},
  inCopy: {},
})
