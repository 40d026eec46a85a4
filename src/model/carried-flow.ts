/** Connections that go on when an instance moves to another host while it runs. */
import type { Flow } from './flow.ts'

/** One that is answered and not translated, as its first packet was. TCP or UDP. */
export interface CarriedFlow extends Pick<Flow, 'source' | 'destination' | 'protocol'> {
  readonly sourcePort: number
  readonly destinationPort: number
  /** TCP: the kernel's number of its state, one of `TCP_STATES`. Otherwise 0. */
  readonly state: number
  /** How long the kernel keeps it without another packet. */
  readonly seconds: number
  /** Whether it is kept when the kernel's table is full. */
  readonly isAssured: boolean
}

/**
 * From TCP_CONNTRACK_SYN_RECV to TCP_CONNTRACK_TIME_WAIT (linux/netfilter/nf_conntrack_tcp.h).
 * Before, its SYN comes again; afterwards it is closed.
 */
export const TCP_STATES: readonly number[] = [2, 3, 4, 5, 6, 7]
/** The kernel's default for an established TCP connection. */
export const MOST_SECONDS = 432_000
/** Of one instance. Those go on that would last longest. */
export const MOST_FLOWS = 4_096
