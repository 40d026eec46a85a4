/** Settings of the audit: records of calls. */
import { z } from 'zod'
import { absolutePath } from './config-values.ts'

/** What is recorded of calls, where, and how much of it is kept. */
export const audit = z
  .strictObject({
    reads: z
      .enum(['none', 'all'])
      .default('none')
      .describe(
        'Which successful calls that only read are recorded; calls that change something, fail or hand out a secret always are',
      ),
    recordsPerAccount: z
      .int()
      .min(100)
      .max(10_000_000)
      .default(10_000)
      .describe(
        'Records of calls of one account that LookupEvents can find: so many of changes, and as many of other calls; older ones are removed',
      ),
    days: z
      .int()
      .min(1)
      .max(3650)
      .default(90)
      .describe('How many days LookupEvents can find a record of a call'),
    directory: absolutePath
      .nullable()
      .default(null)
      .describe(
        'Directory of the records of all calls that this host answered: a file for each account, JSON lines; null: `audit` in `stateDir`',
      ),
    fileMiB: z
      .int()
      .min(1)
      .max(10_240)
      .default(16)
      .describe('Size at which such a file is set aside, in MiB; one older part is kept'),
    totalMiB: z
      .int()
      .min(1)
      .max(1_048_576)
      .default(1024)
      .describe(
        'Size of all these files above which the largest older parts are removed, and then the largest files, in MiB',
      ),
  })
  .prefault({})
