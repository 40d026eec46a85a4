/**
 * The firewall, NAT and anti-spoofing of this host's instances.
 *
 * - Its part of want: every NIC of `local.instances`; `shared.groups`, `subnets` and `vpcs`. The
 *   host's default routes are read in each pass. The pure function is `plan/ruleset.ts`.
 * - A fresh daemon recognises nothing. It replaces the tables named `atoll`, those of an older
 *   version, too, in one transaction. The same transaction refills the guard (`plan/guard.ts`).
 * - If we die on any line here, the kernel has either the old rules or the new ones. Both accept
 *   established connections, and drop everything from a link that they do not name.
 * - It is a gate: no link is made for an instance whose rules are not loaded.
 */
import type { Host } from '../../host/host.ts'
import { tableFingerprint } from '../../host/nftables/nft-listing.ts'
import type { Metrics } from '../../lib/metrics.ts'
import { NIC_LINK_PREFIX } from '../../model/names.ts'
import {
  BUDGET_DROP_REASONS,
  BUDGET_TABLES,
  budgetCounterName,
  CONNECTIONS_PER_MIB,
  removeBudgets,
  renderBudgets,
} from '../../plan/budgets.ts'
import { DROP_REASONS, dropCounterName } from '../../plan/nft-text.ts'
import type { FirewallSettings } from '../../plan/ruleset.ts'
import { RECREATE_GUARD, RULESET_TABLES, renderRuleset } from '../../plan/ruleset.ts'
import type { HostService, Pass } from '../service.ts'
import { createFlowEnding } from './withdrawn-flows.ts'

/** iptables(8) writes a prefix of interface names with a plus sign. */
const NIC_PATTERN = `${NIC_LINK_PREFIX}+`

/** All our tables: those that are replaced, and those that are updated in place. */
const TABLES = [...RULESET_TABLES, ...BUDGET_TABLES]
/** The same, as `Host.rulesChanged` names them. */
const TABLE_NAMES = TABLES.map(({ family, name }) => `${family} ${name}`)
/** The table of the DOCKER-USER chain. */
const DOCKER_TABLE = 'ip filter'
/**
 * While others keep changing rules, we cannot tell which change of the generation is ours. After
 * this many attempts the next pass verifies the tables.
 */
const LOAD_ATTEMPTS = 3

/** The rules in the kernel, as we loaded them. Losing this costs one replacement of the tables. */
interface Loaded {
  readonly script: string
  /** The kernel's rule generation when the script was loaded or last found intact. */
  generation: number
  /** Fingerprint of the tables as the kernel lists them; null until they have been listed. */
  fingerprint: string | null
}

/**
 * The firewall service. `atoll_firewall_…` metrics count replacements, drift and dropped packets by
 * reason.
 */
export function createFirewall(options: {
  readonly host: Host
  readonly metrics: Metrics
  readonly settings: FirewallSettings
  /** Memory that this host hands out to instances. Each gets its share of the connection table. */
  readonly instanceMemoryMiB: number
}): HostService {
  const { host, metrics, settings, instanceMemoryMiB } = options
  const replacements = metrics.counter(
    'atoll_firewall_replacements_total',
    'Times the rules were replaced as a whole',
  )
  const drift = metrics.counter(
    'atoll_firewall_drift_total',
    'Times the rules in the kernel were found missing or altered',
  )
  const sizeSharedTables = createSharedTables(host, metrics, instanceMemoryMiB)
  const drops = createDropCounts(host, metrics)
  const endWithdrawnFlows = createFlowEnding(host)
  let loaded: Loaded | null = null

  const load = async (script: string): Promise<Loaded> => {
    // Replacing the tables resets their counters, so read them first.
    await drops.read()
    loaded = null
    const generation = await applyAlone(host, script)
    replacements.inc()
    drops.restart()
    loaded = { script, generation, fingerprint: null }
    return loaded
  }
  const reload = async (known: Loaded, pass: Pass) => {
    drift.inc()
    pass.log.warn({}, 'firewall rules were changed from outside; replacing them')
    const fresh = await load(known.script)
    // The same script results in the same tables.
    fresh.fingerprint = known.fingerprint
    return fresh
  }
  /** Compares the rules in the kernel with those that we loaded, and replaces altered ones. */
  const verify = async (known: Loaded, now: number, pass: Pass) => {
    const changed = await host.rulesChanged(known.generation, now)
    if (changed !== null && TABLE_NAMES.some((table) => changed.has(table)))
      return void (await reload(known, pass))
    if (changed !== null && !pass.resync) {
      known.generation = now
      return
    }
    const fingerprint = await fingerprintOf(host)
    if (fingerprint !== null && fingerprint === known.fingerprint) {
      known.generation = now
      return
    }
    const isAltered = fingerprint === null || known.fingerprint !== null
    const fresh = isAltered ? await reload(known, pass) : await load(known.script)
    fresh.fingerprint = await fingerprintOf(host)
  }
  const coexist = createCoexistence(host)

  return {
    name: 'firewall',
    heedsKernel: true,
    gate: true,
    engine: 'nft',
    apply: async (pass) => {
      await host.ensureForwarding()
      const connections = await sizeSharedTables(pass)
      const limits = { connectionTableSize: connections, instanceMemoryMiB }
      const script =
        renderRuleset(pass.want, settings, await host.surroundings()) +
        renderBudgets(pass.want, limits)
      const now = await host.rulesGeneration()
      if (loaded?.script !== script) {
        await load(script)
        pass.log.info({}, 'firewall rules replaced')
      } else if (loaded.generation !== now || pass.resync) await verify(loaded, now, pass)
      const ended = await endWithdrawnFlows(pass.want)
      if (ended > 0) pass.log.info({ ended }, 'connections ended: their permission was withdrawn')
      await coexist(now, pass)
      await drops.read()
      return []
    },
    close: async () => {},
  }
}

