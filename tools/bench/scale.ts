/**
 * `scale`: what a cloud of 10, 100 and 1,000 hosts costs, and how fast it launches. Each host is
 * the daemon's own records, bus, agent and lease over a machine that is none; MariaDB and RabbitMQ
 * are real, one node each, on this machine. One host, the witness, has a process to itself as a
 * real one has; the others share processes.
 */
import { type Benchmark, type BenchResult, quantile } from './figures.ts'
import { type Engines, startEngines } from './scale/engines.ts'
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

const SIZES: readonly Size[] = [
  { hosts: 10, vpcs: 1 },
  { hosts: 100, vpcs: 1 },
  { hosts: 1000, vpcs: 1 },
  { hosts: 1000, vpcs: 100 },
]
const FLAT = 1.2
const LAUNCHES_PER_SECOND = 50
/** OpenStack Nova on 196 hosts, as published. */
const NOVA_PER_SECOND = 1.5

/** The benchmark `scale`; needs root. */
export const scale: Benchmark = {
  name: 'scale',
  about: `${SIZES.map(titleOf).join('; ')}: simulated hosts on real engines: launches a second, cost per host`,
  async run(progress) {
    const measured: Measured[] = []
    for (const size of SIZES) {
      // Fresh engines for each size: what one leaves behind in them is not the next one's cost.
      const engines: Engines = await startEngines()
      try {
        measured.push(await measureCluster(engines, size, progress))
      } finally {
        await engines[Symbol.asyncDispose]()
      }
    }
    return summary(measured)
  },
}

function titleOf({ hosts, vpcs }: Size): string {
  return `${hosts} hosts${vpcs === 1 ? '' : `, ${vpcs} VPCs`}`
}

/** One line of the table: a figure of each cluster. */
interface Line {
  readonly name: string
  readonly of: (one: Measured) => number
  readonly digits: number
  /** Whether it must be flat from 100 to 1,000 hosts. */
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

function wrongsOf({ failures, unanswered, pending, doubled, lapsed }: Measured): readonly number[] {
  return [failures.length, unanswered, pending, doubled, lapsed]
}

function quantileOf(figures: readonly number[], share: number): number {
  return figures.length === 0 ? Number.NaN : quantile(figures, share)
}

function summary(measured: readonly Measured[]): BenchResult {
  const ratios = LINES.map((line) => ({ line, ratio: growthOf(measured, line) }))
  return {
    name: 'scale',
    head: ['', ...measured.map(titleOf), '1000 : 100'],
    rows: ratios.map(({ line: { name, of, digits }, ratio }) => [
      name,
      ...measured.map((one) => of(one).toFixed(digits)),
      ratio.toFixed(2),
    ]),
    targets: [
      {
        text: `at least ${LAUNCHES_PER_SECOND} launches a second at every size (nova, published: ${NOVA_PER_SECOND} on 196 hosts)`,
        measured: measured.map((one) => one.launchesPerSecond.toFixed(0)).join(', '),
        met: measured.every((one) => one.launchesPerSecond >= LAUNCHES_PER_SECOND),
      },
      {
        text: 'no launch failed, was made without an answer or does not run; no address twice, no lease lost',
        measured: measured.map((one) => wrongsOf(one).join('/')).join(', '),
        met: measured.every((one) => wrongsOf(one).every((wrongs) => wrongs === 0)),
      },
      ...ratios
        .filter(({ line }) => line.isFlat === true)
        .map(({ line, ratio }) => ({
          text: `${line.name}: at most ${FLAT} x from 100 to 1,000 hosts`,
          measured: `${ratio.toFixed(2)} x`,
          met: ratio <= FLAT,
        })),
    ],
    notes: [...NOTES, ...measured.flatMap(troublesOf)],
    raw: Object.fromEntries(LINES.map(({ name, of }) => [name, measured.map(of)])),
  }
}

const NOTES = [
  `Launches: ${STORM_LAUNCHES} RunInstances actions, ${STORM_WIDTH} at a time, ${API_HOSTS} API hosts in turn; without HTTP and its signature.`,
  `Idle: ${IDLE_SECONDS} s without instances; statements are counted by MariaDB (Questions: BEGIN and COMMIT are statements too), messages by the hosts and by a queue that hears what all hear.`,
  `Load: ${STREAM_PER_SECOND} launches a second in the whole cloud for ${STREAM_SECONDS} s, besides the ${STORM_LAUNCHES} instances that run.`,
  'Hosts renew a lease of 4.3 s every 1.4 s and look at the records every 10 s; a start takes 250 ms on the machine that is none.',
  'MariaDB flushes every commit to disk. Hosts and engines share the processors of one machine.',
]

/** Growth of a figure from 100 to 1,000 hosts; none of nothing. */
function growthOf(measured: readonly Measured[], { of }: Line): number {
  const at = (hosts: number) => {
    const one = measured.find((each) => each.hosts === hosts && each.vpcs === 1)
    return one === undefined ? Number.NaN : of(one)
  }
  const [before, after] = [at(100), at(1000)]
  return before === 0 && after === 0 ? 1 : after / before
}

function troublesOf({ warnings, failures, ...size }: Measured): readonly string[] {
  const counted = new Map(Object.entries(warnings))
  for (const failure of failures) counted.set(failure, (counted.get(failure) ?? 0) + 1)
  return [...counted].map(([message, times]) => `${titleOf(size)}, ${times} times: ${message}`)
}
