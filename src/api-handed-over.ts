/** The keys and certificates that the agent hands over to the processes of the API. Pure. */
import { z } from 'zod'

const shown = z.object({ cert: z.string(), key: z.string() }).nullable()

/** What the agent writes, and the API reads. */
export const handedOverSchema = z.object({
  /** The key that encrypts secrets in the records, in base64. */
  recordsKey: z.string().max(64).nullable(),
  /** The database, if it has a password, with copies of the files for TLS. */
  engine: z
    .object({
      password: z.string(),
      tls: z.object({
        to: z.enum(['all', 'others', 'none']),
        ca: z.string().nullable(),
        cert: z.string().nullable(),
        key: z.string().nullable(),
      }),
    })
    .nullable(),
  host: shown,
  api: shown,
})

export type HandedOver = z.infer<typeof handedOverSchema>
