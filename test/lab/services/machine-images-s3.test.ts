/**
 * Images from a real S3 service with several endpoints, some of which fail while an image is
 * downloaded; and flow logs to it.
 */

import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { createMachineImages, type MachineImages } from '../../../src/images/machine-images.ts'
import { createS3, type S3Settings } from '../../../src/images/source-s3.ts'
import { createMetrics } from '../../../src/lib/metrics.ts'
import { createKeptImages } from '../../../src/machines/created-images.ts'
import { FIRST_DRIVERS } from '../../../src/model/driver.ts'
import { DEFAULT_FIELDS } from '../../../src/model/flow-log.ts'
import { formatId, ID_BYTES } from '../../../src/model/ids.ts'
import { MIB } from '../../../src/model/sizes.ts'
import type { ImageStatus } from '../../../src/plan/workloads.ts'
import { createSink } from '../../../src/services/flow-logs/sinks.ts'
import { createFlowLogWriter } from '../../../src/services/flow-logs/writer.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { fastClock } from '../../kit/fast-clock.ts'
import { LOG, OWNER } from '../../kit/flow-logs.ts'
import { outboundTo } from '../../kit/outbound.ts'
import { numbered } from '../../kit/records.ts'
import { type Swift, startSwift } from '../../kit/swift.ts'
import { metricValue } from '../../kit/testbed.ts'

const content = bootable(24 * MIB)
const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`
const LOCATION = 's3://images/team/debian.img'
const SETTLE_MS = 60_000
const LIMITS = { fileBytes: 1e6, totalBytes: 1e8, accountBytes: 1e8, buckets: null }

let swift: Swift
let cacheDir: string

beforeAll(async () => {
  swift = await startSwift()
  await swift.client.send(new CreateBucketCommand({ Bucket: 'images' }))
  await put(content)
})
afterAll(() => swift?.[Symbol.asyncDispose]())
beforeEach(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), 'atoll-s3-images-'))
})
afterEach(() => rm(cacheDir, { recursive: true, force: true }))

/** A raw disk of noise behind the signature of a boot sector. */
function bootable(bytes: number): Buffer {
  const disk = randomBytes(bytes).fill(0, 0, 510)
  disk.writeUInt16LE(0xaa55, 510)
  return disk
}

async function put(body: Buffer): Promise<void> {
  const object = { Bucket: 'images', Key: 'team/debian.img', Body: body }
  await swift.client.send(new PutObjectCommand(object))
}

function open(s3: S3Settings = swift.settings): MachineImages & AsyncDisposable {
  const images = createMachineImages({
    kept: createKeptImages(cacheDir),
    cacheDir,
    directories: [],
    maxBytes: 64 * MIB,
    cacheBytes: 256 * MIB,
    inUse: async () => new Set(),
    s3,
    // Half a minute of silence is three seconds.
    clock: fastClock(10),
    log: silentLog,
    metrics: createMetrics(),
    outbound: outboundTo('127.0.0.1'),
  })
  return { ...images, [Symbol.asyncDispose]: () => images.close() }
}

function look(images: MachineImages, location = LOCATION): ImageStatus {
  const id = formatId('ami', Buffer.alloc(ID_BYTES, 1))
  return images.look({ id, location, digest: null, driver: FIRST_DRIVERS.machine })
}

function settled(images: MachineImages, location = LOCATION): Promise<ImageStatus> {
  return vi.waitUntil(
    () => {
      const now = look(images, location)
      return now.kind === 'working' ? undefined : now
    },
    { timeout: SETTLE_MS, interval: 20 },
  )
}

/** How much of the image is here, once it is more than `bytes`. */
function fetched(images: MachineImages, bytes: number): Promise<number> {
  return vi.waitUntil(
    async () => {
      expect(look(images).kind).toBe('working')
      for (const name of await readdir(cacheDir)) {
        const size = (await stat(join(cacheDir, name, 'disk')).catch(() => null))?.size ?? 0
        if (size > bytes) return size
      }
      return undefined
    },
    { timeout: SETTLE_MS, interval: 5 },
  )
}

test.each(['SIGKILL', 'SIGSTOP'] as const)(
  'the download goes on when an endpoint ends with %s',
  async (signal) => {
    await using images = open()
    const before = await fetched(images, 2 * MIB)
    await swift.signal(0, signal)
    const kept = await fetched(images, before - 1)
    expect(kept).toBeLessThan(content.length)
    expect(await settled(images)).toMatchObject({ kind: 'ready', digest })
    if (signal === 'SIGKILL') await swift.start(0)
    else await swift.signal(0, 'SIGCONT')
  },
)

test('an image that is replaced meanwhile is fetched again', async () => {
  const other = bootable(3 * MIB)
  await using images = open()
  await fetched(images, 2 * MIB)
  await swift.signal(0, 'SIGSTOP')
  await put(other)
  const look = await settled(images)
  await swift.signal(0, 'SIGCONT')
  await put(content)
  expect(look).toMatchObject({
    kind: 'ready',
    digest: `sha256:${createHash('sha256').update(other).digest('hex')}`,
  })
})

test('what an earlier daemon has fetched is not fetched again', async () => {
  let before: number
  {
    await using images = open()
    before = await fetched(images, 4 * MIB)
  }
  await using images = open()
  expect(await fetched(images, 0)).toBeGreaterThanOrEqual(before)
  expect(await settled(images)).toMatchObject({ kind: 'ready', digest })
})

test('missing objects, and missing permission', async () => {
  await using images = open()
  for (const name of ['images/none.img', 'none/debian.img'])
    expect(await settled(images, `s3://${name}`)).toMatchObject({
      kind: 'failed',
      message: `s3://${name} cannot be fetched from this host`,
    })
  await using stranger = open({ ...swift.settings, secretAccessKey: 'another' })
  expect(await settled(stranger)).toMatchObject({
    kind: 'failed',
    message: `${LOCATION} cannot be fetched from this host`,
  })
})

