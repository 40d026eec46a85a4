/**
 * Permission to speak that the kernel lets run out, whoever lives by then: one timed element of a
 * set, in tables of their own that are never replaced with others.
 *
 * - `arm` puts a new serial number into the set for a time, before anybody is asked. `promote`
 *   says, by a rule, which serial counts. It adds no time: however late it comes, it names
 *   something that has run out. Writing the time that is left would let a process that was stopped
 *   in between speak for that long after waking.
 * - Tables are closed when they are made, also anew, after somebody has flushed the ruleset.
 * - A packet is dropped before defragmentation and connection tracking, so it leaves no trace. What
 *   has passed may wait for its next hop for up to 3 s (the neighbour's queue).
 */
import { hasCode } from '../../lib/errno.ts'
import { type Ipv4, ipv4ToBytes } from '../../model/addr.ts'
import { PERMISSION_TABLE as TABLE } from '../../model/names.ts'
import {
  addElements,
  type Change,
  dropAll,
  emptyChain,
  emptySet,
  type Family,
  returnWhile,
  serialKey,
} from './batch.ts'
import { type BatchSocket, openBatchSocket } from './batch-socket.ts'

/** Whose packets are dropped without permission. */
interface GatedTraffic {
  /** Host ends of links to instances. */
  readonly links: readonly string[]
  /** Floating IPs that this host answers ARP for. */
  readonly addresses: readonly Ipv4[]
}

/** The gate of one network namespace. Errors: the kernel's, as `LibcError`. */
export interface PermissionGate {
  /** Makes the tables where they are missing, closed. Errors: nft's. */
  ensure(): Promise<void>
  /** Lets this serial run out after so long. Errors: `ENOENT` while the tables are missing. */
  arm(serial: number, ms: number): void
  /** From now on this serial counts, as long as it lasts. */
  promote(serial: number): void
  /** Nothing passes until the next promotion. */
  shut(): void
  /** Replaces the traffic that the gate is for. */
  guard(traffic: GatedTraffic): void
  close(): void
}

const FAMILIES: readonly Family[] = ['inet', 'arp']
const ARMED = 'armed'
const CHAIN = 'permitted'
const LINKS = 'links'
const ADDRESSES = 'addresses'
const COUNTER = { inet: 'muted', arp: null } as const
/** IFNAMSIZ of linux/if.h. */
const LINK_NAME_BYTES = 16

/** Fails as a whole if there is such a table: rules would be there twice. */
const INET_TABLE = `create table inet ${TABLE}
table inet ${TABLE} {
  set ${LINKS} { type ifname; }
  set ${ARMED} { typeof numgen inc mod 1; flags timeout; }
  counter ${COUNTER.inet} { }
  chain ${CHAIN} { counter name ${COUNTER.inet} drop; }
  chain from_link {
    type filter hook prerouting priority -500; policy accept;
    iifname @${LINKS} jump ${CHAIN}
  }
  chain to_link {
    type filter hook postrouting priority 500; policy accept;
    oifname @${LINKS} jump ${CHAIN}
  }
}
`
const ARP_TABLE = `create table arp ${TABLE}
table arp ${TABLE} {
  set ${ADDRESSES} { type ipv4_addr; }
  set ${ARMED} { typeof numgen inc mod 1; flags timeout; }
  chain ${CHAIN} { drop; }
  chain output {
    type filter hook output priority -500; policy accept;
    arp saddr ip @${ADDRESSES} jump ${CHAIN}
  }
}
`

/** Opens it in the calling thread's network namespace. `apply` runs nft there. */
export function openPermissionGate(apply: (script: string) => Promise<void>): PermissionGate {
  const socket = openBatchSocket()
  return {
    ensure: async () => {
      const isMissing = (family: Family) => !hasTable(socket, family)
      const script = [
        ...(isMissing('inet') ? [INET_TABLE] : []),
        ...(isMissing('arp') ? [ARP_TABLE] : []),
      ].join('')
      if (script !== '') await apply(script)
    },
    arm: (serial, ms) =>
      socket.commit(
        FAMILIES.map((family) =>
          addElements({ family, table: TABLE, set: ARMED }, [serialKey(serial)], ms),
        ),
      ),
    promote: (serial) => socket.commit(FAMILIES.flatMap((family) => chainOf(family, serial))),
    shut: () => socket.commit(FAMILIES.flatMap((family) => chainOf(family, null))),
    guard: ({ links, addresses }) =>
      socket.commit([
        ...replaceElements('inet', LINKS, links.map(linkKey)),
        ...replaceElements('arp', ADDRESSES, addresses.map(ipv4ToBytes)),
      ]),
    close: () => socket.close(),
  }
}

/** Whether the family has the table. Changes nothing. */
function hasTable(socket: BatchSocket, family: Family): boolean {
  try {
    socket.commit([addElements({ family, table: TABLE, set: ARMED }, [])])
    return true
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false
    throw error
  }
}

/** The rules of the gate, of which the serial is the only one that counts; null: none does. */
function chainOf(family: Family, serial: number | null): readonly Change[] {
  return [
    emptyChain(family, TABLE, CHAIN),
    ...(serial === null ? [] : [returnWhile(family, TABLE, CHAIN, { serial, set: ARMED })]),
    dropAll(family, TABLE, CHAIN, COUNTER[family]),
  ]
}

function replaceElements(
  family: Family,
  set: string,
  keys: readonly Uint8Array[],
): readonly Change[] {
  const at = { family, table: TABLE, set }
  return [emptySet(at), ...(keys.length === 0 ? [] : [addElements(at, keys)])]
}

function linkKey(name: string): Uint8Array {
  const key = Buffer.alloc(LINK_NAME_BYTES)
  key.write(name)
  return key
}
