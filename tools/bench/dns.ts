/**
 * `dns`: queries a second of our resolver, by dnsperf, against dnsmasq, unbound and knot-resolver
 * with the same names; and how long queries wait while one of 100,000 names changes.
 *
 * Servers have one processor, and dnsperf the others. Each server has one process and no limit of
 * queries (ours by the constructor's limits: an instance may ask 1,024 times a second).
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Ipv4, ipv4 } from '../../src/model/addr.ts'
import { processorSeconds } from '../kit/daemon-processes.ts'
import { createNetns, type Netns } from '../kit/netns.ts'
import { type Load, nameOf, questions, ZONE } from './dns/names.ts'
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
      const waits = await measureChanges(server, client, progress)
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

/** How long answers take, one after the other, idle and while names change, in ms. */
interface Waits {
  readonly idle: readonly number[]
  readonly changing: readonly number[]
}

async function measureChanges(
  server: Netns,
  client: Netns,
  progress: (line: string) => void,
): Promise<Waits> {
  progress('one of 100,000 names changes')
  const ours = await startOurs(server, SIZES.at(-1) ?? 0, SOURCES)
  const leave = client.enter()
  try {
    const changes = async (change: () => Promise<void>) => {
      for (let count = 0; count < CHANGES; count += 1) {
        await change()
        await delay(CHANGE_PAUSE_MS)
      }
    }
    await waitsDuring(ours.address, changes(ours.change))
    const idle = await waitsDuring(
      ours.address,
      changes(async () => undefined),
    )
    return { idle, changing: await waitsDuring(ours.address, changes(ours.change)) }
  } finally {
    leave()
    await ours.stop()
  }
}

/** Asks again as soon as there is an answer, until the work is over. */
async function waitsDuring(address: Ipv4, work: Promise<void>): Promise<readonly number[]> {
  const socket = createSocket('udp4')
  const query = queryFor(`${nameOf(1).name}.${ZONE}`)
  const waits: number[] = []
  let isOver = false
  void work.then(() => (isOver = true))
  while (!isOver) {
    const began = performance.now()
    const heard = once(socket, 'message')
    socket.send(query, 53, address)
    await heard
    waits.push(performance.now() - began)
    await delay(1)
  }
  await work
  socket.close()
  return waits
}

/** A question for the A records of a name (RFC 1035 section 4.1). */
function queryFor(name: string): Buffer {
  const labels = name.split('.').flatMap((label) => [Buffer.of(label.length), Buffer.from(label)])
  const head = Buffer.from('000101000001000000000000', 'hex')
  return Buffer.concat([head, ...labels, Buffer.from('0000010001', 'hex')])
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
  const longest = (figures: readonly number[]) => Math.max(...figures)
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
        measured: `${longest(waits.changing).toFixed(1)} ms of ${waits.changing.length} queries; ${longest(waits.idle).toFixed(1)} ms of ${waits.idle.length} without changes`,
        met: longest(waits.changing) <= STALL_MS,
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
      ['waits without changes, ms', waits.idle],
      ['waits with changes, ms', waits.changing],
    ]),
  }
}