/**
 * Loads the script and returns the rule generation after it. Repeats when somebody else changed
 * rules at the same moment, because that change would go unnoticed.
 */
async function applyAlone(host: Host, script: string): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const before = await host.rulesGeneration()
    await applyScript(host, script)
    const generation = await host.rulesGeneration()
    if (generation === before + 1 || attempt === LOAD_ATTEMPTS) return generation
  }
}

/**
 * Loads the script in one transaction. Tables that are updated in place may have parts that cannot
 * be changed so, such as the type of a set, if another version made them or somebody altered them.
 * Then the transaction deletes them first.
 */
async function applyScript(host: Host, script: string): Promise<void> {
  try {
    await host.applyRules(script)
  } catch {
    await host.applyRules(RECREATE_GUARD + removeBudgets() + script)
  }
}

/** Sizes the kernel's shared tables. Returns the size of the connection table. */
function createSharedTables(host: Host, metrics: Metrics, instanceMemoryMiB: number) {
  const table = metrics.gauge(
    'atoll_firewall_connection_table',
    'Entries of the connection table of the kernel: how many it has room for, and how many are used',
    ['what'],
  )
  let hasWarned = false
  return async (pass: Pass): Promise<number> => {
    const wanted = instanceMemoryMiB * CONNECTIONS_PER_MIB
    const { connections, entries, changed } = await host.ensureSharedTables(wanted)
    table.set({ what: 'size' }, connections)
    table.set({ what: 'used' }, entries)
    if (changed.length > 0) pass.log.info({ changed, connections }, 'shared tables enlarged')
    if (connections < wanted && !hasWarned) {
      hasWarned = true
      const fix = `set net.netfilter.nf_conntrack_max to ${wanted}`
      pass.log.warn({ connections, fix }, 'connection tracking table too small for the instances')
    }
    return connections
  }
}

/**
 * Makes Docker's rules accept traffic of instances. Docker creates its chains when it starts. They
 * matter for reachability and not for security, so an error here does not fail the gate.
 */
function createCoexistence(host: Host) {
  let lookedAt = -1
  return async (now: number, pass: Pass): Promise<void> => {
    const changed = await host.rulesChanged(lookedAt, now)
    if (changed !== null && !changed.has(DOCKER_TABLE) && !pass.resync) return
    try {
      await host.ensureDockerCoexistence(NIC_PATTERN)
      lookedAt = now
    } catch (error) {
      pass.log.warn(
        { error },
        'could not change the DOCKER-USER chain; Docker may drop traffic of instances',
      )
    }
  }
}

/** The fingerprint of all our tables in the kernel, or null when one is missing. */
async function fingerprintOf(host: Host): Promise<string | null> {
  const listings = await Promise.all(TABLES.map(({ family, name }) => host.listTable(family, name)))
  const found = listings.filter((listing) => listing !== null)
  return found.length === listings.length ? found.map(tableFingerprint).join('-') : null
}

/** The counters of the guard, which is not replaced. */
const KEPT_COUNTERS = (['unjudged', 'stranger'] as const).map(dropCounterName)

/** Every reason with the name of its counter. */
const COUNTERS: readonly (readonly [string, string])[] = [
  ...DROP_REASONS.map((reason) => [reason, dropCounterName(reason)] as const),
  ...BUDGET_DROP_REASONS.map((reason) => [reason, budgetCounterName(reason)] as const),
]

/**
 * Adds the kernel's drop counters, which each replacement resets, to metrics that never go back.
 */
function createDropCounts(host: Host, metrics: Metrics) {
  const dropped = metrics.counter(
    'atoll_firewall_dropped_packets_total',
    'Packets from or to instances that were dropped, by reason',
    ['reason'],
  )
  let last: ReadonlyMap<string, number> = new Map()
  return {
    read: async () => {
      const counts = await Promise.all(
        TABLES.map(({ family, name }) => host.ruleCounters(family, name)),
      )
      const now = new Map(counts.flatMap((table) => [...table]))
      for (const [reason, name] of COUNTERS) {
        const packets = now.get(name) ?? 0
        const before = last.get(name) ?? 0
        // Somebody else may have reset the counter.
        dropped.inc({ reason }, packets >= before ? packets - before : packets)
      }
      last = now
    },
    /** Call after a replacement: the counters of replaced tables are zero, the others go on. */
    restart: () => {
      const kept = new Set([...KEPT_COUNTERS, ...BUDGET_DROP_REASONS.map(budgetCounterName)])
      last = new Map([...last].filter(([name]) => kept.has(name)))
    },
  }
}
