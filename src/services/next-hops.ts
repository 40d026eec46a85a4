/**
 * Tells the routers of a routed network on which host each floating IP is, by a program of the
 * operator's (`network.nextHopHook`).
 *
 * The program is started with `add` or `remove`, the floating IP and this host's address. It runs
 * beside the passes, one call after the other. A call that fails or takes too long is repeated;
 * what it started is ended with it. A file says which addresses were announced, so that a daemon
 * which starts after a crash withdraws what has left meanwhile. What is there is announced anew:
 * the routers may have forgotten it.
 */
import { z } from 'zod'
import type { Clock } from '../lib/clock.ts'
import { readRecord, writeRecord } from '../lib/files.ts'
import type { Log } from '../lib/log.ts'
import { pauseMs } from '../lib/retry.ts'
import { failureOf, type Runner } from '../lib/runner.ts'
import { type Ipv4, parseIpv4 } from '../model/addr.ts'
import { messageOf } from '../model/errors.ts'

const TIMEOUT_MS = 10_000
/** A program that says more is ended. */
const OUTPUT_MAX_BYTES = 1024 * 1024
/** So much of what a program says is put into the log. */
const REASON_MAX_CHARACTERS = 400
const BACKOFF = { firstMs: 1_000, lastMs: 60_000 }

/** The program, and what it is called with. */
export interface NextHopHook {
  readonly program: string
  /** The address at which routers reach this host; null while it has none. */
  readonly hostAddress: () => Promise<Ipv4 | null>
  /** Where the announced addresses are kept. */
  readonly file: string
  readonly run: Runner
}

/** Tells the routers. Rejects when the program fails, and says why in one line. */
async function callHook(
  hook: NextHopHook,
  action: 'add' | 'remove',
  address: Ipv4,
  signal: AbortSignal,
): Promise<Ipv4> {
  const host = await hook.hostAddress()
  if (host === null) throw new Error('this host has no address for others')
  const result = await hook.run(hook.program, [action, address, host], {
    ...{ timeoutMs: TIMEOUT_MS, outputLimitBytes: OUTPUT_MAX_BYTES, group: true, signal },
  })
  if (result.exitCode === 0) return host
  throw new Error(failureOf(result).slice(0, REASON_MAX_CHARACTERS))
}

/**
 * Withdraws what was announced, for a machine whose instances have ended. It gives up after a call
 * that fails: a program that hangs would do so for each address. Returns a line for each address.
 */
export async function withdrawNextHops(hook: NextHopHook): Promise<readonly string[]> {
  const announced = createAnnounced(hook.file)
  const lines: string[] = []
  let reason: string | null = null
  for (const address of await announced.list()) {
    if (reason === null)
      try {
        await callHook(hook, 'remove', address, new AbortController().signal)
        await announced.remove(address)
      } catch (error) {
        reason = messageOf(error)
      }
    lines.push(
      reason === null
        ? `next hop of ${address}`
        : `not removed: the next hop of ${address}, by ${hook.program}: ${reason}`,
    )
  }
  return lines
}

/** What `createNextHops` returns. */
export interface NextHops {
  /** These are here, and no others. Does not wait for the program. */
  announce(addresses: ReadonlySet<Ipv4>): void
  /** Of which addresses the routers could not be told, and why, in a sentence; empty: none. */
  failing(): readonly string[]
  /** Ends a call that runs, and starts no more. What was announced stays announced. */
  close(): Promise<void>
}

/** Announces nothing yet. */
export function createNextHops(
  hook: NextHopHook,
  { clock, log }: { readonly clock: Pick<Clock, 'sleep'>; readonly log: Log },
): NextHops {
  const ended = new AbortController()
  const announced = createAnnounced(hook.file)
  /** Announced by this process. */
  const confirmed = new Set<Ipv4>()
  /** Why the last call failed, by address. */
  const failed = new Map<Ipv4, string>()
  let wanted: ReadonlySet<Ipv4> = new Set()
  let working: Promise<void> | null = null
  let hasNews = false

  /** Whether the routers were told. */
  const call = async (action: 'add' | 'remove', address: Ipv4): Promise<boolean> => {
    try {
      const host = await callHook(hook, action, address, ended.signal)
      log.info({ action, address, host }, 'next hop announced')
      failed.delete(address)
      return true
    } catch (error) {
      const reason = messageOf(error)
      failed.set(address, reason)
      if (!ended.signal.aborted)
        log.error(
          { program: hook.program, action, address, reason },
          'the program for next hops failed; it is called again',
        )
      return false
    }
  }
  /** Returns how many calls failed. */
  const round = async (): Promise<number> => {
    let failures = 0
    const isEnded = () => ended.signal.aborted
    for (const address of await announced.list()) {
      if (isEnded() || wanted.has(address)) continue
      if (await call('remove', address)) {
        confirmed.delete(address)
        await announced.remove(address)
      } else failures += 1
    }
    for (const address of wanted) {
      if (isEnded() || confirmed.has(address) || !wanted.has(address)) continue
      // First written down: a call that is cut off may have announced it.
      await announced.add(address)
      if (await call('add', address)) confirmed.add(address)
      else failures += 1
    }
    return failures
  }
  const work = async () => {
    for (let rounds = 0; !ended.signal.aborted; ) {
      hasNews = false
      const failures = await round()
      if (failures === 0 && !hasNews) return
      rounds = failures === 0 ? 0 : rounds + 1
      if (rounds > 0) await clock.sleep(pauseMs(BACKOFF, rounds), ended.signal)
    }
  }
  const start = () => {
    hasNews = true
    working ??= work()
      .catch((error: unknown) => {
        if (!ended.signal.aborted) log.error({ error }, 'next hops cannot be announced')
      })
      .finally(() => {
        working = null
      })
  }
  return {
    announce(addresses) {
      const isSame =
        addresses.size === wanted.size && [...addresses].every((one) => wanted.has(one))
      wanted = addresses
      const isDone = [...addresses].every((one) => confirmed.has(one))
      if (!isSame || !isDone || !announced.isKnown()) start()
    },
    failing() {
      const [reason] = failed.values()
      if (reason === undefined) return []
      const addresses = [...failed.keys()].join(', ')
      return [`${hook.program} (network.nextHopHook) fails for ${addresses}: ${reason}`]
    },
    async close() {
      ended.abort()
      await working
    },
  }
}

/** The file of announced addresses. */
function createAnnounced(file: string) {
  const schema = z.array(z.string())
  let known: Set<Ipv4> | null = null
  const list = async (): Promise<Set<Ipv4>> => {
    const texts = known === null ? ((await readRecord(file, schema)) ?? []) : []
    known ??= new Set(texts.flatMap((text) => parseIpv4(text) ?? []))
    return known
  }
  const change = async (act: (addresses: Set<Ipv4>) => boolean) => {
    const addresses = await list()
    if (act(addresses)) await writeRecord(file, [...addresses].toSorted())
  }
  return {
    isKnown: () => known !== null,
    list: async () => [...(await list())],
    add: (address: Ipv4) => change((all) => !all.has(address) && all.add(address).has(address)),
    remove: (address: Ipv4) => change((all) => all.delete(address)),
  }
}
