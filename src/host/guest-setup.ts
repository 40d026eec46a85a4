/** What the host does with a NIC of a guest that runs. Types only. */
import type { Ipv4 } from '../model/addr.ts'

/** How the host configures a NIC inside the guest's namespace. */
export interface GuestSetup {
  /** Name inside, e.g. `eth0`. */
  readonly name: string
  /** Null for a guest that uses DHCP. */
  readonly address: {
    readonly ip: Ipv4
    readonly prefix: number
    /** Null for a NIC without the default route. */
    readonly gateway: Ipv4 | null
    /** Further addresses. Others that lie in the same network are removed. */
    readonly secondaryIps?: readonly Ipv4[]
    /**
     * The table and the gateway by which everything is routed that is sent from these addresses.
     * Null: the main table. A NIC beside the first one needs this: what it sends would else leave
     * by another, and be dropped there because of its source address.
     */
    readonly own?: { readonly table: number; readonly gateway: Ipv4 } | null
  } | null
  /**
   * The guest sets its own address. Only a NIC that is down gets it from the host, as it has just
   * been moved in or nobody has set it up since: a client that runs may not ask before its lease
   * ends, or never again. What it got so stays the host's to keep. Absent: it is always set.
   */
  readonly unlessUp?: boolean
}

/** A guest that the host has given a NIC. */
export interface GuestPlace {
  readonly pid: number
  /** Its network namespace, by inode. The process id alone may be another one's by now. */
  readonly namespace: number
}

/** A process with a descriptor of a tap. */
export interface TapHolder {
  readonly pid: number
  /** The number in that process. */
  readonly fd: number
}
