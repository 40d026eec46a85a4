/**
 * Two machines under one name: which of them this one is, and what its operator is told.
 *
 * Disks are copied, and so are a host's name, identity and keys; hosts are given a name twice;
 * disks are set back to a snapshot. Whoever lives under the name stays undisturbed. The other does
 * nothing, and does not answer on the bus either, where both would be asked.
 */
import type { Clock } from '../lib/clock.ts'
import type { HostName } from '../model/ids.ts'
import type { Host } from '../model/records.ts'
import type { HostAnnouncement } from '../store/records/host.ts'
import type { Store } from '../store/store.ts'

/**
 * `name`: a machine with an identity of its own has the name. `twin`: one with this machine's
 * identity lives. `older`: one with this identity has lived since this one did. `renamed`: this
 * machine is another host of the records, which lives or has instances. `moved`: the disk is in
 * another machine than before.
 */
export type Rival = 'name' | 'twin' | 'older' | 'renamed' | 'moved'

/**
 * What came of an announcement; `unsure`: a lease of this identity has not run out, which may be
 * this machine's own of before.
 */
export type Announced =
  | { readonly outcome: 'done' | 'unsure' }
  | {
      readonly outcome: 'rival'
      readonly kind: Rival
      readonly by: HostName
      readonly live: boolean
    }

/** A lease that is still there so long after it should have run out is renewed by somebody. */
const SURE_MS = 1_500

/** Announces a host, again and again. Errors: the store's. */
export function createAnnouncer(
  { store, clock }: { readonly store: Store; readonly clock: Pick<Clock, 'monotonic'> },
  leaseMs: number,
) {
  let liveSinceMs: number | null = null

  /** Whether a lease that is live is kept so by somebody. */
  function isRenewed(live: boolean): boolean | null {
    if (!live) liveSinceMs = null
    else liveSinceMs ??= clock.monotonic()
    if (liveSinceMs === null) return false
    return clock.monotonic() - liveSinceMs > leaseMs + SURE_MS ? true : null
  }

  return async (host: HostAnnouncement): Promise<Announced> => {
    const { outcome, other, holder } = await store.transaction(
      async (tx) => {
        const other = host.lives === undefined ? null : await formerSelf(tx, host)
        if (other !== null) return { outcome: 'taken', other, holder: undefined }
        const outcome = await tx.upsertHost(host, leaseMs)
        const holder =
          outcome === 'done' ? undefined : (await tx.hosts()).find(({ name }) => name === host.name)
        return { outcome, other: null, holder }
      },
      // The host's row decides. Of a thousand hosts that make their rows at once, most would be run
      // again for the gaps between rows that the others have locked (`docs/measured.md`).
      { reads: 'propose' },
    )
    if (outcome === 'done') return { outcome: 'done' }
    if (other !== null) {
      const renewed = isRenewed(other.live)
      if (renewed === null) return { outcome: 'unsure' }
      return { outcome: 'rival', kind: 'renamed', by: other.name, live: renewed }
    }
    const live = holder?.live === true
    const rival = { outcome: 'rival', by: host.name, live } as const
    if (holder?.identity !== host.identity) return { ...rival, kind: 'name' }
    const renewed = isRenewed(live)
    if (renewed === null) return { outcome: 'unsure' }
    return { ...rival, kind: renewed ? 'twin' : 'older' }
  }
}

/** The host that this machine was under another name, if that one lives or has instances. */
async function formerSelf(
  tx: Parameters<Parameters<Store['transaction']>[0]>[0],
  { name, identity }: HostAnnouncement,
): Promise<Host | null> {
  const others = (await tx.hosts()).filter((one) => one.identity === identity && one.name !== name)
  for (const one of others) {
    const instances = await tx.instances({ hosts: [one.name] })
    if (one.live || instances.some(({ state }) => state !== 'terminated')) return one
  }
  return null
}

/** What an operator is told, with what to do. `file` is that of `Lives`. */
export function rivalMessage(
  kind: Rival,
  by: HostName,
  places: { readonly stateDir: string; readonly file: string },
): string {
  const { stateDir, file } = places
  const copy = `If this machine is a copy: give it another host.name and fabric.address, remove ${stateDir} on it, and start atolld again.`
  const itself = `remove ${file}, and start atolld again`
  switch (kind) {
    case 'name':
      return `another machine lives as host "${by}": give this one another host.name, or forget the other (atoll forget ${by}) when it is gone`
    case 'twin':
      return `another machine lives as host "${by}" with the identity of this one: a disk was copied. ${copy} If it is the original: stop the copy, ${itself} here.`
    case 'older':
      return `host "${by}" has lived since the state in ${stateDir} was written: this machine is a copy of it, or was set back to a snapshot or a backup. ${copy} If it is host "${by}" itself: ${itself}.`
    case 'renamed':
      return `this machine has the identity of host "${by}", which lives or has instances: host.name was changed, or a disk was copied. If this is host "${by}": set host.name back, or end its instances and forget it (atoll forget ${by}). ${copy}`
    case 'moved':
      return `the state in ${stateDir} was written on another machine: its disk was moved or copied. ${copy} If the disk was moved, and the other machine is gone: ${itself}.`
  }
}
