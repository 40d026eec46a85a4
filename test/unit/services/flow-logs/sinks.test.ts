/** Where lines of flow logs go: files within limits, and objects with the keys of EC2. */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { DEFAULT_FIELDS, parseS3Arn } from '../../../../src/model/flow-log.ts'
import {
  type Batch,
  createSink,
  type FlowLogSettings,
  type PutObject,
  piecesOf,
} from '../../../../src/services/flow-logs/sinks.ts'
import { LOG, OWNER } from '../../../kit/flow-logs.ts'
import { account, numbered } from '../../../kit/records.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'atoll-flow-logs-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const { signal } = new AbortController()
const settings = (): FlowLogSettings => ({
  ...{ directory, fileBytes: 100, totalBytes: 10_000, accountBytes: 10_000, buckets: null },
})

/** Writes batches; sizes of files are read each time. */
function writer(changes: Partial<FlowLogSettings> = {}, put: PutObject | null = null) {
  let now = 0
  const clock = {
    monotonic: () => {
      now += 60_000
      return now
    },
  }
  const sink = createSink({ ...settings(), ...changes }, put, clock)
  return async (batch: Batch) => {
    for (const piece of piecesOf(batch, 'atoll-1')) await sink(piece, signal)
  }
}

const batchOf = (...lines: readonly string[]): Batch => ({
  ...{ log: LOG, nics: [{ owner: OWNER, lines }], at: 0 },
})
const SHARED = [{ bucket: 'logs', prefix: 'net', accounts: null }]
const file = () => join(directory, account, 'team/web', `${OWNER.nic}-all`)

test('files are set aside when they are large, and no more is written than the limits', async () => {
  const batch = batchOf('x'.repeat(90), 'y'.repeat(90))
  const write = writer()
  for (let round = 0; round < 6; round++) await write(batch)
  expect(await readFile(file(), 'utf8')).toBe(`${'x'.repeat(90)}\n${'y'.repeat(90)}\n`)
  expect((await readdir(dirname(file()))).length).toBe(4)
  await expect(writer({ totalBytes: 10 })(batch)).rejects.toThrow('flowLogs.totalMiB')
  await expect(writer({ accountBytes: 10 })(batch)).rejects.toThrow('flowLogs.accountMiB')
  // What one account has is not another one's.
  const stranger = { ...OWNER, account: '000000000002' as typeof account }
  const other = { ...batch, nics: [{ owner: stranger, lines: ['z'] }] }
  await writer({ accountBytes: 10 })(other)
})

test('a group whose name begins with a slash is the same directory', async () => {
  const destination = { kind: 'files', group: '/team/web' } as const
  await writer()({ ...batchOf('a'), log: { ...LOG, destination } })
  expect(await readFile(file(), 'utf8')).toBe('a\n')
})

test('nobody writes through a link, and a line without an end is removed', async () => {
  await mkdir(dirname(file()), { recursive: true })
  await writeFile(join(directory, 'victim'), 'kept\n')
  await symlink(join(directory, 'victim'), file())
  await expect(writer({ fileBytes: 1000 })(batchOf('a'))).rejects.toThrow('ELOOP')
  expect(await readFile(join(directory, 'victim'), 'utf8')).toBe('kept\n')
  await rm(file())
  await writeFile(file(), 'whole\nhal')
  await writer({ fileBytes: 1000 })(batchOf('next'))
  expect(await readFile(file(), 'utf8')).toBe('whole\nnext\n')
  expect((await stat(file())).mode & 0o777).toBe(0o644)
})

test('a directory that somebody removes is made again', async () => {
  const write = writer()
  await write(batchOf('a'))
  await rm(join(directory, account), { recursive: true })
  await write(batchOf('b'))
  expect(await readFile(file(), 'utf8')).toBe('b\n')
  expect((await stat(file())).mode & 0o777).toBe(0o640)
})

test('objects have the keys of EC2, one for each account, and need a service', async () => {
  const stored: { bucket: string; key: string; text: string }[] = []
  const log = { ...LOG, destination: parseS3Arn('arn:aws:s3:::logs/net/') ?? LOG.destination }
  const second = { ...OWNER, nic: numbered('eni', 2) }
  const batch = {
    ...{ log, at: Date.parse('2026-11-29T08:05:59Z') },
    nics: [
      { owner: OWNER, lines: ['a', 'b'] },
      { owner: second, lines: ['c'] },
      { owner: { ...OWNER, account: '000000000002' as typeof account }, lines: ['d'] },
    ],
  }
  const put: PutObject = async (bucket, key, body) => {
    stored.push({ bucket, key, text: gunzipSync(body).toString() })
  }
  await writer({ buckets: SHARED }, put)(batch)
  const keyOf = (of: string) =>
    `^net/AWSLogs/${of}/vpcflowlogs/atoll-1/2026/11/29/${of}_vpcflowlogs_atoll-1_${log.id}_20261129T0805Z_[0-9a-f]{8}\\.log\\.gz$`
  const head = DEFAULT_FIELDS.join(' ')
  expect(stored).toEqual([
    { bucket: 'logs', key: expect.stringMatching(keyOf(account)), text: `${head}\na\nb\nc\n` },
    { bucket: 'logs', key: expect.stringMatching(keyOf('000000000002')), text: `${head}\nd\n` },
  ])
  // Once more is the same object.
  await writer({ buckets: SHARED }, put)(batch)
  expect(new Set(stored.map(({ key }) => key)).size).toBe(2)
  await expect(writer({ buckets: SHARED })(batch)).rejects.toThrow('images.s3')
})

test('nothing is stored in a bucket that is not the account’s, however old the flow log is', async () => {
  const keys: string[] = []
  const put: PutObject = async (bucket, key) => {
    keys.push(`${bucket}/${key}`)
  }
  const other = '000000000002' as typeof account
  const write = (of: typeof account, arn: string, buckets: FlowLogSettings['buckets']) =>
    writer(
      { buckets },
      put,
    )({
      ...{ log: { ...LOG, destination: parseS3Arn(arn) ?? LOG.destination }, at: 0 },
      nics: [{ owner: { ...OWNER, account: of }, lines: ['a'] }],
    })
  const own = [{ bucket: 'logs', prefix: 'b', accounts: [other] }]
  for (const [of, arn, buckets] of [
    [other, 'arn:aws:s3:::logs/b', null],
    [other, 'arn:aws:s3:::logs', own],
    [other, 'arn:aws:s3:::logs/bad', own],
    [other, 'arn:aws:s3:::other/b', own],
    [account, 'arn:aws:s3:::logs/b', own],
    [account, 'arn:aws:s3:::logs/b', []],
  ] as const)
    await expect(write(of, arn, buckets), arn).rejects.toThrow('flowLogs.buckets')
  expect(keys).toEqual([])
  await write(other, 'arn:aws:s3:::logs/b/deep', own)
  await write(account, 'arn:aws:s3:::any', null)
  expect(keys).toEqual([
    expect.stringMatching(`^logs/b/deep/AWSLogs/${other}/`),
    expect.stringMatching(`^any/AWSLogs/${account}/`),
  ])
})
