/** Settings of storage that several hosts reach. */
import { z } from 'zod'
import { absolutePath } from './config-values.ts'

/** `storage`. */
export const storage = z
  .strictObject({
    shared: z
      .strictObject({
        path: absolutePath
          .nullable()
          .default(null)
          .describe(
            'Directory that is mounted on several hosts by your own means (NFS 4, GFS2, ...), for the disks of virtual machines whose volume has the tag atoll:storage; atoll storage init prepares it once. Its path may differ from host to host. null: none',
          ),
      })
      .prefault({}),
  })
  .prefault({})
