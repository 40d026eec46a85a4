/** Flows: connections as the packet filter sees them. Pure. */
import type { Ipv4 } from './addr.ts'
import type { Count } from './counters.ts'

/** The first packet of a connection, before any address translation. */
export interface Flow {
  readonly source: Ipv4
  readonly destination: Ipv4
  /**
   * IANA's protocol number (https://www.iana.org/assignments/protocol-numbers). -1: all protocols.
   */
  readonly protocol: number
  /** TCP, UDP: the destination port. ICMP: the type, or -1 for all. Otherwise 0. */
  readonly port: number
  /** ICMP: the code. Otherwise 0. */
  readonly code: number
}

/** What a tracked connection has carried. */
export interface FlowTraffic extends TrackedFlow {
  /** The same as long as the kernel tracks it. */
  readonly id: string
  readonly sourcePort: number
  readonly sent: Count
  readonly answered: Count
}

/** A connection that the kernel tracks. */
export interface TrackedFlow extends Flow {
  /** Who answers: the destination after translation. */
  readonly answerFrom: Ipv4
  /** Whom the answers go to: the source after translation. */
  readonly answerTo: Ipv4
}
