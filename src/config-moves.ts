/** Settings of moves of instances between hosts. */
import { z } from 'zod'
import { port } from './config-values.ts'

/** How what a stopped instance has written gets to another host. */
export const moves = z
  .strictObject({
    port: port
      .default(8774)
      .describe(
        'TCP port of fabric.address at which the other hosts fetch the disks of instances that move, the same on all hosts; listens only then',
      ),
    mibPerSecond: z
      .int()
      .min(1)
      .max(100_000)
      .default(200)
      .describe('How fast a host sends disks of moving instances at most, together, in MiB/s'),
  })
  .prefault({})
