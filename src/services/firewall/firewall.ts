/**
 * The firewall, NAT and anti-spoofing of this host's instances.
 *
 * - Its part of want: every NIC of `local.instances`, those of `local.arriving` as far as can be
 *   before they are the host's (`plan/standby.ts`); `shared.groups`, `subnets` and `vpcs`. The
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
import type { Ipv4 } from '../../model/addr.ts'
import { FABRIC_LINK, NIC_LINK_PREFIX, TRANSIT_LINK_PREFIX } from '../../model/names.ts'
import { budgetTables } from '../../plan/budgets.ts'
import { CONNECTIONS_PER_MIB } from '../../plan/connection-budgets.ts'
import { type FirewallSettings, planRuleset } from '../../plan/ruleset.ts'
import type { HostService, Pass } from '../service.ts'
import { type CounterRooms, counterRooms, createCounters } from './counters.ts'
import { createNatUse } from './nat-use.ts'
import { createRules } from './rules.ts'
import { createFlowEnding } from './withdrawn-flows.ts'

/** iptables(8) writes a prefix of interface names with a plus sign. */
const LINK_PATTERNS = [`${NIC_LINK_PREFIX}+`, `${TRANSIT_LINK_PREFIX}+`, FABRIC_LINK]

/** The table of the DOCKER-USER chain. */
const DOCKER_TABLE = 'ip filter'

/** The firewall of a network namespace. */
export interface Firewall extends HostService {
  /**
   * Ends what the rules in force do not permit, for connections that were made beside them. Errors:
   * `unavailable`, also when the rules of these addresses are not in force.
   */
  judge(addresses: readonly Ipv4[]): Promise<void>
}

/**
 * The firewall service. `atoll_firewall_…` metrics count replacements, drift and dropped packets by
 * reason; others count packets of NICs and of rules (`counters.ts`).
 */
export function createFirewall(options: {
  readonly host: Host
  readonly metrics: Metrics
  readonly settings: FirewallSettings
  /** Memory that this host hands out to instances. Each gets its share of the connection table. */
  readonly instanceMemoryMiB: number
  /** Absent: every NIC and rule has metrics. */
  readonly rooms?: CounterRooms
}): Firewall {
  const { host, metrics, settings, instanceMemoryMiB } = options
  const sizeSharedTables = createSharedTables(host, metrics, instanceMemoryMiB)
  const counters = createCounters(host, metrics, options.rooms ?? counterRooms())
  const flows = createFlowEnding(host)
  const isShared = settings.inVpc !== true
  const update = createRules(host, metrics, { replacing: counters.replacing, isShared })
  const coexist = createCoexistence(host)
  const natUse = createNatUse(host, metrics)

  return {
    name: 'firewall',
    watchesKernel: 'machine',
    gate: true,
    engine: 'nft',
    apply: async (pass) => {
      await host.ensureForwarding()
      const connections = await sizeSharedTables(pass)
      const limits = { connectionTableSize: connections, instanceMemoryMiB, rates: settings.rates }
      const routing = await host.surroundings()
      const rules = {
        ruleset: planRuleset(pass.want, settings, routing),
        budgets: budgetTables(pass.want, limits),
      }
      const isAltered = await update(rules, pass)
      counters.follow(pass.want)
      const use = natUse(pass.want)
      const enforced = { want: pass.want, routing, isAltered }
      const { ended, isWalked } = await flows.follow(enforced, use.count)
      if (ended > 0) pass.log.info({ ended }, 'connections ended: their permission was withdrawn')
      await coexist(await host.rulesGeneration(), pass)
      // The table of connections is gone through once: that is work, also where it is almost empty.
      await use.report(pass, isWalked)
      return []
    },
    judge: (addresses) => flows.judge(addresses),
    close: async () => counters.close(),
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
