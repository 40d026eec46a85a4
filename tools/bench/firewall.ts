/**
 * `firewall`: how long until one more instance, and one more rule, take effect, on hosts with many
 * instances, with large groups and with many VPCs; compared with the same rules by
 * iptables-restore.
 *
 * With many instances it measures one pass of the firewall service on a real kernel, from the want
 * to the kernel's acknowledgement. The benchmarks `launch` and `bus` have what records and bus add.
 * With many VPCs it measures the whole way, from the answer of the API.
 */
import { createLinuxHost } from '../../src/host/linux.ts'
import { createMetrics } from '../../src/lib/metrics.ts'
import { systemRunner } from '../../src/lib/runner.ts'
import type { HostWant } from '../../src/model/want.ts'
import { createFirewall } from '../../src/services/firewall/firewall.ts'
import type { HostService } from '../../src/services/service.ts'
import { LONE_FIREWALL } from '../kit/instance.ts'
import { silentLog } from '../kit/log.ts'
import { createNetns, type Netns } from '../kit/netns.ts'
import { type Benchmark, type BenchResult, quantile } from './figures.ts'
import { addressOf, MEMBERS, wantOf } from './many-instances.ts'
import { type Changes, measureChanges } from './vpc-changes.ts'
import { createVpcHost } from './vpc-host.ts'

const SIZES = [10, 100, 500] as const
/** Each with one instance. */
const VPCS = [1, 50, 500] as const
const VPC_ROUNDS = 20
const VPC_RATIO = 2
const RULES = 22
const ROUNDS = 30
const MEMORY_MIB = 512 * 1024
const ONE_MORE_MS = 15
const ONE_MORE_RATIO = 1.5
const RULE_MS = 50

/** The benchmark `firewall`. Needs root. */
export const firewall: Benchmark = {
  name: 'firewall',
  about: `time until one more instance or rule is in force, with ${SIZES.join(', ')} instances, and with ${VPCS.join(', ')} VPCs`,
  async run(progress) {
    const many = await measureInstances(progress)
    const vpcs: VpcRow[] = []
    for (const count of VPCS) {
      progress(`${count} VPCs`)
      const host = await createVpcHost(count)
      try {
        vpcs.push({ count, ...(await measureChanges(host, VPC_ROUNDS)) })
      } finally {
        await host.destroy()
      }
    }
    return resultOf(many, vpcs)
  },
}

async function measureInstances(progress: (line: string) => void): Promise<readonly Row[]> {
  const netns = await createNetns('bench')
  const leave = netns.enter()
  const host = createLinuxHost({ log: silentLog, runner: systemRunner })
  try {
    const rows: Row[] = []
    for (const size of SIZES) {
      progress(`${size} instances`)
      const [settings, metrics] = [LONE_FIREWALL, createMetrics()]
      const service = createFirewall({ host, metrics, settings, instanceMemoryMiB: MEMORY_MIB })
      rows.push({
        size,
        ...(await measureOurs(service, size)),
        peer: await measurePeer(netns, size),
      })
    }
    return rows
  } finally {
    await host.close()
    leave()
    await netns.destroy()
  }
}

interface VpcRow extends Changes {
  readonly count: number
}

interface Row {
  readonly size: number
  readonly instance: readonly number[]
  readonly rule: readonly number[]
  readonly whole: number
  readonly peer: readonly number[]
}

async function measureOurs(
  service: HostService,
  size: number,
): Promise<Omit<Row, 'size' | 'peer'>> {
  const apply = async (want: HostWant): Promise<number> => {
    const began = performance.now()
    const signal = new AbortController().signal
    await service.apply({ want, resync: false, signal, log: silentLog })
    return performance.now() - began
  }
  const whole = await apply(wantOf(size, RULES))
  const [instances, rules]: [number[], number[]] = [[], []]
  for (let round = 0; round < ROUNDS; round++) {
    instances.push(await apply(wantOf(size + 1, RULES)))
    await apply(wantOf(size, RULES))
    rules.push(await apply(wantOf(size, RULES + 1)))
    await apply(wantOf(size, RULES))
  }
  return { instance: instances, rule: rules, whole }
}

/**
 * One more instance with `iptables-restore --noflush`: its own chain with the same number of rules,
 * and a jump to it, besides those of all others.
 */
