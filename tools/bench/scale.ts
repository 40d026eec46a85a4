/**
 * `scale`: what a cloud of 10, 100 and 1,000 hosts costs, and how fast it launches. Each host has
 * the daemon's records, bus, agent and lease, and a simulated machine. MariaDB and RabbitMQ are
 * real, one node each, on this machine. One host, the witness, has its own process like a real one;
 * the others share processes.
 *
 * It ends within 25 minutes in any case. A size that fails or takes too long is a column without
 * figures, and the next one follows.
 */

import { messageOf } from '../../src/model/errors.ts'
import { type Benchmark, type BenchResult, quantile } from './figures.ts'
import { startEngines } from './scale/engines.ts'
import {
  API_HOSTS,
  type Cost,
  IDLE_SECONDS,
  type Measured,
  measureCluster,
  type Size,
  STORM_LAUNCHES,
  STORM_WIDTH,
  STREAM_PER_SECOND,
  STREAM_SECONDS,
} from './scale/measure.ts'

/** The limits of all sizes, and the starts of the engines, take less than 25 minutes. */
const SIZES: readonly Size[] = [
  { hosts: 10, vpcs: 1, minutes: 3 },
  { hosts: 100, vpcs: 1, minutes: 4 },
  { hosts: 1000, vpcs: 1, minutes: 8 },
  { hosts: 1000, vpcs: 100, minutes: 8 },
]
const FLAT = 1.2
const LAUNCHES_PER_SECOND = 50
const NOT_MEASURED = '–'
/** OpenStack Nova on 196 hosts, as published. */
const NOVA_PER_SECOND = 1.5

/** The benchmark `scale`. Needs root. */
export const scale: Benchmark = {
  name: 'scale',
  about: `${SIZES.map(titleOf).join('; ')}: simulated hosts on real engines: launches a second, cost per host`,
  async run(progress) {
    const columns: Column[] = []
    for (const size of SIZES) {
      const column = await measure(size, progress).then(
        (measured) => ({ size, measured, failed: null }),
        (error: unknown) => ({
          size,
          measured: null,
          failed: `${messageOf(error)} (it may take ${size.minutes} minutes)`,
        }),
      )
      if (column.failed !== null) progress(`${titleOf(size)}: ${column.failed}`)
      columns.push(column)
    }
    return summary(columns)
  },
}

/** The result of one size, or why there is none. */
interface Column {
  readonly size: Size
  readonly measured: Measured | null
  readonly failed: string | null
}

async function measure(size: Size, progress: (line: string) => void): Promise<Measured> {
  // New engines for each size, so that one size does not affect the next.
  await using engines = await startEngines()
  return await measureCluster(engines, size, progress)
}

function titleOf({ hosts, vpcs }: Pick<Size, 'hosts' | 'vpcs'>): string {
  return `${hosts} hosts${vpcs === 1 ? '' : `, ${vpcs} VPCs`}`
}

/** A row of the table: a figure of each cluster. */
interface Line {
  readonly name: string
  readonly of: (one: Measured) => number
  readonly digits: number
  /** Whether it must not grow from 100 to 1,000 hosts. */
  readonly isFlat?: boolean
}

const costLines = (when: string, of: (one: Measured) => Cost): readonly Line[] => [
  {
    name: `${when}: SQL statements per host and minute`,
    of: (one) => of(one).statements,
    digits: 1,
    isFlat: true,
  },
  {
    name: `${when}: messages to each host in a minute`,
    of: (one) => of(one).delivered,
    digits: 1,
    isFlat: true,
  },
  {
    name: `${when}: messages from each host in a minute`,
    of: (one) => of(one).published,
    digits: 1,
    isFlat: true,
  },
  {
    name: `${when}: processor time of one host, % of a core`,
    of: (one) => of(one).witnessCpuPercent,
    digits: 2,
    isFlat: true,
  },
  {
    name: `${when}: processor time of MariaDB, % of a core`,
    of: (one) => of(one).mariadbCpuPercent,
    digits: 1,
  },
]

const LINES: readonly Line[] = [
  { name: 'until all hosts are up, s', of: ({ upSeconds }) => upSeconds, digits: 0 },
  ...costLines('idle', ({ idle }) => idle),
  ...costLines(`${STREAM_PER_SECOND} launches a second`, ({ load }) => load),
  {
    name: 'resident memory of one host, idle, MB',
    of: ({ witnessRssMB }) => witnessRssMB[0],
    digits: 1,
    isFlat: true,
  },
  {
    name: 'resident memory of one host, after the launches, MB',
    of: ({ witnessRssMB }) => witnessRssMB[1],
    digits: 1,
    isFlat: true,
  },
  {
    name: 'heap of one host, after the launches, MB',
    of: ({ witnessHeapMB }) => witnessHeapMB[1],
    digits: 1,
  },
  { name: 'launches a second', of: ({ launchesPerSecond }) => launchesPerSecond, digits: 0 },
  { name: 'launch, p50, ms', of: ({ launchMs }) => quantileOf(launchMs, 0.5), digits: 0 },
  { name: 'launch, p95, ms', of: ({ launchMs }) => quantileOf(launchMs, 0.95), digits: 0 },
  {
    name: 'from the last answer until all run, s',
    of: ({ runningSeconds }) => runningSeconds,
    digits: 1,
  },
  { name: 'attempts repeated by clients (503)', of: ({ repeats }) => repeats, digits: 0 },
  { name: 'launches that failed', of: ({ failures }) => failures.length, digits: 0 },
]

