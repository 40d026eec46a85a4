/** Settings of flow logs. */
import { z } from 'zod'
import { absolutePath } from './config-values.ts'
import { isBucket, isKeyPrefix } from './model/flow-log.ts'
import { parseAccountId } from './model/ids.ts'

const PERMITTED_MAX = 1_000

const account = z.string().transform((text, context) => {
  const found = parseAccountId(text)
  if (found !== undefined) return found
  context.addIssue('must be an account: twelve digits, in quotation marks')
  return z.NEVER
})

const permitted = z
  .strictObject({
    to: z.string().refine((text) => {
      const [bucket = '', ...folder] = text.split('/')
      return isBucket(bucket) && isKeyPrefix(folder.join('/')) && !text.endsWith('/')
    }, 'must be a bucket, or a folder in one, such as logs or logs/team-b'),
    accounts: z.array(account).min(1).max(PERMITTED_MAX).nullable().default(null),
  })
  .transform(({ to, accounts }) => {
    const [bucket = '', ...folder] = to.split('/')
    return { bucket, prefix: folder.join('/'), accounts }
  })

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
    buckets: z
      .array(permitted)
      .max(PERMITTED_MAX)
      .nullable()
      .default(null)
      .describe(
        'Where flow logs may go in the object store of `images.s3`, alike on all hosts: [{to: logs/team-b, accounts: ["000000000002"]}]; `to` is a bucket or a folder in one, and without `accounts` it is for all accounts. null: everywhere for the first account, and nowhere for others',
      ),
  })
  .prefault({})
