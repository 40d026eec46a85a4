/** What of a host's own network decides which destinations its instances may reach. Pure. */
import type { Cidr, Ipv4 } from './addr.ts'

/** A default route, of any routing table and whoever made it. */
interface DefaultRoute {
  readonly link: string
  /** Null for a route without one, such as a tunnel's. */
  readonly gateway: Ipv4 | null
}

/** Read from the kernel in each pass, because routes and links come and go. */
export interface HostRouting {
  readonly defaultRoutes: readonly DefaultRoute[]
  /** Networks that are directly connected to links which are not ours. */
  readonly connected: readonly Cidr[]
  /** Bridges of a Docker Engine. Docker's own rules forward for its containers. */
  readonly engineBridges: readonly string[]
  /** Whether IP forwarding was on before Atoll switched it on. */
  readonly forwardedBefore: boolean
}
