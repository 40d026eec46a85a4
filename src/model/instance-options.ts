/**
 * Attributes of an instance that a launch sets and ModifyInstanceAttribute changes. Pure.
 *
 * Protection, shutdown behaviour and the placement group have an effect. The others are only stored
 * and shown, because a client that sets one expects to see it.
 */
import type { ProfileAssociation } from './iam-names.ts'
import type { PlacementMembership } from './placement-group.ts'

export interface InstanceOptions {
  /** TerminateInstances is refused. */
  readonly disableApiTermination: boolean
  /** StopInstances is refused, and TerminateInstances as well. */
  readonly disableApiStop: boolean
  /** What happens when it powers itself off. */
  readonly shutdownBehavior: 'stop' | 'terminate'
  readonly monitoring: boolean
  readonly ebsOptimized: boolean
  readonly autoRecovery: 'default' | 'disabled'
  readonly rebootMigration: 'default' | 'disabled' | null
  readonly bandwidthWeighting: 'default' | 'vpc-1' | 'ebs-1' | null
  /** An instance has DNS names of both types, whichever is set. */
  readonly hostnameType: 'ip-name' | 'resource-name'
  readonly resourceNameDnsARecord: boolean
  readonly capacityReservation: 'open' | 'none'
  /** The description of its NIC. */
  readonly nicDescription: string
  /** The placement group that it is a member of until it is terminated. */
  readonly placementGroup: PlacementMembership | null
  /** The instance profile that it gets a role by. */
  readonly profile: ProfileAssociation | null
}

/** The values of options that were not given. */
export const INSTANCE_OPTIONS: InstanceOptions = {
  disableApiTermination: false,
  disableApiStop: false,
  shutdownBehavior: 'stop',
  monitoring: false,
  ebsOptimized: false,
  autoRecovery: 'disabled',
  rebootMigration: null,
  bandwidthWeighting: null,
  hostnameType: 'resource-name',
  resourceNameDnsARecord: true,
  capacityReservation: 'none',
  nicDescription: '',
  placementGroup: null,
  profile: null,
}

/** The given options, and the defaults for the others. An undefined member was not given. */
export function withDefaults(
  given: {
    readonly [Name in keyof InstanceOptions]?: InstanceOptions[Name] | undefined
  },
): InstanceOptions {
  const said = Object.entries(given).filter(([, value]) => value !== undefined)
  return { ...INSTANCE_OPTIONS, ...Object.fromEntries(said) }
}
