/** Settings of how many NICs and addresses instances may have. */
import { z } from 'zod'
import { DEFAULT_NIC_LIMITS, INTERFACES_MAX } from './model/nic-limits.ts'

const typeLimit = z.strictObject({
  types: z
    .string()
    .max(64)
    .regex(/^[a-z0-9.-]*\*?$/, 'must be an instance type such as t3.micro, or t3.* or *')
    .min(1),
  interfaces: z.int().min(1).max(INTERFACES_MAX),
  addresses: z.int().min(1).max(256),
})

/** The limits of instance types. */
export const nicLimits = z
  .array(typeLimit)
  .max(64)
  .default([...DEFAULT_NIC_LIMITS])
  .describe(
    'Most network interfaces of an instance, and private addresses of each, by instance type; the first entry that matches counts, and a type without one may have one of each',
  )
