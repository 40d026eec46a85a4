/** What else there is on a host's network: as far as it decides where instances may go. Pure. */
import type { Cidr, Ipv4 } from './addr.ts'

/** A way out: a default route of any table, whoever made it. */
interface WayOut {
  readonly link: string
  /** Null: the whole world is behind the link itself, as with a tunnel. */
  readonly gateway: Ipv4 | null
}

/** Read from the kernel with each pass, because routes and links come and go. */
export interface Surroundings {
  readonly ways: readonly WayOut[]
  /** Networks that are directly on a link which is not ours. */
  readonly connected: readonly Cidr[]
  /** Bridges of a Docker Engine, which forwards for its containers by rules of its own. */
  readonly engineBridges: readonly string[]
  /** Whether the host was a router before Atoll made it one. */
  readonly forwardedBefore: boolean
}
