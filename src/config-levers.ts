/** Settings of tags that end, stop and start instances. */
import { z } from 'zod'

/** When an end by a tag is announced. */
export const levers = z
  .strictObject({
    noticeSeconds: z
      .int()
      .min(0)
      .max(86_400)
      .default(600)
      .describe(
        'How long before the tags atoll:ttl and atoll:schedule end or stop an instance that is announced, in seconds',
      ),
  })
  .prefault({})
