/** Where lines of flow logs go: files within limits, and objects with the keys of EC2. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { DEFAULT_FIELDS, parseS3Arn } from '../../../../src/model/flow-log.ts'
import { createSink } from '../../../../src/services/flow-logs/sinks.ts'
import { LOG, OWNER } from '../../../kit/flow-logs.ts'
import { account } from '../../../kit/records.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'atoll-flow-logs-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const settings = () => ({ directory, fileBytes: 100, totalBytes: 10_000, region: 'atoll-1' })

test('files are set aside when they are large, and no more is written than the limit', async () => {
  const write = createSink(settings(), null)
  const nics = [{ owner: OWNER, lines: ['x'.repeat(90), 'y'.repeat(90)] }]
  for (let round = 0; round < 6; round++) await write({ log: LOG, nics, at: 0 })
  const file = join(directory, 'team/web', `${OWNER.nic}-all`)
  expect(await readFile(file, 'utf8')).toBe(`${'x'.repeat(90)}\n${'y'.repeat(90)}\n`)
  expect((await readdir(join(directory, 'team/web'))).length).toBe(4)
  const full = createSink({ ...settings(), totalBytes: 10 }, null)
  await expect(full({ log: LOG, nics, at: 0 })).rejects.toThrow('flowLogs.totalMiB')
})

test('objects have the keys of EC2, and need a service', async () => {
  const stored: { bucket: string; key: string; text: string }[] = []
  const log = { ...LOG, destination: parseS3Arn('arn:aws:s3:::logs/net/') ?? LOG.destination }
  const batch = {
    ...{ log, at: Date.parse('2026-11-29T08:05:59Z') },
    nics: [{ owner: OWNER, lines: ['a', 'b'] }],
  }
  await createSink(settings(), async (bucket, key, body) => {
    stored.push({ bucket, key, text: gunzipSync(body).toString() })
  })(batch)
  expect(stored).toEqual([
    {
      bucket: 'logs',
      key: expect.stringMatching(
        `^net/AWSLogs/${account}/vpcflowlogs/atoll-1/2026/11/29/${account}_vpcflowlogs_atoll-1_${log.id}_20261129T0805Z_[0-9a-f]{8}\\.log\\.gz$`,
      ),
      text: `${DEFAULT_FIELDS.join(' ')}\na\nb\n`,
    },
  ])
  await expect(createSink(settings(), null)(batch)).rejects.toThrow('images.s3')
})
