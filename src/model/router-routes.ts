/** Which routes of subnets lead to instances that are routers, and to peered VPCs. Pure. */
import type { Cidr, Ipv4 } from './addr.ts'

/** The routes of one subnet that a routing table of its own has. */
export interface SubnetRoutes {
  readonly cidr: Cidr
  readonly routes: readonly {
    readonly destination: Cidr
    /**
     * By which link, to which next hop; without a link: by that which leads to the next hop. Null:
     * as without such routes.
     */
    readonly to: { readonly link: string | null; readonly via: Ipv4 } | null
  }[]
}

/** What the kernel of a host must know of them, in one network namespace. */
export interface RouterRoutes {
  /** Subnets that have routes to routers, with all their routes. */
  readonly subnets: readonly SubnetRoutes[]
  /** Links of routers here. What they forward goes by the routes of their own subnet. */
  readonly routers: readonly { readonly link: string; readonly subnet: Cidr }[]
  /** Subnets of the machine's own namespace that have routes to peers, with what is in there. */
  readonly toPeers: readonly SubnetRoutes[]
}
