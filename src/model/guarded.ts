/** What a host stops when it may not run it any more. */
import type { Ipv4 } from './addr.ts'
import type { InstanceId } from './ids.ts'

/**
 * An instance that others may start again, by all that is known of it before it starts. A process
 * is its own if its control group or its user says so, so no process id can be missing or belong to
 * somebody else.
 */
export interface Guarded {
  readonly instance: InstanceId
  /** Ids of containers: 64 hexadecimal digits, a part of the name of their control groups. */
  readonly containers: readonly string[]
  /** The user that its virtual machine runs as, and nothing else. Null: it is a container. */
  readonly user: number | null
  /** Host ends of its NICs' links, and the number of the VPC; null: the machine's own namespace. */
  readonly links: readonly { readonly name: string; readonly network: number | null }[]
  /** Its floating IPs, which this host answers ARP for. */
  readonly addresses: readonly Ipv4[]
}
