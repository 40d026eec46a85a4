/**
 * An instance's options as one column: JSON of those that differ from the defaults, null when there
 * are none. Pure.
 */
import { z } from 'zod'
import { PROFILE_ARN, PROFILE_ID } from '../../model/iam-names.ts'
import {
  INSTANCE_OPTIONS,
  type InstanceOptions,
  withDefaults,
} from '../../model/instance-options.ts'
import { PARTITIONS_MAX } from '../../model/placement-group.ts'
import { id, name, time } from './columns.ts'

/** EC2's longest description. */
const DESCRIPTION_MAX = 255

/** Members that a newer version adds are left out. Known ones must be valid. */
const schema = z
  .object({
    disableApiTermination: z.boolean(),
    disableApiStop: z.boolean(),
    shutdownBehavior: z.enum(['stop', 'terminate']),
    monitoring: z.boolean(),
    ebsOptimized: z.boolean(),
    autoRecovery: z.enum(['default', 'disabled']),
    rebootMigration: z.enum(['default', 'disabled']).nullable(),
    bandwidthWeighting: z.enum(['default', 'vpc-1', 'ebs-1']).nullable(),
    hostnameType: z.enum(['ip-name', 'resource-name']),
    resourceNameDnsARecord: z.boolean(),
    capacityReservation: z.enum(['open', 'none']),
    nicDescription: z
      .string()
      .max(2 * DESCRIPTION_MAX)
      .regex(/^[^\p{Cc}\p{Cs}\uFFFE\uFFFF]*$/u),
    placementGroup: z
      .object({
        id: id('pg'),
        name,
        partition: z.int().min(1).max(PARTITIONS_MAX).nullable(),
      })
      .nullable(),
    profile: z
      .object({
        association: id('iip-assoc'),
        id: z.string().regex(PROFILE_ID),
        arn: z.string().regex(PROFILE_ARN),
        since: time,
      })
      .nullable(),
  } satisfies Record<keyof InstanceOptions, z.ZodType>)
  .partial()

/** The column. */
export function optionsToColumn(options: InstanceOptions): string | null {
  const said = Object.entries(options).filter(
    ([name, value]) => value !== INSTANCE_OPTIONS[name as keyof InstanceOptions],
  )
  return said.length === 0 ? null : JSON.stringify(Object.fromEntries(said))
}

/** The options in a column. Undefined when it is invalid. */
export function optionsFromColumn(column: string | null): InstanceOptions | undefined {
  if (column === null) return INSTANCE_OPTIONS
  try {
    const parsed = schema.safeParse(JSON.parse(column))
    return parsed.success ? withDefaults(parsed.data) : undefined
  } catch {
    return undefined
  }
}
