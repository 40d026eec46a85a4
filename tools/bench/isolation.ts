/**
 * `isolation`: what requests, tenants and engines cost the packets of others. An instance asks DNS
 * and DHCP all the time (`service-watch.ts`), first alone and then beside one kind of work after
 * another. The lease is looked at meanwhile.
 */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import {
  CreateKeyPairCommand,
  CreateTagsCommand,
  DeleteKeyPairCommand,
  DescribeImagesCommand,
  RegisterImageCommand,
} from '@aws-sdk/client-ec2'
import { type Cloud, execute, withCloud } from '../kit/cloud.ts'
import { eventually } from '../kit/netns.ts'
import { closedLoop } from './api/load.ts'
import { type Client, formRequest } from './api/requests.ts'
import { askingInstance } from './asking-instance.ts'
import { type Benchmark, type BenchResult, quantile } from './figures.ts'
import type { ServiceAnswers, ServiceWatch } from './service-watch.ts'

const API_PORT = 8773
const METRICS_URL = 'http://127.0.0.1:9773/metrics'
const WORK_MS = 15_000
const STALL_MS = 10_000
const LOOK_MS = 500
const CLIENTS = 16
const TAGS = 2_000
const TAGS_OF_ONE = 50
const MOST_TIMES_IDLE = 1.5
/** The flood is to reach the daemon, and not its limit of requests. */
const UNLIMITED = 'api: {requestsPerSecond: 100000, requestBurst: 1000000}\n'
const IMPORT_MS = 120_000

/** The benchmark `isolation`. Needs root. */
export const isolation: Benchmark = {
  name: 'isolation',
  about: 'DNS and DHCP of an instance beside an API flood, a stalled database, an image pull, …',
  run: (progress) => withCloud('bench', (cloud) => measure(cloud, progress), UNLIMITED),
}

/** A kind of work beside which answers are measured. */
interface Work {
  readonly name: string
  readonly run: () => Promise<unknown>
}

interface Row extends ServiceAnswers {
  readonly name: string
  /** Whether the host held its lease whenever it was looked at. */
  readonly leaseHeld: boolean
}

async function measure(cloud: Cloud, progress: (line: string) => void): Promise<BenchResult> {
  const { watch } = await askingInstance(cloud)
  try {
    const rows: Row[] = []
    for (const { name, run } of await worksOf(cloud)) {
      progress(name)
      rows.push(await beside(watch, name, run))
    }
    return summary(rows)
  } finally {
    watch.close()
  }
}

async function worksOf(cloud: Cloud): Promise<readonly Work[]> {
  const { accessKeyId: id, secretAccessKey: secret } = cloud.credentials
  const client: Client = { port: API_PORT, id, secret }
  const flood = (parameters: Readonly<Record<string, string>>) => {
    const request = formRequest(client, parameters)
    return closedLoop({ port: API_PORT, next: () => request }, CLIENTS, WORK_MS)
  }
  await makeTags(cloud)
  return [
    { name: 'nothing', run: () => delay(WORK_MS) },
    { name: `${CLIENTS} clients that describe`, run: () => flood({ Action: 'DescribeInstances' }) },
    {
      name: `${CLIENTS} clients that describe ${TAGS} tags`,
      run: () => flood({ Action: 'DescribeTags' }),
    },
    { name: 'RSA keys without a pause', run: () => makeKeys(cloud) },
    { name: 'the database is locked for 10 s', run: () => stallDatabase(cloud) },
    { name: 'a large image is imported', run: () => importImage(cloud) },
    { name: 'nothing, again', run: () => delay(WORK_MS) },
  ]
}

async function beside(watch: ServiceWatch, name: string, run: Work['run']): Promise<Row> {
  let leaseHeld = true
  const over = new AbortController()
  const look = async () => {
    while (!over.signal.aborted) {
      const text = await fetch(METRICS_URL).then(
        (answer) => answer.text(),
        () => '',
      )
      if (/^atoll_lease_held 0$/m.test(text)) leaseHeld = false
      await delay(LOOK_MS)
    }
  }
  watch.clear()
  const looking = look()
  await run()
  const seen = watch.seen()
  over.abort()
  await looking
  return { name, ...seen, leaseHeld }
}

