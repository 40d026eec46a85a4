/**
 * The firewall, NAT and anti-spoofing of this host's instances.
 *
 * - Its part of want: every NIC of `local.instances`; `shared.groups`, `subnets` and `vpcs`. The
 *   host's default routes are read in each pass. The pure function is `plan/ruleset.ts`.
 * - A fresh daemon recognises nothing. It replaces the tables named `atoll`, those of an older
 *   version, too, in one transaction. The same transaction refills the guard (`plan/guard.ts`).
 *   From then on it changes them in place, until it finds that somebody else has changed them.
 * - If we die on any line here, the kernel has either the old rules or the new ones. Both accept
 *   established connections, and drop everything from a link that they do not name.
 * - It is a gate: no link is made for an instance whose rules are not loaded.
 */
import type { NamespaceHost as Host } from '../../host/host.ts'
import type { Metrics } from '../../lib/metrics.ts'
import { NIC_LINK_PREFIX, TRANSIT_LINK_PREFIX } from '../../model/names.ts'
import {
  BUDGET_DROP_REASONS,
  budgetCounterName,
  budgetTables,
  CONNECTIONS_PER_MIB,
} from '../../plan/budgets.ts'
import { DROP_REASONS, dropCounterName } from '../../plan/nft-text.ts'
import { type FirewallSettings, planRuleset } from '../../plan/ruleset.ts'
import type { HostService, Pass } from '../service.ts'
import { createRules, TABLES } from './rules.ts'
import { createFlowEnding } from './withdrawn-flows.ts'

/** iptables(8) writes a prefix of interface names with a plus sign. */
const LINK_PATTERNS = [`${NIC_LINK_PREFIX}+`, `${TRANSIT_LINK_PREFIX}+`]

/** The table of the DOCKER-USER chain. */
const DOCKER_TABLE = 'ip filter'
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
  const sizeSharedTables = createSharedTables(host, metrics, instanceMemoryMiB)
  const drops = createDropCounts(host, metrics)
  const endWithdrawnFlows = createFlowEnding(host)
  const update = createRules(host, metrics, drops)
  const coexist = createCoexistence(host)

  return {
    name: 'firewall',
    watchesKernel: true,
    gate: true,
    engine: 'nft',
    apply: async (pass) => {
      await host.ensureForwarding()
      const connections = await sizeSharedTables(pass)
      const limits = { connectionTableSize: connections, instanceMemoryMiB, rates: settings.rates }
      const rules = {
        ruleset: planRuleset(pass.want, settings, await host.surroundings()),
        budgets: budgetTables(pass.want, limits),
      }
      await update(rules, pass)
      const ended = await endWithdrawnFlows(pass.want)
      if (ended > 0) pass.log.info({ ended }, 'connections ended: their permission was withdrawn')
      await coexist(await host.rulesGeneration(), pass)
      await drops.read()
      return []
    },
    close: async () => {},
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
      await host.ensureDockerCoexistence(LINK_PATTERNS)
      lookedAt = now
    } catch (error) {
      pass.log.warn(
        { error },
        'could not change the DOCKER-USER chain; Docker may drop traffic of instances',
      )
    }
  }
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
