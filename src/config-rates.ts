/** Settings of how fast NICs may be. */
import { z } from 'zod'
import { DEFAULT_RATES } from './model/network-rates.ts'

const typeRate = z.strictObject({
  types: z
    .string()
    .max(64)
    .regex(/^[a-z0-9.-]*\*?$/, 'must be an instance type such as t3.micro, or t3.* or *')
    .min(1),
  megabitsPerSecond: z.int().min(1).max(400_000).nullable().default(null),
  packetsPerSecond: z.int().min(100).max(100_000_000).nullable().default(null),
})

/** The rates of instance types. */
export const rates = z
  .array(typeRate)
  .max(64)
  .default([...DEFAULT_RATES])
  .describe(
    'How fast the NIC of an instance may send, and receive, by instance type; the first entry that matches counts, and a type without one has no limit. A part that is left out or null has no limit',
  )
