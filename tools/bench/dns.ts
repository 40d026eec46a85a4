/**
 * `dns`: queries a second of our resolver, by dnsperf, against dnsmasq, unbound and knot-resolver
 * with the same names; and how long queries wait while one of 100,000 names changes.
 *
 * Servers have one processor, and dnsperf the others. Each server has one process and no limit of
 * queries (ours by the constructor's limits: an instance may ask 1,024 times a second).
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Ipv4, ipv4 } from '../../src/model/addr.ts'
import { processorSeconds } from '../kit/daemon-processes.ts'
import { createNetns, type Netns } from '../kit/netns.ts'
import { type Load, questions } from './dns/names.ts'
import {
  type DnsServer,
  type ServerName,
  startOurs,
  startOutside,
  startPeers,
} from './dns/peers.ts'
import { type Benchmark, type BenchResult, quantile } from './figures.ts'

const SIZES = [1_000, 10_000, 100_000] as const
const LOCAL: readonly Load[] = ['A', 'PTR', 'miss']
/** They do not depend on how many names there are. */
const FORWARDED: readonly Load[] = ['warm', 'cold']
const ROUNDS = 3
const SECONDS = 1
/** Each is an asker with an address and sockets of its own. */
const SOURCES = [1, 2, 3, 4].map((last) => ipv4(`10.255.0.${last}`))
/** All processors but the first, which is the servers'. */
const LOAD_CPUS = availableParallelism() > 1 ? `1-${availableParallelism() - 1}` : '0'
const CHANGES = 40
const CHANGE_PAUSE_MS = 50
const CHANGE_SECONDS = 4
const QUERIES_PER_SECOND = 1_000
const RATIO = 1
const FLAT = 0.15
const STALL_MS = 5

/** The benchmark `dns`. Needs root. */
export const dns: Benchmark = {
  name: 'dns',
  about: `queries a second with ${SIZES.join(', ')} names, against dnsmasq, unbound and knot-resolver`,
  async run(progress) {
    const server = await createNetns('dns')
    const client = await createNetns('askers')
    const directory = await mkdtemp(join(tmpdir(), 'dns-'))
    try {
      await connect(server, client)
      await startOutside(server, directory)
      const rows: Row[] = []
      for (const size of SIZES)
        rows.push(await measureSize(server, client, directory, size, progress))
      const waits = await measureChanges(server, client, directory, progress)
      return resultOf(rows, waits)
    } finally {
      await client.destroy()
      await server.destroy()
      await rm(directory, { recursive: true, force: true })
    }
  },
}

/** One run of dnsperf. */
interface Run {
  readonly perSecond: number
  /** Processor time of the server for each query, in µs. */
  readonly microseconds: number
  /** Share of queries that had no answer, or not the one that is right. */
  readonly wrong: number
}

interface Row {
  readonly size: number
  readonly residentBytes: number
  readonly runs: ReadonlyMap<string, readonly Run[]>
}

const keyOf = (name: ServerName, load: Load) => `${name}, ${load}`

async function connect(server: Netns, client: Netns): Promise<void> {
  const addresses = (device: string, ips: readonly string[]) =>
    ips.map((ip) => `ip address add ${ip} dev ${device}`)
  const script = (...lines: readonly string[]) => ['sh', '-ec', lines.join('\n')]
  await server.must(
    script(
      `ip link add srv type veth peer name cli netns ${client.pid}`,
      ...addresses(
        'srv',
        [2, 3, 4, 5, 6].map((last) => `10.0.0.${last}/8`),
      ),
      ...addresses('lo', ['169.254.169.253/32']),
      'ip link set srv up',
    ),
  )
  await client.must(
    script(
      ...addresses(
        'cli',
        SOURCES.map((ip) => `${ip}/8`),
      ),
      'ip link set cli up',
    ),
  )
}