function errorCounts({
  failures,
  unanswered,
  pending,
  doubled,
  lapsed,
}: Measured): readonly number[] {
  return [failures.length, unanswered, pending, doubled, lapsed]
}

function quantileOf(figures: readonly number[], share: number): number {
  return figures.length === 0 ? Number.NaN : quantile(figures, share)
}

function ratioText(ratio: number): string {
  return Number.isNaN(ratio) ? NOT_MEASURED : ratio.toFixed(2)
}

function summary(columns: readonly Column[]): BenchResult {
  const measured = columns.flatMap((column) => column.measured ?? [])
  const isWhole = measured.length === columns.length
  const each = (text: (one: Measured) => string) =>
    columns.map((column) => (column.measured === null ? NOT_MEASURED : text(column.measured)))
  const ratios = LINES.map((line) => ({ line, ratio: growthOf(measured, line) }))
  return {
    name: 'scale',
    head: ['', ...columns.map(({ size }) => titleOf(size)), '1000 : 100'],
    rows: ratios.map(({ line: { name, of, digits }, ratio }) => [
      name,
      ...each((one) => of(one).toFixed(digits)),
      ratioText(ratio),
    ]),
    targets: [
      {
        text: `at least ${LAUNCHES_PER_SECOND} launches a second at every size (nova, published: ${NOVA_PER_SECOND} on 196 hosts)`,
        measured: each((one) => one.launchesPerSecond.toFixed(0)).join(', '),
        met: isWhole && measured.every((one) => one.launchesPerSecond >= LAUNCHES_PER_SECOND),
      },
      {
        text: 'no launch failed, was made without an answer or does not run; no address twice, no lease lost',
        measured: each((one) => errorCounts(one).join('/')).join(', '),
        met: isWhole && measured.every((one) => errorCounts(one).every((wrongs) => wrongs === 0)),
      },
      ...ratios
        .filter(({ line }) => line.isFlat === true)
        .map(({ line, ratio }) => ({
          text: `${line.name}: at most ${FLAT} x from 100 to 1,000 hosts`,
          measured: ratioText(ratio),
          met: ratio <= FLAT,
        })),
    ],
    notes: [
      ...NOTES,
      ...columns.flatMap(({ size, failed }) =>
        failed === null ? [] : `${titleOf(size)}: not measured: ${failed}`,
      ),
      ...measured.flatMap(problemsOf),
    ],
    raw: Object.fromEntries(LINES.map(({ name, of }) => [name, measured.map(of)])),
  }
}

const NOTES = [
  `Launches: ${STORM_LAUNCHES} RunInstances actions, ${STORM_WIDTH} at a time, ${API_HOSTS} API hosts in turn; without HTTP and its signature.`,
  `Idle: ${IDLE_SECONDS} s without instances; statements are counted by MariaDB (Questions: BEGIN and COMMIT are statements too), messages by the hosts and by a queue that receives every broadcast.`,
  `Load: ${STREAM_PER_SECOND} launches a second in the whole cloud for ${STREAM_SECONDS} s, besides the ${STORM_LAUNCHES} instances that run.`,
  'Hosts renew a lease of 4.3 s every 1.4 s and look at the records every 10 s; a start takes 250 ms on the machine that is none.',
  'MariaDB flushes every commit to disk. Hosts and engines share the processors of one machine.',
]

/** Growth of a figure from 100 to 1,000 hosts. None from zero. */
function growthOf(measured: readonly Measured[], { of }: Line): number {
  const at = (hosts: number) => {
    const one = measured.find((each) => each.hosts === hosts && each.vpcs === 1)
    return one === undefined ? Number.NaN : of(one)
  }
  const [before, after] = [at(100), at(1000)]
  return before === 0 && after === 0 ? 1 : after / before
}

function problemsOf({ warnings, failures, ...size }: Measured): readonly string[] {
  const counted = new Map(Object.entries(warnings))
  for (const failure of failures) counted.set(failure, (counted.get(failure) ?? 0) + 1)
  return [...counted].map(([message, times]) => `${titleOf(size)}, ${times} times: ${message}`)
}
