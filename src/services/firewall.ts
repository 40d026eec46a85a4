/**
 * The firewall, NAT and anti-spoofing of this host's instances.
 *
 * - Its part of want: every NIC of `local.instances`; `shared.groups`, `subnets` and `vpcs`. The
 *   host's default routes are read in each pass. The pure function is `plan/ruleset.ts`.
 * - A fresh daemon recognises nothing: it replaces the tables named `atoll` in one transaction.
 *   There is no other path. The same transaction fills the guard (`plan/guard.ts`) again.
 * - If we die on any line here, the kernel has the old rules or the new ones. Both accept
 *   established connections, and a link that no rule names passes nothing.
 * - It is a gate: no link is made for an instance whose rules are not loaded.
 */
import type { Host } from '../host/host.ts'
import { tableFingerprint } from '../host/nftables/nft-listing.ts'
import type { Metrics } from '../lib/metrics.ts'
import { NIC_LINK_PREFIX } from '../model/names.ts'
import {
  BUDGET_DROP_REASONS,
  BUDGET_TABLES,
  budgetCounterName,
  CONNECTIONS_PER_MIB,
  removeBudgets,
  renderBudgets,
} from '../plan/budgets.ts'
import { DROP_REASONS, dropCounterName } from '../plan/nft-text.ts'
import type { FirewallSettings } from '../plan/ruleset.ts'
import { GUARD_ANEW, RULESET_TABLES, renderRuleset } from '../plan/ruleset.ts'
import type { HostService, Pass } from './service.ts'

/** iptables(8) writes a prefix of interface names with a plus sign. */
const NIC_PATTERN = `${NIC_LINK_PREFIX}+`

/** All our tables: those that are replaced, and those that are updated in place. */
const TABLES = [...RULESET_TABLES, ...BUDGET_TABLES]
/** As `Host.rulesChanged` names them. */
const TABLE_NAMES = TABLES.map(({ family, name }) => `${family} ${name}`)
/** Where Docker makes its chain for others. */
const DOCKER_TABLE = 'ip filter'
/**
 * While others keep changing their rules, we cannot tell which change of the generation is ours.
 */
const LOAD_ATTEMPTS = 3

/** What is known of the rules in the kernel. Losing it costs one more replacement of the tables. */
interface Loaded {
  readonly script: string
  /** The kernel's rule generation when it was loaded or last found intact. */
  generation: number
  /** Of the tables as the kernel lists them; null until they have been listed. */
  fingerprint: string | null
}

/**
 * Rules on `host`. `atoll_firewall_…` metrics count replacements, drift and dropped packets by
 * reason.
 */
export function createFirewall(options: {
  readonly host: Host
  readonly metrics: Metrics
  readonly settings: FirewallSettings
  /** Memory that this host hands out to instances: the connection table is shared out by it. */
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
  const shareTables = createSharing(host, metrics, instanceMemoryMiB)
  const drops = createDropCounts(host, metrics)
  let loaded: Loaded | null = null

  const load = async (script: string): Promise<Loaded> => {
    // The counters are part of the tables and start again with them.
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
    // The same script gives the same tables.
    fresh.fingerprint = known.fingerprint
    return fresh
  }
  /** Afterwards the rules in the kernel are the wanted ones: found intact, or replaced. */
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
      const connections = await shareTables(pass)
      const limits = { connectionTableSize: connections, instanceMemoryMiB }
      const script =
        renderRuleset(pass.want, settings, await host.surroundings()) +
        renderBudgets(pass.want, limits)
      const now = await host.rulesGeneration()
      if (loaded?.script !== script) {
        await load(script)
        pass.log.info({}, 'firewall rules replaced')
      } else if (loaded.generation !== now || pass.resync) await verify(loaded, now, pass)
      await coexist(now, pass)
      await drops.read()
      return []
    },
    close: async () => {},
  }
}

/**
 * Loads the script; returns the rule generation that it made, with no change of others that we have
 * not seen.
 */
async function applyAlone(host: Host, script: string): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const before = await host.rulesGeneration()
    await applyOver(host, script)
    const generation = await host.rulesGeneration()
    if (generation === before + 1 || attempt === LOAD_ATTEMPTS) return generation
  }
}

/**
 * Loads the script in one transaction. Tables of another version may have parts that cannot be
 * changed in place, such as the type of a set, and somebody may have altered them: then they are
 * deleted first.
 */
async function applyOver(host: Host, script: string): Promise<void> {
  try {
    await host.applyRules(script)
  } catch {
    await host.applyRules(GUARD_ANEW + removeBudgets() + script)
  }
}

/** Sizes the kernel's shared tables. Returns the number of connections, which the NICs share. */
function createSharing(host: Host, metrics: Metrics, instanceMemoryMiB: number) {
  const table = metrics.gauge(
    'atoll_firewall_connection_table',
    'Entries of the connection table of the kernel: how many it has room for, and how many are used',
    ['what'],
  )
  let isTold = false
  return async (pass: Pass): Promise<number> => {
    const wanted = instanceMemoryMiB * CONNECTIONS_PER_MIB
    const { connections, entries, changed } = await host.ensureSharedTables(wanted)
    table.set({ what: 'size' }, connections)
    table.set({ what: 'used' }, entries)
    if (changed.length > 0) pass.log.info({ changed, connections }, 'shared tables enlarged')
    if (connections < wanted && !isTold) {
      isTold = true
      const fix = `net.netfilter.nf_conntrack_max should be ${wanted}`
      pass.log.warn({ connections, fix }, 'connection tracking table too small for the instances')
    }
    return connections
  }
}

/**
 * Docker creates its chains when it starts. They decide reachability, not safety: an error here
 * must not keep our own rules from being loaded.
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
        'instances may be cut off by Docker: its DOCKER-USER chain cannot be changed',
      )
    }
  }
}

/** Of all our tables in the kernel, or null when one is missing. */
async function fingerprintOf(host: Host): Promise<string | null> {
  const listings = await Promise.all(TABLES.map(({ family, name }) => host.listTable(family, name)))
  const found = listings.filter((listing) => listing !== null)
  return found.length === listings.length ? found.map(tableFingerprint).join('-') : null
}

/** Of the guard, which is not replaced. */
const KEPT_COUNTERS = (['unjudged', 'stranger'] as const).map(dropCounterName)

/** Every reason with the name of its counter. */
const COUNTERS: readonly (readonly [string, string])[] = [
  ...DROP_REASONS.map((reason) => [reason, dropCounterName(reason)] as const),
  ...BUDGET_DROP_REASONS.map((reason) => [reason, budgetCounterName(reason)] as const),
]

/**
 * Carries the kernel's drop counters, which start again with every replacement, over to metrics
 * that never go back.
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
        // Somebody else may have started the counter again.
        dropped.inc({ reason }, packets >= before ? packets - before : packets)
      }
      last = now
    },
    /** The counters of the tables that are replaced are at zero now; those of the others go on. */
    restart: () => {
      const kept = new Set([...KEPT_COUNTERS, ...BUDGET_DROP_REASONS.map(budgetCounterName)])
      last = new Map([...last].filter(([name]) => kept.has(name)))
    },
  }
}
