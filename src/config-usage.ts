/** Settings of usage records. */
import { z } from 'zod'

/** How long usage is kept, and by which tags. */
export const usage = z
  .strictObject({
    keepDays: z.int().min(1).max(3_650).default(400).describe('Days that usage records are kept'),
    tagKeys: z
      .array(z.string().min(1).max(128))
      .max(50)
      .nullable()
      .default(null)
      .describe(
        'Keys of tags by which usage is kept; null: any except Name, at most 20 of an account on a host and day',
      ),
  })
  .prefault({})
