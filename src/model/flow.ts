/** Flows: connections as what filters them sees them. Pure. */
import type { Ipv4 } from './addr.ts'

/** The first packet of a connection, before any address in it was translated. */
export interface Flow {
  readonly source: Ipv4
  readonly destination: Ipv4
  /** IANA's number (https://www.iana.org/assignments/protocol-numbers); -1: all of them. */
  readonly protocol: number
  /** TCP, UDP: the destination's port. ICMP: the type; -1: all of them. Else 0. */
  readonly port: number
  /** ICMP: the code. Else 0. */
  readonly code: number
}
