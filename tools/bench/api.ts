/**
 * The EC2 API: DescribeInstances of 1,000 instances, and RunInstances with a driver that does
 * nothing, compared with moto's server and, for a description by id, with a bare Node server.
 *
 * All servers get the same requests from the same generator, which shares the machine's processors
 * with them, in short rounds that take turns. One more Atoll has the records of 100,000 terminated
 * instances with a tag each.
 */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { addTerminated, type Contents, FEW, fill, IN_SECOND_VPC, INSTANCES } from './api/fill.ts'
import { closedLoop, openLoop, type Run, type Target } from './api/load.ts'
import { type Peer, startAtoll, startBareServer, startMoto } from './api/peers.ts'
import { call, formRequest, textsOf } from './api/requests.ts'
import { type Benchmark, type BenchResult, quantile } from './figures.ts'

const TERMINATED = 100_000
const CLIENTS = [1, 8] as const
const ROUNDS = 5
const ROUND_MS = 1_000
/** Moto takes seconds for 1,000 instances. */
const MOTO_ROUNDS = 3
const HALF_LOAD_MS = 5_000
const LEAST_TIMES_MOTO = 20
const LEAST_SHARE_OF_BARE = 0.5
const MOST_MS = 50
/** Two medians of the same server differ by this much. */
const LEAST_SHARE_WITH_RECORDS = 0.9

/** A kind of request. */
interface Work {
  readonly name: string
  /** The instances in an answer. */
  readonly instances: number
  /** The parameters of the next request. */
  readonly next: (peer: Peer, contents: Contents) => () => Readonly<Record<string, string | number>>
  /** Each request is signed when it is sent, because it must differ from all others. */
  readonly isOnce?: true
}

const describe = (...pairs: readonly (readonly [string, string])[]) =>
  Object.fromEntries([['Action', 'DescribeInstances'], ...pairs])
const filtered = (name: string, value: string) =>
  describe(['Filter.1.Name', name], ['Filter.1.Value.1', value])

const BY_ID: Work = {
  name: 'DescribeInstances by id',
  instances: 1,
  next: (_peer, { ids }) => {
    let index = 0
    return () => describe(['InstanceId.1', ids[index++ % ids.length] ?? ''])
  },
}
const WORKS: readonly Work[] = [
  BY_ID,
  {
    name: `by tag (${FEW} of ${INSTANCES})`,
    instances: FEW,
    next: () => () => filtered('tag:Role', 'database'),
  },
  {
    name: `by state (${FEW})`,
    instances: FEW,
    next: () => () => filtered('instance-state-name', 'stopped'),
  },
  {
    name: `by VPC (${IN_SECOND_VPC})`,
    instances: IN_SECOND_VPC,
    next:
      (_peer, { vpc }) =>
      () =>
        filtered('vpc-id', vpc),
  },
  { name: `all ${INSTANCES}`, instances: INSTANCES, next: () => () => describe() },
  {
    name: 'RunInstances',
    instances: 1,
    isOnce: true,
    next:
      ({ type }, { image }) =>
      () => ({
        Action: 'RunInstances',
        ...{ ImageId: image, InstanceType: type, MinCount: 1, MaxCount: 1 },
        ClientToken: randomUUID(),
      }),
  },
]

/** Different requests of one kind that are signed before. */
const SIGNED = INSTANCES

/** What was measured of one kind of request and number of clients. */
interface Row {
  readonly work: Work
  readonly clients: number
  readonly atoll: readonly Run[]
  readonly withRecords: readonly Run[]
  readonly moto: readonly Run[]
  readonly bare: readonly Run[]
}

/** What was measured at half of the peak. */
interface Half {
  readonly work: Work
  readonly perSecond: number
  readonly ms: readonly number[]
  /** Longest pause of the server's event loop. */
  readonly pauseMs: number
}

/** The benchmark `api`. */
export const api: Benchmark = {
  name: 'api',
  about: 'DescribeInstances and RunInstances over HTTP, beside moto and a bare Node server',
  async run(progress) {
    await using parts = new AsyncDisposableStack()
    const directory = await mkdtemp(join(tmpdir(), 'api-'))
    parts.defer(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }))
    progress('starting the servers')
    const servers = await startServers(directory, parts, progress)
    const rows: Row[] = []
    const halves: Half[] = []
    for (const work of WORKS) {
      progress(work.name)
      const measured = await measure(servers, work)
      rows.push(...measured)
      halves.push(await atHalf(servers.atoll, work, peakOf(measured)))
    }
    return resultOf(rows, halves, servers.moto !== null)
  },
}

