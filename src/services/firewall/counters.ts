/**
 * The kernel's counters as metrics that never go back: dropped packets by reason, packets of each
 * NIC, and packets that each rule of a security group let begin a connection.
 *
 * They are read when somebody asks for metrics, and before the tables are replaced: new tables go
 * on with what the old ones had counted. So the metrics survive a restart of the daemon, too. One
 * dump reads all named counters of the namespace, and one for each set those of NICs. The sets of
 * dropped packets are read only after something was dropped.
 */

import type { NamespaceHost as Host } from '../../host/host.ts'
import type { Metrics } from '../../lib/metrics.ts'
import { createQueue } from '../../lib/queue.ts'
import { createRoom, type Room } from '../../lib/room.ts'
import { type Count, type CounterValues, counterKey, increase } from '../../model/counters.ts'
import { BUDGETS_TABLE, NFT_TABLE, nicLinkName } from '../../model/names.ts'
import type { HostWant } from '../../model/want.ts'
import { BUDGET_DROP_REASONS } from '../../plan/budget-buckets.ts'
import { DROP_REASONS } from '../../plan/nft-text.ts'
import { dropCounterOf, NIC_COUNTER_SETS } from '../../plan/nic-counters.ts'
import { ruleCounterName } from '../../plan/security-groups.ts'
import { type Replacing, TABLES } from './rules.ts'
import { createSeries, type Labels } from './series.ts'

const MAIN = { family: 'inet', name: NFT_TABLE } as const
const BUDGETS = { family: 'inet', name: BUDGETS_TABLE } as const
/** What is accepted is counted in the one table, and what is dropped where it is dropped. */
const SETS = NIC_COUNTER_SETS.flatMap((set) =>
  (set.verdict === 'accepted' ? [BUDGETS] : [MAIN, BUDGETS]).map((table) => ({ ...set, table })),
)
/** Every reason with the keys that its counter may have. */
const DROPS = TABLES.flatMap((table) =>
  [...DROP_REASONS, ...BUDGET_DROP_REASONS].map((reason) => ({
    reason,
    key: counterKey(table, dropCounterOf(reason)),
  })),
)
/** Stands for the NICs without room. */
const OTHERS = { nic: 'others', instance: 'others' }

/** How many NICs and rules may have metrics of their own. All namespaces of a host share it. */
export interface CounterRooms {
  readonly nics: Room
  readonly rules: Room
}

/** Room for so many; by default, for all. */
export function counterRooms(
  sizes: { readonly interfaces?: number; readonly rules?: number } = {},
) {
  const { interfaces = Number.POSITIVE_INFINITY, rules = Number.POSITIVE_INFINITY } = sizes
  return { nics: createRoom(interfaces), rules: createRoom(rules) }
}

export interface FirewallCounters {
  readonly replacing: Replacing
  /** From now on there are the NICs and rules of this want. */
  follow(want: HostWant): void
  /** Ends the metrics of NICs and rules. */
  close(): void
}

/** The counters of one namespace. They are read whenever the metrics are rendered. */
export function createCounters(
  host: Pick<Host, 'ruleCounters' | 'linkCounters'>,
  metrics: Metrics,
  rooms: CounterRooms,
): FirewallCounters {
  const { nic, rule, dropped, errors } = declare(metrics)
  const nics = createSeries(nic, rooms.nics, OTHERS)
  const rules = createSeries(rule, rooms.rules)
  const inTurn = createQueue()
  const lastDrops = new Map<string, Count>()
  let wanted: HostWant | null = null
  let followed: HostWant | null = null
  let ruleKeys: readonly string[] = []

  const follow = () => {
    if (wanted === null || wanted === followed) return
    const labels = rulesOf(wanted)
    nics.follow(nicsOf(wanted))
    rules.follow(labels)
    ruleKeys = [...labels.keys()]
    followed = wanted
  }
  /** Whether anything was dropped since the last time. */
  const addDrops = (values: CounterValues): boolean => {
    let sum = 0
    for (const { reason, key } of DROPS) {
      const count = values.get(key)
      if (count === undefined) continue
      const { packets } = increase(lastDrops.get(key), count)
      lastDrops.set(key, count)
      dropped.inc({ reason }, packets)
      sum += packets
    }
    return sum > 0
  }
  const read = async (isWhole: boolean): Promise<CounterValues> => {
    follow()
    const values = new Map(await host.ruleCounters())
    const hasDropped = addDrops(values)
    for (const key of ruleKeys) {
      const count = values.get(key)
      if (count !== undefined) rules.add(key, key, {}, count)
    }
    for (const { table, name, verdict, direction } of SETS) {
      if (verdict === 'dropped' && !isWhole && !hasDropped) continue
      for (const [link, count] of await host.linkCounters(table, name)) {
        values.set(counterKey(table, name, `"${link}"`), count)
        nics.add(link, `${table.name} ${name}`, { direction, verdict }, count)
      }
    }
    return values
  }
  let isReplacing = false
  const stop = metrics.beforeRender(async () => {
    // Metrics are then as of just before.
    if (isReplacing) return
    await inTurn(() => read(false)).catch(() => errors.inc())
  })
  return {
    replacing: async (work) => {
      isReplacing = true
      try {
        return await inTurn(async () => await work(await read(true)))
      } finally {
        isReplacing = false
      }
    },
    follow: (want) => {
      wanted = want
    },
    close: () => {
      stop()
      nics.end()
      rules.end()
    },
  }
}

function declare(metrics: Metrics) {
  const pair = (name: string, help: string, labels: readonly string[]) => ({
    packets: metrics.counter(`${name}_packets_total`, `Packets ${help}`, labels),
    bytes: metrics.counter(`${name}_bytes_total`, `Bytes ${help}`, labels),
  })
  return {
    nic: pair('atoll_nic', 'to (in) and from (out) a NIC, accepted or dropped', [
      'instance',
      'nic',
      'direction',
      'verdict',
    ]),
    rule: pair(
      'atoll_security_group_rule',
      'that began a connection which this rule of a security group permits',
      ['group', 'rule', 'direction'],
    ),
    dropped: metrics.counter(
      'atoll_firewall_dropped_packets_total',
      'Packets from or to instances that were dropped, by reason',
      ['reason'],
    ),
    errors: metrics.counter(
      'atoll_firewall_counter_errors_total',
      'Times the counters of the kernel could not be read for these metrics',
    ),
  }
}

/** The NICs of a want by their links. */
function nicsOf({ local }: HostWant): ReadonlyMap<string, Labels> {
  return new Map(
    local.instances.flatMap(({ id: instance, nics }) =>
      nics.map(({ id }) => [nicLinkName(id), { instance, nic: id }] as const),
    ),
  )
}

/** The rules of the groups that NICs of a want are in, by the keys of their counters. */
function rulesOf({ local, shared }: HostWant): ReadonlyMap<string, Labels> {
  const used = new Set(
    local.instances.flatMap(({ nics }) => nics.flatMap(({ groups }) => groups.map(({ id }) => id))),
  )
  return new Map(
    shared.groups
      .filter(({ id }) => used.has(id))
      .flatMap(({ id: group, rules }) =>
        rules.map(({ id: rule, egress }) => [
          counterKey(MAIN, ruleCounterName(rule)),
          { group, rule, direction: egress ? 'out' : 'in' },
        ]),
      ),
  )
}
