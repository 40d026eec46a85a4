/** Calls over HTTP, with their records in the store and in the files of the host. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { allActions } from '../../../../src/api/actions/all.ts'
import { systemClock } from '../../../../src/lib/clock.ts'
import { STRANGERS } from '../../../../src/model/audit.ts'
import { unavailable } from '../../../../src/model/errors.ts'
import { withoutReplica } from '../../../../src/store/replica-reads.ts'
import { KEY, type RunningApi, runApi } from '../../../kit/api.ts'
import { ALICE, type Cloud, openCloud } from '../../../kit/api-cloud.ts'
import { openTestAudit, type TestAudit } from '../../../kit/audit.ts'
import { query } from '../../../kit/query.ts'
import { metricValue } from '../../../kit/testbed.ts'

let cloud: Cloud
let test: TestAudit
let api: RunningApi
beforeEach(async () => {
  cloud = await openCloud()
  await cloud.store.change((tx) => tx.insertAccessKey(KEY))
})
afterEach(async () => {
  await api?.[Symbol.asyncDispose]()
  await test?.[Symbol.asyncDispose]()
  await cloud[Symbol.asyncDispose]()
})

async function begin(options: Parameters<typeof openTestAudit>[1] = {}): Promise<void> {
  test = await openTestAudit(cloud.store, options)
  const parts = { ...cloud.parts, clock: systemClock, audit: test.audit }
  api = await runApi(allActions, { parts })
}

it('commits the record of a change with the change, and files it', async () => {
  await begin()
  const headers = { 'user-agent': 'evil\tagent', 'x-forwarded-for': '203.0.113.9' }
  const made = await query(api, 'CreateVpc', 'CidrBlock=10.7.0.0%2F16', { headers })
  const vpc = known(/vpc-[0-9a-f]{17}/.exec(made.body)?.[0])
  const [event, ...more] = await test.stored(ALICE)
  expect(more).toEqual([])
  expect(event).toMatchObject({
    ...{ kind: 'change', name: 'CreateVpc', source: 'ec2.amazonaws.com', user: 'admin' },
    ...{ accessKey: KEY.id, isReadOnly: false },
    resources: expect.arrayContaining([{ type: 'AWS::EC2::VPC', name: vpc }]),
  })
  expect(JSON.parse(event?.event ?? '')).toMatchObject({
    eventName: 'CreateVpc',
    sourceIPAddress: '127.0.0.1',
    userAgent: 'evil?agent',
    userIdentity: { arn: `arn:aws:iam::${ALICE}:user/admin`, accessKeyId: KEY.id },
    requestParameters: { cidrBlock: '10.7.0.0/16' },
    responseElements: { vpc: { vpcId: vpc } },
    requestID: known(/<requestId>(.*?)</.exec(made.body)?.[1]),
    eventID: event?.id,
  })
  await expect.poll(() => test.filed(ALICE)).toMatchObject([{ eventID: event?.id }])
})

it('rolls the record back with a dry run, and records that it was one', async () => {
  await begin()
  await query(api, 'CreateVpc', 'CidrBlock=10.7.0.0%2F16&DryRun=true')
  await expect.poll(() => test.stored(ALICE)).toMatchObject([{ kind: 'other' }])
  expect(await test.filed(ALICE)).toMatchObject([{ errorCode: 'Client.DryRunOperation' }])
})

it('records calls that fail, unknown keys and actions, and no successful read', async () => {
  await begin()
  await query(api, 'DescribeVpcs')
  await query(api, 'DescribeVpcs', 'VpcId.1=vpc-0123456789abcdef0')
  await query(api, 'NoSuchAction')
  await query(api, 'DescribeVpcs', '', { headers: { authorization: unknownKey() } })
  await expect
    .poll(async () => (await test.stored(ALICE)).map(({ name }) => name).toSorted())
    .toEqual(['DescribeVpcs', 'NoSuchAction'])
  const failed = (await test.filed(ALICE)).map(({ errorCode }) => errorCode)
  expect(failed).toEqual(['Client.InvalidVpcID.NotFound', 'Client.InvalidAction'])
  await expect.poll(() => test.stored(STRANGERS)).toMatchObject([{ accessKey: 'AKIDUNKNOWN' }])
})

it('records what hands out a secret, without the secret', async () => {
  await begin()
  await query(api, 'CreateKeyPair', 'KeyName=k&KeyType=ed25519')
  const [{ event } = { event: '' }] = await test.stored(ALICE)
  expect(event).toContain('"keyName":"k"')
  expect(event).not.toContain('PRIVATE KEY')
})

it('records reads if it is told to', async () => {
  await begin({ reads: 'all' })
  await query(api, 'DescribeVpcs')
  await expect.poll(() => test.stored(ALICE)).toMatchObject([{ isReadOnly: true }])
})

it('does not fail or delay a call when the store takes no records', async () => {
  const broken = withoutReplica({
    ...cloud.store,
    change: async () => {
      throw unavailable('the store is away')
    },
  })
  await begin({ writes: broken })
  for (let n = 0; n < 20; n += 1) await query(api, 'NoSuchAction')
  await expect.poll(async () => (await test.filed(ALICE)).length).toBe(20)
  expect(await test.stored(ALICE)).toEqual([])
})

it('counts what one account has too much of', async () => {
  await begin({ clock: { ...systemClock, monotonic: () => 0 } })
  for (let round = 0; round < 5; round += 1)
    await Promise.all(Array.from({ length: 50 }, () => query(api, 'NoSuchAction')))
  const lost = await metricValue(test.metrics, 'atoll_audit_lost_total', 'rate')
  expect(lost).toBe(50)
  await expect.poll(async () => (await test.filed(ALICE)).length).toBe(200)
})

it('keeps so many records of each kind, and removes old ones', async () => {
  const hours = { ms: 0 }
  const clock = {
    ...systemClock,
    now: () => Date.now() + hours.ms,
    sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(Math.min(ms, 50), signal),
  }
  await begin({ recordsPerAccount: 3, days: 1, clock })
  for (let n = 0; n < 5; n += 1) await query(api, 'CreateVpc', `CidrBlock=10.${n}.0.0%2F16`)
  for (let n = 0; n < 5; n += 1) await query(api, 'NoSuchAction')
  const kinds = async () => (await test.stored(ALICE)).map(({ kind }) => kind).toSorted()
  await expect.poll(kinds).toEqual(['change', 'change', 'change', 'other', 'other', 'other'])
  hours.ms = 25 * 3_600_000
  await expect.poll(kinds).toEqual([])
})

function known<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('it is not there')
  return value
}

function unknownKey(): string {
  const day = new Date().toISOString().slice(0, 10).replaceAll('-', '')
  const scope = `AKIDUNKNOWN/${day}/atoll/ec2/aws4_request`
  return `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host;x-amz-date, Signature=${'0'.repeat(64)}`
}
