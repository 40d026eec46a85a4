/**
 * Finds what disturbs instances from outside: firewall rules of others that drop packets they need,
 * and other machines that use our addresses. Either may appear at any time. It changes nothing.
 * `/healthz` and the log report what it finds.
 *
 * Its checks run beside the passes. No pass waits for them.
 */
import type { Host } from '../host/host.ts'
import type { Clock } from '../lib/clock.ts'
import { createIntervalCheck } from '../lib/throttle.ts'
import type { Finding } from '../model/foreign-rules.ts'
import type { HostWant } from '../model/want.ts'
import type { HostService, Pass } from './service.ts'

/** Shortest time between two checks of rules. A check starts several programs. */
const RULES_MS = 5_000
/** The same for iptables-legacy. The kernel does not announce its changes. */
const LEGACY_MS = 60_000
/** Time between two ARP probes for our addresses. */
const ADDRESSES_MS = 60_000

/** The findings of the last checks. Empty before the first. */
export interface Interference {
  readonly firewalls: readonly Finding[]
  readonly addresses: readonly Finding[]
}

/** The service, and its last findings. */
export interface InterferenceWatch extends HostService {
  found(): Interference
}

/** The checks. Each ends when its signal aborts. */
export interface InterferenceReaders {
  /** Rules of others that drop packets of instances. */
  firewalls(signal: AbortSignal, want: HostWant): Promise<readonly Finding[]>
  /** Other machines that use our addresses. */
  addresses(signal: AbortSignal, want: HostWant): Promise<readonly Finding[]>
  /** Whether iptables-legacy has rules. */
  hasLegacyRules(): boolean
  /** Whether a table, such as `inet filter`, belongs to somebody else. */
  isForeignTable(table: string): boolean
}

/** `host` reports changes of rules. */
export function createInterferenceWatch(options: {
  readonly host: Pick<Host, 'rulesGeneration' | 'rulesChanged'>
  readonly read: InterferenceReaders
  readonly clock: Pick<Clock, 'monotonic'>
}): InterferenceWatch {
  const { host, read, clock } = options
  const rulesChanged = createRulesTurn(host, read, clock)
  const isTime = createIntervalCheck(clock, ADDRESSES_MS)
  const kinds = [
    { name: 'firewalls', isDue: rulesChanged, look: read.firewalls },
    { name: 'addresses', isDue: async () => isTime(), look: read.addresses },
  ] as const
  const found: { -readonly [kind in keyof Interference]: Interference[kind] } = {
    firewalls: [],
    addresses: [],
  }
  const ended = new AbortController()
  const looking = new Map<keyof Interference, Promise<void>>()

  async function look(
    kind: (typeof kinds)[number],
    { log, want }: Pick<Pass, 'log' | 'want'>,
  ): Promise<void> {
    if (!(await kind.isDue(want))) return
    const before = new Set(found[kind.name].map(({ what }) => what))
    found[kind.name] = await kind.look(ended.signal, want)
    for (const { what, fix } of found[kind.name])
      if (!before.has(what))
        log.error({ what, fix }, 'another firewall or machine disturbs instances')
  }

  return {
    name: 'interference',
    gate: false,
    watchesKernel: 'machine',
    found: () => found,
    async apply(pass) {
      for (const kind of kinds) {
        if (looking.has(kind.name)) continue
        const looks = look(kind, pass)
          .catch((error: unknown) =>
            pass.log.debug({ error }, 'could not check for other firewalls and machines'),
          )
          .finally(() => looking.delete(kind.name))
        looking.set(kind.name, looks)
      }
      return []
    },
    close: async () => {
      ended.abort()
      await Promise.all(looking.values())
    },
  }
}

/**
 * Returns a function that says whether rules of others may have changed since it last returned
 * true, or the first VPC with a namespace has come.
 */
function createRulesTurn(
  host: Pick<Host, 'rulesGeneration' | 'rulesChanged'>,
  read: Pick<InterferenceReaders, 'hasLegacyRules' | 'isForeignTable'>,
  clock: Pick<Clock, 'monotonic'>,
): (want: HostWant) => Promise<boolean> {
  const isTime = createIntervalCheck(clock, RULES_MS)
  const isLegacyTime = createIntervalCheck(clock, LEGACY_MS)
  let seen: number | null = null
  let hadLegacy = false
  let hadVpcs = false
  return async ({ transits = [] }) => {
    if (!isTime()) return false
    const hasVpcs = transits.length > 0
    const isFirstVpc = hasVpcs && !hadVpcs
    hadVpcs = hasVpcs
    const now = await host.rulesGeneration()
    const changed = seen === null ? null : await host.rulesChanged(seen, now)
    const hasLegacy = read.hasLegacyRules()
    const isLegacyDue = hasLegacy !== hadLegacy || (hasLegacy && isLegacyTime())
    seen = now
    hadLegacy = hasLegacy
    const haveChanged = changed === null || [...changed].some(read.isForeignTable)
    return haveChanged || isLegacyDue || isFirstVpc
  }
}
