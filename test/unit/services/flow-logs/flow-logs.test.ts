/** Flow logs: what is recorded, for how long one record collects, and where lines go. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ipv4 } from '../../../../src/model/addr.ts'
import type { FlowTraffic } from '../../../../src/model/flow.ts'
import {
  DEFAULT_FIELDS,
  type FlowLogWant,
  type FlowRecordOwner,
  fieldsOf,
  isLogGroup,
  parseS3Arn,
} from '../../../../src/model/flow-log.ts'
import { createAcceptedReader } from '../../../../src/services/flow-logs/accepted.ts'
import { createInterval, type Sighting } from '../../../../src/services/flow-logs/intervals.ts'
import { createSink } from '../../../../src/services/flow-logs/sinks.ts'
import { account, numbered } from '../../../kit/records.ts'

const OWNER: FlowRecordOwner = {
  account,
  nic: numbered('eni', 1),
  vpc: numbered('vpc', 1),
  subnet: numbered('subnet', 1),
  instance: numbered('i', 1),
}
const LOG: FlowLogWant = {
  id: numbered('fl', 1),
  trafficType: 'ALL',
  destination: { kind: 'files', group: 'team/web' },
  fields: DEFAULT_FIELDS,
  aggregationSeconds: 60,
}
const SEEN: Sighting = {
  ...{ source: '172.31.0.5', destination: '172.31.0.9', sourcePort: 40_000, destinationPort: 22 },
  ...{ protocol: 6, packets: 2, bytes: 120, action: 'ACCEPT', direction: 'egress' },
}
let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'atoll-flow-logs-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const settings = () => ({ directory, fileBytes: 100, totalBytes: 10_000, region: 'atoll-1' })

test('sightings of one flow are one record, until the interval ends', () => {
  const interval = createInterval(LOG, 1000)
  interval.follow([OWNER])
  interval.see(OWNER.nic, SEEN, 1010)
  interval.see(OWNER.nic, { ...SEEN, packets: 1, bytes: 40 }, 1030)
  interval.see(OWNER.nic, { ...SEEN, action: 'REJECT' }, 1030)
  interval.see(numbered('eni', 9), SEEN, 1030)
  expect(interval.take(1059)).toBeNull()
  expect(interval.take(1060)?.flatMap(({ lines }) => lines)).toEqual([
    `2 ${account} ${OWNER.nic} 172.31.0.5 172.31.0.9 40000 22 6 3 160 1010 1030 ACCEPT OK`,
    `2 ${account} ${OWNER.nic} 172.31.0.5 172.31.0.9 40000 22 6 2 120 1030 1030 REJECT OK`,
  ])
  expect(interval.take(1120)?.flatMap(({ lines }) => lines)).toEqual([
    `2 ${account} ${OWNER.nic} - - - - - - - 1060 1120 - NODATA`,
  ])
})

test('only the wanted traffic is recorded, and what is missing is said', () => {
  const interval = createInterval({ ...LOG, trafficType: 'REJECT' }, 0)
  interval.follow([OWNER])
  interval.see(OWNER.nic, SEEN, 1)
  interval.see(OWNER.nic, { ...SEEN, action: 'REJECT' }, 2)
  interval.skip(OWNER.nic)
  const lines = interval.take(60)?.flatMap((one) => one.lines) ?? []
  expect(lines.map((line) => line.split(' ').slice(-2).join(' '))).toEqual([
    'REJECT OK',
    '- SKIPDATA',
  ])
})

test('a NIC that has left is recorded to the end of the interval, and no more flows than a limit', () => {
  const interval = createInterval(LOG, 0)
  interval.follow([OWNER])
  for (let port = 0; port < 10_005; port++)
    interval.see(OWNER.nic, { ...SEEN, sourcePort: port }, 1)
  interval.follow([])
  const lines = interval.take(60)?.flatMap((one) => one.lines) ?? []
  expect(lines).toHaveLength(10_001)
  expect(lines.at(-1)).toContain('SKIPDATA')
  interval.follow([])
  expect(interval.take(120)).toEqual([])
})

test('each end of a connection sees its own address, and what was counted since', () => {
  const read = createAcceptedReader()
  const nic = ipv4('172.31.0.5')
  const flow: FlowTraffic = {
    ...{ id: '1', protocol: 6, port: 443, code: 0, sourcePort: 5000 },
    // Masqueraded.
    ...{ source: nic, destination: ipv4('203.0.113.9') },
    ...{ answerFrom: ipv4('203.0.113.9'), answerTo: ipv4('198.51.100.1') },
    ...{ sent: { packets: 5, bytes: 500 }, answered: { packets: 0, bytes: 0 } },
  }
  expect(read([flow], new Set([nic]))).toEqual([
    expect.objectContaining({
      nic,
      direction: 'egress',
      source: nic,
      destinationPort: 443,
      packets: 5,
    }),
  ])
  const more = { ...flow, sent: { packets: 6, bytes: 600 }, answered: { packets: 1, bytes: 60 } }
  expect(
    read([more], new Set([nic])).map(({ direction, source, destination, packets, bytes }) => ({
      ...{ direction, source, destination, packets, bytes },
    })),
  ).toEqual([
    { direction: 'egress', source: nic, destination: '203.0.113.9', packets: 1, bytes: 100 },
    { direction: 'ingress', source: '203.0.113.9', destination: nic, packets: 1, bytes: 60 },
  ])
})

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

test.each([
  ['web', true],
  ['/aws/vpc', true],
  ['a/../b', false],
  ['..', false],
  ['a//b', false],
  ['', false],
  ['a b', false],
  ['x\u0000', false],
])('whether %j names a group', (name, is) => expect(isLogGroup(name)).toBe(is))

const field = (name: string) => `\u0024{${name}}`

test('formats are made of known fields', () => {
  const [version, vpc] = ['version', 'vpc-id'].map(field)
  expect(fieldsOf(`${version} ${vpc}`)).toEqual(['version', 'vpc-id'])
  for (const bad of ['', field('tcp-flags'), 'version', `${version}  ${vpc}`])
    expect(fieldsOf(bad)).toBeUndefined()
})
