/**
 * Attributes of an instance that a launch sets and ModifyInstanceAttribute changes. Pure.
 *
 * Some take effect: protection, and the behaviour at shutdown. The others have no effect here. They
 * are stored and shown as given, because a client that sets one expects to see it.
 */

export interface InstanceOptions {
  /** TerminateInstances is refused. */
  readonly disableApiTermination: boolean
  /** StopInstances is refused, and TerminateInstances as well. */
  readonly disableApiStop: boolean
  /** What becomes of it when it powers itself off. */
  readonly shutdownBehavior: 'stop' | 'terminate'
  readonly monitoring: boolean
  readonly ebsOptimized: boolean
  readonly autoRecovery: 'default' | 'disabled'
  readonly rebootMigration: 'default' | 'disabled' | null
  readonly bandwidthWeighting: 'default' | 'vpc-1' | 'ebs-1' | null
  /** An instance answers to names of both types, whichever it is. */
  readonly hostnameType: 'ip-name' | 'resource-name'
  readonly resourceNameDnsARecord: boolean
  readonly capacityReservation: 'open' | 'none'
  /** Of its NIC. */
  readonly nicDescription: string
}

/** What counts where nothing was said. */
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
}

/**
 * The options that were given, and what counts for the others. Members that are undefined were not
 * given.
 */
export function withDefaults(
  given: {
    readonly [Name in keyof InstanceOptions]?: InstanceOptions[Name] | undefined
  },
): InstanceOptions {
  const said = Object.entries(given).filter(([, value]) => value !== undefined)
  return { ...INSTANCE_OPTIONS, ...Object.fromEntries(said) }
}
