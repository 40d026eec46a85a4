/** Which routes of subnets lead to instances that are routers. Pure. */
import type { Cidr, Ipv4 } from './addr.ts'

/** What the kernel of a host must know of them, in one network namespace. */
export interface RouterRoutes {
  /** Subnets that have such routes, with all their routes. */
  readonly subnets: readonly {
    readonly cidr: Cidr
    readonly routes: readonly {
      readonly destination: Cidr
      /**
       * By which link, to which next hop; without a link: by that which leads to the next hop.
       * Null: as without such routes.
       */
      readonly to: { readonly link: string | null; readonly via: Ipv4 } | null
    }[]
  }[]
  /** Links of routers here. What they forward goes by the routes of their own subnet. */
  readonly routers: readonly { readonly link: string; readonly subnet: Cidr }[]
}
