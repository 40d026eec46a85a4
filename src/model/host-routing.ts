/**
 * The part of a host's own network that decides which destinations its instances can reach. Pure.
 */
import type { Cidr, Ipv4 } from './addr.ts'

/** A default route of any routing table, whoever created it. */
interface DefaultRoute {
  readonly link: string
  /** Null for a route without a gateway, such as a tunnel's. */
  readonly gateway: Ipv4 | null
}

/** Read from the kernel in each pass, because routes and links change. */
export interface HostRouting {
  readonly defaultRoutes: readonly DefaultRoute[]
  /** Networks that are directly connected to links other than ours. */
  readonly connected: readonly Cidr[]
  /** Addresses that the host itself has. */
  readonly addresses: readonly Ipv4[]
  /** Bridges of a Docker Engine. Docker's rules forward packets for its containers. */
  readonly engineBridges: readonly string[]
  /** Whether IP forwarding was already on when Atoll enabled it. */
  readonly forwardedBefore: boolean
}