async function measurePeer(netns: Netns, size: number): Promise<readonly number[]> {
  const restore = ['iptables-restore', '--noflush']
  const chains = (from: number, to: number) => {
    const all = Array.from({ length: to - from }, (_, at) => from + at)
    return [
      '*filter',
      ...all.map((at) => `:bench-${at} - [0:0]`),
      ...all.flatMap((at) => [
        `-A FORWARD -d ${addressOf(at)} -j bench-${at}`,
        ...Array.from(
          { length: RULES },
          (_, rule) =>
            `-A bench-${at} -s 10.${rule}.0.0/16 -p tcp --dport ${1000 + rule} -j ACCEPT`,
        ),
      ]),
      'COMMIT',
      '',
    ].join('\n')
  }
  await netns.must(restore, { stdin: chains(0, size) })
  const took: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const began = performance.now()
    await netns.must(restore, { stdin: chains(size, size + 1) })
    took.push(performance.now() - began)
    const remove = `*filter\n-D FORWARD -d ${addressOf(size)} -j bench-${size}\n-F bench-${size}\n-X bench-${size}\nCOMMIT\n`
    await netns.must(restore, { stdin: remove })
  }
  await netns.must(['sh', '-c', 'iptables -F && iptables -X'])
  return took
}

function resultOf(rows: readonly Row[], vpcs: readonly VpcRow[]): BenchResult {
  const ms = (value: number) => value.toFixed(1)
  const median = (figures: readonly number[]) => quantile(figures, 0.5)
  const [first, last] = [rows[0], rows.at(-1)]
  const [few, many] = [median(first?.instance ?? [0]), median(last?.instance ?? [0])]
  const rule = median(last?.rule ?? [0])
  const halfAndMost = (...all: readonly (readonly number[])[]) =>
    all
      .flatMap((figures) => [median(figures), quantile(figures, 0.95)])
      .map((value) => `${ms(value)} ms`)
  const grown = (['instance', 'rule'] as const).map(
    (what) => median(vpcs.at(-1)?.[what] ?? [0]) / median(vpcs[0]?.[what] ?? [0]),
  )
  return {
    name: 'firewall',
    head: [
      'beside',
      'one more, p50',
      'p95',
      'one rule, p50',
      'p95',
      'all rules',
      'iptables-restore, one more, p50',
    ],
    rows: [
      ...rows.map(({ size, instance, rule, whole, peer }) => [
        `${size} instances`,
        ...halfAndMost(instance, rule),
        `${ms(whole)} ms`,
        `${ms(median(peer))} ms`,
      ]),
      ...vpcs.map(({ count, instance, rule }) => [
        `${count} VPCs, from the answer of the API`,
        ...halfAndMost(instance, rule),
        ...['–', '–'],
      ]),
    ],
    targets: [
      {
        text: `one more instance beside ${last?.size} within ${ONE_MORE_MS} ms`,
        measured: `${ms(many)} ms`,
        met: many <= ONE_MORE_MS,
      },
      {
        text: `which is at most ${ONE_MORE_RATIO} times what it is beside ${first?.size}`,
        measured: (many / few).toFixed(2),
        met: many / few <= ONE_MORE_RATIO,
      },
      {
        text: `a rule of a group with ${MEMBERS} members elsewhere within ${RULE_MS} ms`,
        measured: `${ms(rule)} ms`,
        met: rule <= RULE_MS,
      },
      {
        text: `with ${vpcs.at(-1)?.count} VPCs at most ${VPC_RATIO} times what it is with ${vpcs[0]?.count}`,
        measured: `instance ${grown[0]?.toFixed(2)}, rule ${grown[1]?.toFixed(2)}`,
        met: grown.every((ratio) => ratio <= VPC_RATIO),
      },
    ],
    notes: [
      `each of ${ROUNDS} times; every instance has ${RULES} rules`,
      `with VPCs: each of ${VPC_ROUNDS} times, one instance in each, SQLite`,
    ],
    raw: Object.fromEntries([
      ...rows.flatMap(({ size, instance, rule, peer }) => [
        [`one more of ${size}`, instance],
        [`one rule at ${size}`, rule],
        [`iptables-restore at ${size}`, peer],
      ]),
      ...vpcs.flatMap(({ count, instance, rule }) => [
        [`one more with ${count} VPCs`, instance],
        [`one rule with ${count} VPCs`, rule],
      ]),
    ]),
  }
}
