/**
 * Announces a host in the records, and finds out when another machine has its name.
 *
 * That happens when a disk is copied, with the host's name, identity and keys; when a name is given
 * to two hosts; or when a disk is reset to a snapshot. The machine that runs under the name stays
 * undisturbed. The other one does nothing, and does not answer on the bus, where it would get the
 * questions for the first.
 */
import type { Clock } from '../lib/clock.ts'
import type { HostName } from '../model/ids.ts'
import type { Host } from '../model/records.ts'
import type { HostAnnouncement } from '../store/records/host.ts'
import type { ReadTx, Store } from '../store/store.ts'

/**
 * How another machine conflicts with this one.
 *
 * - `name`: a machine with another identity has the name.
 * - `twin`: a machine with the same identity is running.
 * - `older`: a machine with the same identity has run after this state directory was written.
 * - `renamed`: this machine's identity belongs to another host row, which is live or has instances.
 * - `moved`: the disk is in another machine than before.
 */
export type DuplicateKind = 'name' | 'twin' | 'older' | 'renamed' | 'moved'

/**
 * The outcome of an announcement. `unsure`: a lease of this identity has not run out; it may be
 * this machine's own, from before a restart.
 */
export type Announced =
  | { readonly outcome: 'done' | 'unsure' }
  | {
      readonly outcome: 'duplicate'
      readonly kind: DuplicateKind
      readonly by: HostName
      readonly live: boolean
    }

/** A lease that is live this long after it should have run out is renewed by another machine. */
const SURE_MS = 1_500

/** A function that announces a host. Call it until the outcome is certain. Errors: the store's. */
export function createAnnouncer(
  { store, clock }: { readonly store: Store; readonly clock: Pick<Clock, 'monotonic'> },
  leaseMs: number,
) {
  let liveSinceMs: number | null = null

  /** Whether another machine renews the lease; null if that is not certain yet. */
  function isRenewed(live: boolean): boolean | null {
    if (!live) liveSinceMs = null
    else liveSinceMs ??= clock.monotonic()
    if (liveSinceMs === null) return false
    return clock.monotonic() - liveSinceMs > leaseMs + SURE_MS ? true : null
  }

  return async (host: HostAnnouncement): Promise<Announced> => {
    // The host's row decides, and to announce a host twice is the same as once. As a `change`, most
    // of a thousand hosts that make their rows at once would be run again, for the gaps between
    // rows that the others have locked (`docs/measured.md`).
    const { outcome, other, holder } = await store.claim(async (tx) => {
      // Read before: a lease that runs out after the refusal was the reason for it.
      const hosts = await tx.hosts(host.run === undefined ? [host.name] : undefined)
      const holder = hosts.find(({ name }) => name === host.name)
      const other = host.run === undefined ? null : await formerHost(tx, hosts, host)
      if (other !== null) return { outcome: 'taken', other, holder }
      return { outcome: await tx.upsertHost(host, leaseMs), other: null, holder }
    })
    if (outcome === 'done') return { outcome: 'done' }
    if (other !== null) {
      const renewed = isRenewed(other.live)
      if (renewed === null) return { outcome: 'unsure' }
      return { outcome: 'duplicate', kind: 'renamed', by: other.name, live: renewed }
    }
    const live = holder?.live === true
    const duplicate = { outcome: 'duplicate', by: host.name, live } as const
    if (holder?.identity !== host.identity) return { ...duplicate, kind: 'name' }
    const renewed = isRenewed(live)
    if (renewed === null) return { outcome: 'unsure' }
    return { ...duplicate, kind: renewed ? 'twin' : 'older' }
  }
}

/** The host row of this machine's earlier name, if it is live or has instances. */
async function formerHost(
  tx: ReadTx,
  hosts: readonly Host[],
  { name, identity }: HostAnnouncement,
): Promise<Host | null> {
  const others = hosts.filter((one) => one.identity === identity && one.name !== name)
  for (const one of others) {
    const instances = await tx.instances({ hosts: [one.name], live: true })
    if (one.live || instances.length > 0) return one
  }
  return null
}

/** The message for the operator, with the fix. `file` is that of `RunHistory`. */
export function duplicateMessage(
  kind: DuplicateKind,
  by: HostName,
  places: { readonly stateDir: string; readonly file: string },
): string {
  const { stateDir, file } = places
  const copy = `If this machine is a copy: set another host.name and fabric.address, remove ${stateDir}, and start atolld again.`
  const itself = `remove ${file}, and start atolld again`
  switch (kind) {
    case 'name':
      return `another machine runs as host "${by}": set another host.name here, or run atoll forget ${by} if the other is gone`
    case 'twin':
      return `another machine runs as host "${by}" with the identity of this one: a disk was copied. ${copy} If it is the original: stop the copy, ${itself} here.`
    case 'older':
      return `host "${by}" has run since the state in ${stateDir} was written: this machine is a copy of it, or was reset to a snapshot or a backup. ${copy} If it is host "${by}" itself: ${itself}.`
    case 'renamed':
      return `this machine has the identity of host "${by}", which is live or has instances: host.name was changed, or a disk was copied. If this is host "${by}": set host.name back, or terminate its instances and run atoll forget ${by}. ${copy}`
    case 'moved':
      return `the state in ${stateDir} was written on another machine: its disk was moved or copied. ${copy} If the disk was moved, and the other machine is gone: ${itself}.`
  }
}
