/** Settings of flow logs. */
import { z } from 'zod'
import { absolutePath } from './config-values.ts'

/** Where flow logs with a log group go. */
export const flowLogs = z
  .strictObject({
    directory: absolutePath
      .nullable()
      .default(null)
      .describe(
        'Directory of flow logs that go to a log group (LogDestinationType cloud-watch-logs): a directory for each account, in it one for each group, in it a file for each network interface; null: `flow-logs` in `stateDir`',
      ),
    fileMiB: z
      .int()
      .min(1)
      .max(10_240)
      .default(16)
      .describe('Size at which such a file is set aside, in MiB; three older parts are kept'),
    totalMiB: z
      .int()
      .min(1)
      .max(1_048_576)
      .default(1024)
      .describe('Size of all these files at which no more is written, in MiB'),
    accountMiB: z
      .int()
      .min(1)
      .max(1_048_576)
      .nullable()
      .default(null)
      .describe(
        'Size of the files of one account at which no more is written for it, in MiB; null: half of totalMiB',
      ),
  })
  .prefault({})