/** Tags of images: as many as one answer has at most. */
async function makeTags(cloud: Cloud): Promise<void> {
  for (let made = 0; made < TAGS; made += TAGS_OF_ONE) {
    const image = { Name: `tagged-${made}`, ImageLocation: 'docker://atoll-sample:static' }
    const { ImageId = '' } = await cloud.ec2.send(new RegisterImageCommand(image))
    const Tags = Array.from({ length: TAGS_OF_ONE }, (_, at) => ({
      Key: `key-${at}`,
      Value: 'v'.repeat(200),
    }))
    await cloud.ec2.send(new CreateTagsCommand({ Resources: [ImageId], Tags }))
  }
}

async function makeKeys({ ec2 }: Cloud): Promise<void> {
  const until = performance.now() + WORK_MS
  while (performance.now() < until) {
    await ec2.send(new CreateKeyPairCommand({ KeyName: 'bench', KeyType: 'rsa' }))
    await ec2.send(new DeleteKeyPairCommand({ KeyName: 'bench' }))
  }
}

/** Nobody else reads or writes meanwhile (https://www.sqlite.org/lang_transaction.html). */
async function stallDatabase({ dir }: Cloud): Promise<void> {
  const database = new DatabaseSync(join(dir, 'state/atoll.db'))
  database.exec('pragma busy_timeout = 10000; begin exclusive')
  await delay(STALL_MS)
  database.exec('rollback')
  database.close()
}

async function importImage({ dir, ec2 }: Cloud): Promise<void> {
  const path = join(dir, 'state/images/large.tar')
  const script = join(import.meta.dirname, '../../scripts/make-sample-image')
  const made = await execute(script, ['--archive', `${path}.gz`])
  if (made.exitCode !== 0) throw new Error(made.stderr)
  const ImageLocation = `file://${path}.gz`
  await ec2.send(new RegisterImageCommand({ Name: 'large', ImageLocation }))
  const isAvailable = async () => {
    const { Images = [] } = await ec2.send(new DescribeImagesCommand({ Owners: ['self'] }))
    return Images.find(({ Name }) => Name === 'large')?.State === 'available'
  }
  await eventually('the image is there', isAvailable, IMPORT_MS)
}

function summary(rows: readonly Row[]): BenchResult {
  const [idle] = rows
  if (idle === undefined) throw new Error('nothing was measured')
  const p99 = (figures: readonly number[]) => quantile(figures, 0.99)
  const ratio = ({ dnsMs, dhcpMs }: Row) =>
    Math.max(p99(dnsMs) / p99(idle.dnsMs), p99(dhcpMs) / p99(idle.dhcpMs))
  const worst = rows.slice(1).toSorted((a, b) => ratio(b) - ratio(a))[0] ?? idle
  const lost = rows.reduce((sum, row) => sum + row.lost, 0)
  return {
    name: 'isolation',
    head: ['beside', 'DNS p50, p99 ms', 'DHCP p50, p99 ms', 'x idle (p99)', 'lost', 'lease held'],
    rows: rows.map((row) => [
      row.name,
      [0.5, 0.99].map((share) => quantile(row.dnsMs, share).toFixed(2)).join(', '),
      [0.5, 0.99].map((share) => quantile(row.dhcpMs, share).toFixed(2)).join(', '),
      ratio(row).toFixed(2),
      String(row.lost),
      row.leaseHeld ? 'always' : 'NOT ALWAYS',
    ]),
    targets: [
      {
        text: `p99 at most ${MOST_TIMES_IDLE} x idle`,
        measured: `${ratio(worst).toFixed(2)} x (${worst.name})`,
        met: ratio(worst) <= MOST_TIMES_IDLE,
      },
      { text: 'no question lost', measured: String(lost), met: lost === 0 },
      {
        text: 'the lease is never late',
        measured: rows.every((row) => row.leaseHeld) ? 'never' : 'late',
        met: rows.every((row) => row.leaseHeld),
      },
    ],
    notes: ['The load is on the same processors, so part of each figure is their queue.'],
    raw: Object.fromEntries(
      rows.flatMap((row) => [
        [`${row.name}: dns, ms`, row.dnsMs],
        [`${row.name}: dhcp, ms`, row.dhcpMs],
      ]),
    ),
  }
}
