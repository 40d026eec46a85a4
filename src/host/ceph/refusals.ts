/**
 * What a Ceph cluster refuses: its blocklist (ceph(8), "osd blocklist").
 *
 * - An address without a port hits all clients on it, present and future ones: a lost host.
 *   Monitors and OSDs there are not touched.
 * - One with a port and a number hits one process: a user of an image, wherever it came from.
 *
 * An OSD that has not heard of an entry yet hears of it from whoever has, with the first request
 * that comes after it, and before that it serves it. So when an entry is made before an image is
 * opened, no later write of the refused one is mixed with the new ones.
 */
import type { Clock } from '../../lib/clock.ts'
import { unavailable } from '../../model/errors.ts'
import { fenceText, type HostFence, type StorageFence } from '../../model/storage.ts'
import { parseLockers, parseWatchers } from './answers.ts'
import { type CephCommands, expectDone } from './commands.ts'

export interface CephRefusals {
  /** See `CephPool.refuseLost`. */
  refuseLost(storage: string, isNeeded: boolean): Promise<void>
  /** See `CephPool.refuseUsers`. `image`: with its pool. */
  refuseUsers(image: string): Promise<void>
  /** See `CephPool.unfence`. */
  unfence(fence: StorageFence): Promise<void>
}

/** What the records say of other hosts. */
export interface CephFences {
  /** Those that are to be refused, as the records have it now. Errors: the store's. */
  list(): Promise<readonly HostFence[]>
  /**
   * Writes that this one is refused, although it has ended that: so it ends it again. Errors: the
   * store's.
   */
  restore(fence: HostFence): Promise<void>
}

/**
 * A year. If an entry ran out before its process has ended, one that had stood still since could
 * write again, without any error. librbd makes an entry for an hour of whoever has the lock that it
 * takes, and leaves ours alone, which is there before. (With a time of its own,
 * `rbd_blocklist_expire_seconds`, librbd 16.2 cannot take a lock at all.)
 */
const BLOCKLIST_SECONDS = 31_536_000
/** After this long a refusal is made again: for another year, or somebody has removed it. */
const AGAIN_MS = 24 * 3_600_000

interface Refusal {
  readonly atMs: number
  readonly done: Promise<void>
}

/** `address`: of this host, if known. */
export function createCephRefusals(
  commands: CephCommands,
  {
    fences,
    address,
    clock,
  }: {
    readonly fences: CephFences
    readonly address: () => string | null
    readonly clock: Clock
  },
): CephRefusals {
  /** Those that are made or being made, by their texts. */
  const refusals = new Map<string, Refusal>()

  async function blocklist(args: readonly string[]): Promise<void> {
    const result = await commands.tell('ceph', ['osd', 'blocklist', ...args])
    expectDone(result, `ceph osd blocklist ${args.join(' ')}`)
  }
  const add = (client: string) => blocklist(['add', client, String(BLOCKLIST_SECONDS)])

  async function refuse(one: HostFence): Promise<void> {
    const { address: lost, storage } = one.fence
    if (lost === address())
      throw unavailable(`the lost host ${one.host} had the address ${lost}, which is this host's`)
    await add(wholeHost(lost))
    const now = (await fences.list()).find(({ host }) => host === one.host)?.fence
    if (now?.address === lost && now.storage === storage) return
    // It has ended that meanwhile, and what it runs there now is hit. It has to begin anew.
    await fences.restore(one)
    throw unavailable(`the host ${one.host} with the address ${lost} is back`)
  }

  /** Each takeover has another id, so one that the host has ended meanwhile is made again. */
  async function refuseOnce(one: HostFence): Promise<void> {
    const key = `${one.host} ${fenceText(one.fence)}`
    const nowMs = clock.monotonic()
    const before = refusals.get(key)
    const isNew = before === undefined || nowMs - before.atMs >= AGAIN_MS
    const refusal = isNew ? { atMs: nowMs, done: refuse(one) } : before
    refusals.set(key, refusal)
    await refusal.done.catch((error: unknown) => {
      if (refusals.get(key) === refusal) refusals.delete(key)
      throw error
    })
  }

  return {
    async refuseLost(storage, isNeeded) {
      const lost = await fences.list().catch((error: unknown) => {
        if (isNeeded) throw error
        return []
      })
      for (const one of lost) if (one.fence.storage === storage) await refuseOnce(one)
    },
    async refuseUsers(image) {
      // At once, as below: an instance of a lost host waits for it.
      const [watching, holding] = await Promise.all([
        commands.tell('rbd', ['status', image, '--format', 'json']),
        commands.tell('rbd', ['lock', 'ls', image, '--format', 'json']),
      ])
      expectDone(watching, image)
      expectDone(holding, image)
      const users = [parseWatchers(watching.stdout), parseLockers(holding.stdout)]
      const found = users.flatMap((some) => {
        if (some === undefined) throw unavailable(`${image}: who uses it is not understood`)
        return some
      })
      const own = address()
      // One on this host was ended before, or is about to remove it.
      const others = found.filter((one) => one.address !== own).map(({ client }) => client)
      await Promise.all([...new Set(others)].map(add))
    },
    unfence: (fence) => blocklist(['rm', wholeHost(fence.address)]),
  }
}

/** All clients there, now and later: port 0, and 0 in place of a process's number. */
function wholeHost(address: string): string {
  return address.includes(':') ? `[${address}]:0/0` : `${address}:0/0`
}
