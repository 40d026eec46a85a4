/** Sockets of services that another process serves: where they are, and who opens them. */
import type { Ipv4 } from '../../model/addr.ts'

/** Where a socket of a service is, in a network namespace. */
export type SocketPlace =
  | { readonly kind: 'udp' | 'tcp'; readonly address: Ipv4; readonly port: number }
  /** Bound to one link, of this name and index. */
  | {
      readonly kind: 'link'
      readonly link: string
      readonly index: number
      readonly port: number
    }

/** Sockets of services that another process serves, in one network namespace. */
export interface ServiceDescriptors {
  /** The inode of the namespace. */
  readonly namespace: number
  /** A bound descriptor; one of TCP listens. The caller closes it. Errors: the kernel's own. */
  open(place: SocketPlace): number
}
