/**
 * Jobs of a QEMU that copy its disk
 * (https://www.qemu.org/docs/master/interop/qemu-qmp-ref.html, "query-jobs"). Their state is
 * polled, so that a daemon finds a job that an earlier one has started.
 */
import { z } from 'zod'
import type { Qmp } from './qmp.ts'

const jobsSchema = z
  .array(
    z.object({
      id: z.string(),
      status: z.string(),
      'current-progress': z.number(),
      'total-progress': z.number(),
      error: z.string().max(1000).optional(),
    }),
  )
  .max(100)

/** A job, with its progress in bytes. */
type BlockJob = z.infer<typeof jobsSchema>[number]

/** The job of this name; undefined: there is none. Errors: QEMU's, or an answer of another form. */
export async function blockJob(
  qmp: Pick<Qmp, 'execute'>,
  name: string,
): Promise<BlockJob | undefined> {
  const jobs = jobsSchema.parse(await qmp.execute('query-jobs'))
  return jobs.find(({ id }) => id === name)
}