test('endpoints that do not answer are skipped, and not shown to clients', async () => {
  const nobody = ['http://127.0.0.1:1', 'http://127.0.0.1:2']
  const [first = ''] = swift.settings.endpoints
  await using images = open({ ...swift.settings, endpoints: [...nobody, first] })
  expect(await settled(images)).toMatchObject({ kind: 'ready', digest })
  await rm(cacheDir, { recursive: true, force: true })
  await using lost = open({ ...swift.settings, endpoints: nobody })
  expect(await settled(lost)).toMatchObject({
    kind: 'failed',
    message: `${LOCATION} cannot be fetched from this host`,
  })
})

test('records of flow logs arrive once, whatever endpoints do', async () => {
  await swift.client.send(new CreateBucketCommand({ Bucket: 'flows' }))
  const metrics = createMetrics()
  // Longer than an endpoint that hangs takes to be given up.
  const clock = fastClock(4)
  const s3 = createS3(swift.settings)
  const sink = createSink({ directory: cacheDir, ...LIMITS }, s3.put, clock)
  const writer = createFlowLogWriter({ sink, region: 'atoll-1', clock, log: silentLog, metrics })
  const write = (bucket: string, line: string) =>
    writer.take({
      log: {
        ...LOG,
        id: numbered('fl', bucket.length),
        destination: { kind: 's3', bucket, prefix: 'net' },
      },
      nics: [{ owner: OWNER, lines: [line] }],
      at: Date.parse('2026-11-29T08:05:59Z'),
    })
  const isWritten = (records: number) =>
    vi.waitUntil(
      async () =>
        (await metricValue(metrics, 'atoll_flow_log_records_total', 'written')) === records,
      { timeout: SETTLE_MS, interval: 50 },
    )
  write('flows', 'first')
  await isWritten(1)
  // One endpoint is gone, one says nothing, and a bucket is not there.
  await swift.signal(0, 'SIGKILL')
  await swift.signal(1, 'SIGSTOP')
  write('no-such-bucket', 'lost')
  write('flows', 'second')
  await isWritten(2)
  await swift.signal(1, 'SIGCONT')
  await swift.start(0)
  write('flows', 'third')
  await isWritten(3)
  // The bucket is made at last.
  await swift.client.send(new CreateBucketCommand({ Bucket: 'no-such-bucket' }))
  await isWritten(4)
  await writer.close()
  s3.close()
  const { Contents: found = [] } = await swift.client.send(
    new ListObjectsV2Command({ Bucket: 'flows' }),
  )
  const texts = await Promise.all(
    found.map(async ({ Key }) => {
      expect(Key).toMatch(
        /^net\/AWSLogs\/\d{12}\/vpcflowlogs\/atoll-1\/2026\/11\/29\/.*_20261129T0805Z_/,
      )
      const object = await swift.client.send(new GetObjectCommand({ Bucket: 'flows', Key }))
      return gunzipSync(Buffer.from((await object.Body?.transformToByteArray()) ?? [])).toString()
    }),
  )
  const head = DEFAULT_FIELDS.join(' ')
  expect(texts.toSorted()).toEqual(['first', 'second', 'third'].map((line) => `${head}\n${line}\n`))
  expect(await metricValue(metrics, 'atoll_flow_log_records_total', 'lost')).toBe(0)
})
