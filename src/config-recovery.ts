/** Settings of what a host does for its own instances with the tag `atoll:recover`. */
import { z } from 'zod'

/** `recovery`. */
export const recovery = z
  .strictObject({
    rebootHungAfterSeconds: z
      .int()
      // Shorter than it takes to find all instances of a host silent, one of them would be taken
      // for the only one.
      .min(120)
      .max(86_400)
      .nullable()
      .default(null)
      .describe(
        'How long an instance with the tag atoll:recover must have been impaired before this host reboots it, in seconds: twice as long after each such reboot within a day, and three times a day at most; null: it is not rebooted, as on EC2',
      ),
  })
  .prefault({})
