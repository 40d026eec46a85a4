/**
 * Parameters of RunInstances that become an instance's options. Some take effect, others are only
 * shown. Pure.
 */
import { z } from 'zod'
import { type InstanceOptions, withDefaults } from '../../model/instance-options.ts'
import { onlySchema, withoutEffect } from '../schemas.ts'

function shown<S extends z.ZodType>(schema: S) {
  return withoutEffect(schema, 'shown')
}

const isDefault = z.enum(['default', 'disabled']).optional()

/** Members of the request. */
export const optionsShape = {
  DisableApiTermination: z.boolean().optional(),
  DisableApiStop: z.boolean().optional(),
  InstanceInitiatedShutdownBehavior: z.enum(['stop', 'terminate']).optional(),
  Monitoring: shown(z.strictObject({ Enabled: z.boolean() }).optional()),
  EbsOptimized: shown(z.boolean().optional()),
  MaintenanceOptions: z
    .strictObject({ AutoRecovery: isDefault, RebootMigration: shown(isDefault) })
    .default({}),
  NetworkPerformanceOptions: z
    .strictObject({ BandwidthWeighting: shown(z.enum(['default', 'vpc-1', 'ebs-1']).optional()) })
    .default({}),
  PrivateDnsNameOptions: z
    .strictObject({
      HostnameType: shown(z.enum(['ip-name', 'resource-name']).optional()),
      EnableResourceNameDnsARecord: shown(z.boolean().optional()),
      EnableResourceNameDnsAAAARecord: onlySchema(
        false,
        'PrivateDnsNameOptions.EnableResourceNameDnsAAAARecord: no IPv6',
      ),
    })
    .default({}),
  CapacityReservationSpecification: z
    .strictObject({ CapacityReservationPreference: shown(z.enum(['open', 'none']).optional()) })
    .default({}),
}

type Given = z.output<z.ZodObject<typeof optionsShape>>

/** The options of a launch. */
export function launchOptions(given: Given): InstanceOptions {
  return withDefaults({
    disableApiTermination: given.DisableApiTermination,
    disableApiStop: given.DisableApiStop,
    shutdownBehavior: given.InstanceInitiatedShutdownBehavior,
    monitoring: given.Monitoring?.Enabled,
    ebsOptimized: given.EbsOptimized,
    autoRecovery: given.MaintenanceOptions.AutoRecovery,
    rebootMigration: given.MaintenanceOptions.RebootMigration,
    bandwidthWeighting: given.NetworkPerformanceOptions.BandwidthWeighting,
    hostnameType: given.PrivateDnsNameOptions.HostnameType,
    resourceNameDnsARecord: given.PrivateDnsNameOptions.EnableResourceNameDnsARecord,
    capacityReservation: given.CapacityReservationSpecification.CapacityReservationPreference,
  })
}