/** A server, and what it has. */
interface Server {
  readonly peer: Peer
  readonly contents: Contents
}

interface Servers {
  readonly atoll: Server
  readonly withRecords: Server
  readonly moto: Server | null
  readonly barePort: number
}

async function startServers(
  directory: string,
  parts: AsyncDisposableStack,
  progress: (line: string) => void,
): Promise<Servers> {
  const filled = async (peer: Peer): Promise<Server> => ({ peer, contents: await fill(peer) })
  const atoll = await filled(await startAtoll('Atoll', join(directory, 'few'), parts))
  const many = join(directory, 'many')
  const withRecords = await filled(await startAtoll('Atoll with more records', many, parts))
  progress(`adding the records of ${TERMINATED} terminated instances`)
  await addTerminated(withRecords.peer, withRecords.contents, join(many, 'atoll.db'), TERMINATED)
  const peer = await startMoto(parts)
  if (peer === null) progress('moto is not installed, and left out (pip install moto[server])')
  const moto = peer === null ? null : await filled(peer)
  for (const one of [atoll, withRecords, moto]) if (one !== null) await check(one)
  const [id = ''] = atoll.contents.ids
  const answer = await call(atoll.peer.client, describe(['InstanceId.1', id]))
  return { atoll, withRecords, moto, barePort: await startBareServer(answer.length, parts) }
}

/** Each request gets as many instances as expected. */
async function check({ peer, contents }: Server): Promise<void> {
  for (const work of WORKS) {
    const answer = await call(peer.client, work.next(peer, contents)())
    const found = textsOf(answer, 'instanceId').length
    // Attachments of network interfaces name no instance here, but a page of moto's may be short.
    if (found !== work.instances)
      throw new Error(`${peer.name}, ${work.name}: ${found} instances, not ${work.instances}`)
  }
}

function targetOf({ peer, contents }: Server, work: Work): Target {
  const { client } = peer
  const next = work.next(peer, contents)
  if (work.isOnce === true) return { port: client.port, next: () => formRequest(client, next()) }
  const signed = Array.from({ length: SIGNED }, () => formRequest(client, next()))
  let index = 0
  return {
    port: client.port,
    next: () => signed[index++ % SIGNED] ?? Buffer.alloc(0),
  }
}

async function measure(servers: Servers, work: Work): Promise<readonly Row[]> {
  const { atoll, withRecords, moto, barePort } = servers
  const targets: Readonly<Record<'atoll' | 'withRecords' | 'moto' | 'bare', Target | null>> = {
    atoll: targetOf(atoll, work),
    withRecords: targetOf(withRecords, work),
    moto: moto && targetOf(moto, work),
    bare: work === BY_ID ? { ...targetOf(atoll, work), port: barePort } : null,
  }
  const rows = CLIENTS.map((clients) => ({
    ...{ work, clients },
    ...{ atoll: [] as Run[], withRecords: [] as Run[], moto: [] as Run[], bare: [] as Run[] },
  }))
  const names = ['atoll', 'moto', 'withRecords', 'bare'] as const
  for (let round = 0; round <= ROUNDS; round += 1)
    for (const row of rows)
      for (const name of round % 2 === 0 ? names : names.toReversed()) {
        const target = targets[name]
        if (target === null || (name === 'moto' && round > MOTO_ROUNDS)) continue
        const run = await closedLoop(target, row.clients, ROUND_MS)
        // The first warms up.
        if (round > 0) row[name].push(run)
      }
  return rows
}

function rateOf(runs: readonly Run[]): number {
  return quantile(
    runs.map(({ perSecond }) => perSecond),
    0.5,
  )
}

function peakOf(rows: readonly Row[]): number {
  return Math.max(...rows.map(({ atoll }) => rateOf(atoll)))
}

async function atHalf(server: Server, work: Work, peak: number): Promise<Half> {
  const target = targetOf(server, work)
  await server.peer.pauseMs?.()
  const { ms } = await openLoop(target, peak / 2, HALF_LOAD_MS)
  const pauseMs = (await server.peer.pauseMs?.()) ?? 0
  return { work, perSecond: peak / 2, ms, pauseMs }
}

const p99 = (runs: readonly Run[]) =>
  quantile(
    runs.flatMap(({ ms }) => ms),
    0.99,
  )