async function measureSize(
  server: Netns,
  client: Netns,
  directory: string,
  size: number,
  progress: (line: string) => void,
): Promise<Row> {
  progress(`${size} names: starting`)
  const home = await mkdtemp(join(directory, 'servers-'))
  const ours = await startOurs(server, size, SOURCES)
  const servers: readonly DnsServer[] = [ours, ...(await startPeers(server, home, size))]
  const runs = new Map<string, Run[]>()
  const loads = size === SIZES[0] ? [...LOCAL, ...FORWARDED] : LOCAL
  // The first round warms up caches and compilers.
  for (let round = 0; round <= ROUNDS; round += 1)
    for (const load of loads) {
      progress(`${size} names: ${load}, round ${round} of ${ROUNDS}`)
      for (const [at, one] of servers.entries()) {
        // The others have no names outside to take from each other: each asks for its own.
        const file = join(home, 'questions')
        await writeFile(file, questions(load, size, round * servers.length + at))
        const run = await runOf(client, one, load, file)
        const key = keyOf(one.name, load)
        if (round > 0) runs.set(key, [...(runs.get(key) ?? []), run])
      }
    }
  const residentBytes = await ours.residentBytes()
  for (const one of servers) await one.stop()
  return { size, residentBytes, runs }
}

/** dnsperf from all sources at once. */
async function runOf(client: Netns, server: DnsServer, load: Load, file: string): Promise<Run> {
  const before = await processorSeconds(server.pid)
  const asked = await Promise.all(
    SOURCES.map((source) =>
      client.must([
        ...['taskset', '--cpu-list', LOAD_CPUS, 'dnsperf', '-s', server.address, '-a', source],
        ...['-d', file, '-l', `${SECONDS}`, '-c', '2', '-q', '50', '-t', '2'],
      ]),
    ),
  )
  const seconds = (await processorSeconds(server.pid)) - before
  const sum = (pattern: RegExp) =>
    asked.reduce((total, said) => total + Number(pattern.exec(said)?.[1] ?? 0), 0)
  const [sent, done] = [sum(/Queries sent:\s+(\d+)/), sum(/Queries completed:\s+(\d+)/)]
  const right = sum(load === 'miss' ? /NXDOMAIN (\d+)/ : /NOERROR (\d+)/)
  return {
    perSecond: sum(/Queries per second:\s+([\d.]+)/),
    microseconds: (seconds * 1e6) / Math.max(1, done),
    wrong: 1 - right / Math.max(1, sent),
  }
}

/** The longest that a query waited while nothing changed, and while names changed, in ms. */
interface Waits {
  readonly idle: number
  readonly changing: number
}

async function measureChanges(
  server: Netns,
  client: Netns,
  directory: string,
  progress: (line: string) => void,
): Promise<Waits> {
  progress('one of 100,000 names changes')
  const size = SIZES.at(-1) ?? 0
  const ours = await startOurs(server, size, SOURCES)
  // As the agent does it (precedence.ts): else what is measured is its turn on a processor.
  await server.must(['chrt', '--rr', '--pid', '1', `${ours.pid}`])
  const file = join(directory, 'questions')
  await writeFile(file, questions('A', size, 0))
  const longest = async (work: () => Promise<void>) =>
    (await Promise.all([longestWait(client, ours.address, file), work()]))[0]
  const changes = async () => {
    for (let count = 0; count < CHANGES; count += 1) {
      await ours.change()
      await delay(CHANGE_PAUSE_MS)
    }
  }
  try {
    // The first time warms up compilers.
    await longest(changes)
    return { idle: await longest(async () => undefined), changing: await longest(changes) }
  } finally {
    await ours.stop()
  }
}

/**
 * Asks a thousand times a second, one question at a time. The client comes first on its processor
 * (sched(7)), so that its own turn is no part of what it measures.
 */
async function longestWait(client: Netns, address: Ipv4, file: string): Promise<number> {
  const said = await client.must([
    ...['chrt', '--fifo', '2', 'taskset', '--cpu-list', LOAD_CPUS, 'dnsperf', '-s', address],
    ...['-a', SOURCES[0] ?? '', '-d', file, '-l', `${CHANGE_SECONDS}`],
    ...['-c', '1', '-q', '1', '-t', '2', '-Q', `${QUERIES_PER_SECOND}`],
  ])
  const [, seconds] = /Average Latency.*max ([\d.]+)\)/.exec(said) ?? []
  if (seconds === undefined) throw new Error(`dnsperf says no latency: ${said}`)
  return Number(seconds) * 1000
}

function resultOf(rows: readonly Row[], waits: Waits): BenchResult {
  const median = (row: Row | undefined, name: ServerName, load: Load, figure: keyof Run) =>
    quantile(row?.runs.get(keyOf(name, load))?.map((run) => run[figure]) ?? [0], 0.5)
  const cell = (row: Row, name: ServerName, load: Load) => {
    const wrong = median(row, name, load, 'wrong')
    const rate = Math.round(median(row, name, load, 'perSecond')).toLocaleString('en')
    const cost = median(row, name, load, 'microseconds').toFixed(1)
    return wrong > 0.01 ? `(${(wrong * 100).toFixed(0)} % wrong)` : `${rate}, ${cost} µs`
  }
  const loads = (row: Row) => (row.size === SIZES[0] ? [...LOCAL, ...FORWARDED] : LOCAL)
  const ratio = (row: Row, load: Load) =>
    median(row, 'Atoll', load, 'perSecond') / median(row, 'dnsmasq', load, 'perSecond')
  const ratios = rows.flatMap((row) =>
    loads(row).map((load) => ({ row, load, is: ratio(row, load) })),
  )
  const flat = LOCAL.map((load) => ({
    load,
    is:
      median(rows.at(-1), 'Atoll', load, 'perSecond') / median(rows[0], 'Atoll', load, 'perSecond'),
  }))
  return {
    name: 'dns',
    head: ['names', 'asked', 'Atoll', 'dnsmasq', '×', 'unbound', 'knot-resolver'],
    rows: rows.flatMap((row) =>
      loads(row).map((load) => [
        String(row.size),
        load,
        cell(row, 'Atoll', load),
        cell(row, 'dnsmasq', load),
        ratio(row, load).toFixed(2),
        cell(row, 'unbound', load),
        cell(row, 'knot-resolver', load),
      ]),
    ),
    targets: [
      {
        text: `at least ${RATIO} times what dnsmasq answers, with one process`,
        measured: ratios
          .map(({ row, load, is }) => `${row.size} ${load}: ${is.toFixed(2)}`)
          .join('; '),
        met: ratios.every(({ is }) => is >= RATIO),
      },
      {
        text: `with ${SIZES.at(-1)} names within ${FLAT * 100} % of what it is with ${SIZES[0]}`,
        measured: flat.map(({ load, is }) => `${load}: ${is.toFixed(2)}`).join('; '),
        met: flat.every(({ is }) => is >= 1 - FLAT),
      },
      {
        text: `one name of ${SIZES.at(-1)} changes: no query waits ${STALL_MS} ms`,
        measured: `${waits.changing.toFixed(1)} ms; ${waits.idle.toFixed(1)} ms without changes`,
        met: waits.changing <= STALL_MS,
      },
    ],
    notes: [
      `queries a second, and processor time of the server for each; medians of ${ROUNDS} alternating rounds of ${SECONDS} s`,
      `from ${SOURCES.length} addresses with 50 queries under way each; warm and cold are names outside, cached and not`,
      `knot-resolver asks outside for names of the cloud that do not exist, so most of its misses are wrong`,
      `ours takes ${rows.map(({ size, residentBytes }) => `${(residentBytes / 2 ** 20).toFixed(0)} MiB with ${size}`).join(', ')} names`,
    ],
    raw: Object.fromEntries([
      ...rows.flatMap((row) =>
        [...row.runs].flatMap(([key, runs]) => [
          [`${row.size} names, ${key}, queries a second`, runs.map(({ perSecond }) => perSecond)],
          [`${row.size} names, ${key}, µs each`, runs.map(({ microseconds }) => microseconds)],
        ]),
      ),
      ['longest wait without changes, ms', [waits.idle]],
      ['longest wait with changes, ms', [waits.changing]],
    ]),
  }
}