function resultOf(rows: readonly Row[], halves: readonly Half[], withMoto: boolean): BenchResult {
  const times = (runs: readonly Run[], row: Row) => rateOf(row.atoll) / rateOf(runs)
  return {
    name: 'api',
    head: [
      'request',
      'clients',
      'Atoll, 1/s',
      'p99, ms',
      `with ${TERMINATED} terminated, 1/s`,
      'moto, 1/s',
      '× moto',
      'bare Node, 1/s',
      '× bare',
      'at half of the peak: p99, ms',
      'longest pause, ms',
    ],
    rows: rows.map((row) => {
      const { work, clients, atoll, withRecords, moto, bare } = row
      const half = clients === 1 ? undefined : halves.find((one) => one.work === work)
      return [
        work.name,
        String(clients),
        rounded(rateOf(atoll)),
        p99(atoll).toFixed(1),
        rounded(rateOf(withRecords)),
        ...(moto.length === 0 ? ['', ''] : [rounded(rateOf(moto)), times(moto, row).toFixed(1)]),
        ...(bare.length === 0 ? ['', ''] : [rounded(rateOf(bare)), times(bare, row).toFixed(2)]),
        ...(half === undefined
          ? ['', '']
          : [quantile(half.ms, 0.99).toFixed(1), half.pauseMs.toFixed(0)]),
      ]
    }),
    targets: targetsOf(rows, halves),
    notes: [
      `Medians of ${ROUNDS} rounds of ${ROUND_MS} ms (moto: ${MOTO_ROUNDS}). Generator and server share the processors of one machine.`,
      'At half of the peak, requests come at fixed times, and each counts from when it was due.',
      'Moto checks no signatures. The bare server answers every request with as many bytes as Atoll.',
      ...(withMoto ? [] : ['moto_server is not installed here and was left out.']),
    ],
    raw: rawOf(rows, halves),
  }
}

function rounded(rate: number): string {
  return rate < 10 ? rate.toFixed(1) : String(Math.round(rate))
}

/** The least of a ratio over some rows, and the row that has it. */
function worst(
  rows: readonly Row[],
  ratio: (row: Row) => number,
): { readonly value: number; readonly of: string } {
  const found = rows.map((row) => ({
    value: ratio(row),
    of: `${row.work.name}, ${row.clients} ${row.clients === 1 ? 'client' : 'clients'}`,
  }))
  return found.reduce((a, b) => (b.value < a.value ? b : a))
}

function targetsOf(rows: readonly Row[], halves: readonly Half[]): BenchResult['targets'] {
  const withMoto = rows.filter(({ moto }) => moto.length > 0)
  const withBare = rows.filter(({ bare }) => bare.length > 0)
  const least = (
    text: string,
    limit: number,
    some: readonly Row[],
    ratio: (row: Row) => number,
  ) => {
    if (some.length === 0) return []
    const { value, of } = worst(some, ratio)
    return [{ text, measured: `${value.toFixed(2)} (${of})`, met: value >= limit }]
  }
  const slowest = halves.reduce((a, b) => (quantile(b.ms, 0.99) > quantile(a.ms, 0.99) ? b : a))
  const slowestMs = quantile(slowest.ms, 0.99)
  return [
    ...least(
      `at least ${LEAST_TIMES_MOTO} × moto`,
      LEAST_TIMES_MOTO,
      withMoto,
      (row) => rateOf(row.atoll) / rateOf(row.moto),
    ),
    ...least(
      `by id, at least ${LEAST_SHARE_OF_BARE} × a bare server`,
      LEAST_SHARE_OF_BARE,
      withBare,
      (row) => rateOf(row.atoll) / rateOf(row.bare),
    ),
    ...least(
      `with ${TERMINATED} terminated instances at least ${LEAST_SHARE_WITH_RECORDS} × without`,
      LEAST_SHARE_WITH_RECORDS,
      rows,
      (row) => rateOf(row.withRecords) / rateOf(row.atoll),
    ),
    {
      text: `p99 at half of the peak at most ${MOST_MS} ms`,
      measured: `${slowestMs.toFixed(1)} (${slowest.work.name})`,
      met: slowestMs <= MOST_MS,
    },
  ]
}

function rawOf(rows: readonly Row[], halves: readonly Half[]): BenchResult['raw'] {
  const series: [string, readonly number[]][] = []
  for (const row of rows)
    for (const name of ['atoll', 'withRecords', 'moto', 'bare'] as const)
      if (row[name].length > 0)
        series.push([
          `${row.work.name}, ${row.clients} clients, ${name}, per second`,
          row[name].map(({ perSecond }) => perSecond),
        ])
  for (const { work, ms } of halves) series.push([`${work.name}, half of the peak, ms`, ms])
  return Object.fromEntries(series)
}
