import { expect, it } from 'vitest'
import { createFlowLogs } from '../../../../src/api/actions/create-flow-logs.ts'
import { createSubnet } from '../../../../src/api/actions/create-subnet.ts'
import { createTags } from '../../../../src/api/actions/create-tags.ts'
import { createVpc } from '../../../../src/api/actions/create-vpc.ts'
import { deleteFlowLogs } from '../../../../src/api/actions/delete-flow-logs.ts'
import { deleteSubnet } from '../../../../src/api/actions/delete-subnet.ts'
import { deleteVpc } from '../../../../src/api/actions/delete-vpc.ts'
import { describeFlowLogs } from '../../../../src/api/actions/describe-flow-logs.ts'
import { DEFAULT_FIELDS, formatOf } from '../../../../src/model/flow-log.ts'
import { ALICE, BOB, type Cloud, LIMITS, openCloud } from '../../../kit/api-cloud.ts'

const FILES = { TrafficType: 'ALL', LogGroupName: 'web' }
const S3 = {
  ...{ TrafficType: 'REJECT', LogDestinationType: 's3' },
  LogDestination: 'arn:aws:s3:::logs/net',
}

async function make(cloud: Cloud, more: object): Promise<string> {
  const ofVpc = { ResourceType: 'VPC', ResourceIds: [cloud.vpc.id] }
  const { FlowLogIds } = await cloud.run(createFlowLogs, { ...ofVpc, ...more })
  return (FlowLogIds as string[])[0] ?? ''
}

it('makes flow logs, shows them, and removes them', async () => {
  await using cloud = await openCloud()
  const tags = [{ Key: 'Name', Value: 'all' }]
  const TagSpecifications = [{ ResourceType: 'vpc-flow-log', Tags: tags }]
  const role = { DeliverLogsPermissionArn: 'arn:aws:iam::000000000001:role/service/flow-logs' }
  const files = await make(cloud, { ...FILES, ...role, TagSpecifications })
  const s3 = await make(cloud, {
    ...{ ...S3, MaxAggregationInterval: 60 },
    DeliverLogsPermissionArn: '',
  })
  // Clouds have names that begin with a slash.
  const slash = await make(cloud, { TrafficType: 'ALL', LogGroupName: '/aws/vpc' })
  const show = async (asked: object = {}) => (await cloud.run(describeFlowLogs, asked))['FlowLogs']
  const common = { ResourceId: cloud.vpc.id, FlowLogStatus: 'ACTIVE' }
  const madeFiles = {
    ...{ ...common, FlowLogId: files, LogGroupName: 'web', LogDestinationType: 'cloud-watch-logs' },
    ...{ TrafficType: 'ALL', MaxAggregationInterval: 600, LogFormat: formatOf(DEFAULT_FIELDS) },
    ...{ ...role, Tags: tags },
  }
  const madeS3 = {
    ...{ ...common, FlowLogId: s3, ...S3, MaxAggregationInterval: 60 },
    Tags: [],
  }
  expect(await show({ FlowLogIds: [files] })).toMatchObject([madeFiles])
  expect(await show({ FlowLogIds: [slash] })).toMatchObject([{ LogGroupName: '/aws/vpc' }])
  await cloud.run(deleteFlowLogs, { FlowLogIds: [slash] })
  expect(await show({ Filter: [{ Name: 'traffic-type', Values: ['REJECT'] }] })).toMatchObject([
    madeS3,
  ])
  expect(await show({ Filter: [{ Name: 'tag:Name', Values: ['all'] }] })).toMatchObject([madeFiles])
  await cloud.run(createTags, { Resources: [s3], Tags: [{ Key: 'a', Value: 'b' }] })
  const gone = `fl-${'0'.repeat(17)}`
  expect(await cloud.run(deleteFlowLogs, { FlowLogIds: [files, gone] })).toMatchObject({
    Unsuccessful: [{ ResourceId: gone, Error: { Code: 'InvalidFlowLogId.NotFound' } }],
  })
  expect(await show()).toMatchObject([{ FlowLogId: s3 }])
  expect(await cloud.refusal(describeFlowLogs, { FlowLogIds: [files] })).toBe(
    'InvalidFlowLogId.NotFound',
  )
})

it('makes them once for one token', async () => {
  await using cloud = await openCloud()
  const gone = `vpc-${'0'.repeat(17)}`
  const ResourceIds = [cloud.vpc.id, gone]
  const asked = { ResourceType: 'VPC', ResourceIds, ...FILES, ClientToken: 'one' }
  const first = await cloud.run(createFlowLogs, asked)
  expect(first).toMatchObject({ ClientToken: 'one', Unsuccessful: [{ ResourceId: gone }] })
  expect(await cloud.run(createFlowLogs, asked)).toEqual(first)
  expect(await cloud.refusal(createFlowLogs, { ...asked, TrafficType: 'ACCEPT' })).toBe(
    'IdempotentParameterMismatch',
  )
})

it('says what could not be made, and makes the rest', async () => {
  await using cloud = await openCloud()
  const gone = `vpc-${'0'.repeat(17)}`
  const ResourceIds = [gone, cloud.vpc.id, 'vpc-rubbish']
  const made = await cloud.run(createFlowLogs, { ResourceType: 'VPC', ResourceIds, ...FILES })
  expect(made).toMatchObject({
    FlowLogIds: [expect.stringMatching(/^fl-/)],
    Unsuccessful: [
      { ResourceId: gone, Error: { Code: 'InvalidVpcID.NotFound' } },
      { ResourceId: 'vpc-rubbish' },
    ],
  })
  const again = { ResourceType: 'VPC', ResourceIds: [cloud.vpc.id], ...FILES }
  expect(await cloud.refusal(createFlowLogs, again)).toBe('FlowLogAlreadyExists')
  const sameFile = { ...again, LogGroupName: '/web' }
  expect(await cloud.refusal(createFlowLogs, sameFile)).toBe('FlowLogAlreadyExists')
  // Another account has neither the VPC nor the flow log.
  expect(await cloud.run(createFlowLogs, again, BOB)).toMatchObject({ FlowLogIds: [] })
  expect(await cloud.run(describeFlowLogs, {}, BOB)).toMatchObject({ FlowLogs: [] })
})

it.each([
  [
    'Kinesis',
    { TrafficType: 'ALL', LogDestinationType: 'kinesis-data-firehose' },
    'UnsupportedOperation',
  ],
  ['a bucket that is none', { ...S3, LogDestination: 'arn:aws:s3:::..' }, 'InvalidParameterValue'],
  ['a folder above', { ...S3, LogDestination: 'arn:aws:s3:::logs/../x' }, 'InvalidParameterValue'],
  ['a group above', { TrafficType: 'ALL', LogGroupName: '../../etc' }, 'InvalidParameterValue'],
  ['no destination', { TrafficType: 'ALL' }, 'InvalidParameter'],
  ['both destinations', { ...S3, LogGroupName: 'web' }, 'InvalidParameter'],
  [
    'a group in a bucket',
    { TrafficType: 'ALL', LogDestinationType: 's3', LogGroupName: 'web' },
    'InvalidParameter',
  ],
  ['an unknown field', { ...FILES, LogFormat: '\u0024{tcp-flags}' }, 'InvalidParameterValue'],
  ['another interval', { ...FILES, MaxAggregationInterval: 300 }, 'InvalidParameter'],
  [
    'a role that is none',
    { ...FILES, DeliverLogsPermissionArn: 'arn:aws:iam::1:role/x' },
    'InvalidParameterValue',
  ],
  ['Parquet', { ...S3, DestinationOptions: { FileFormat: 'parquet' } }, 'UnsupportedOperation'],
])('refuses %s', async (_, asked, code) => {
  await using cloud = await openCloud()
  const ofVpc = { ResourceType: 'VPC', ResourceIds: [cloud.vpc.id] }
  expect(await cloud.refusal(createFlowLogs, { ...ofVpc, ...asked })).toBe(code)
})

it('go to the buckets of their account only', async () => {
  const permitted = [
    { bucket: 'logs', prefix: 'b', accounts: [BOB] },
    { bucket: 'shared', prefix: '', accounts: null },
  ]
  await using open = await openCloud()
  await using cloud = await openCloud({ settings: { flowLogBuckets: permitted } })
  /** Whether an account's log may go there. The repetition of a request says the same. */
  const isMade = async (on: Cloud, to: string, account = ALICE) => {
    const { Vpc } = await on.run(createVpc, { CidrBlock: '10.9.0.0/16' }, account)
    const { VpcId } = Vpc as { VpcId: string }
    const destination = { ...S3, LogDestination: `arn:aws:s3:::${to}` }
    const of = { ResourceType: 'VPC', ResourceIds: [VpcId], ClientToken: `${to}${VpcId}` }
    const answer = await on.run(createFlowLogs, { ...destination, ...of }, account)
    expect(await on.run(createFlowLogs, { ...destination, ...of }, account)).toEqual(answer)
    const { FlowLogIds, Unsuccessful } = answer as { FlowLogIds: string[]; Unsuccessful: object[] }
    // As in EC2, it is listed, not an error of the request.
    const why = {
      ResourceId: VpcId,
      Error: { Code: '400', Message: expect.stringContaining('Access Denied for LogDestination') },
    }
    expect(Unsuccessful).toEqual(FlowLogIds.length === 0 ? [why] : [])
    await on.run(deleteVpc, { VpcId }, account)
    return FlowLogIds.length === 1
  }
  expect(await isMade(open, 'logs/b', BOB)).toBe(false)
  expect(await isMade(open, 'logs/b')).toBe(true)
  expect(await isMade(cloud, 'logs/b')).toBe(false)
  expect(await isMade(cloud, 'logs/b', BOB)).toBe(true)
  expect(await isMade(cloud, 'shared', BOB)).toBe(true)
  expect(await isMade(cloud, 'shared/any')).toBe(true)
  for (const other of ['logs', 'logs/bad', 'logs/a', 'other'])
    expect(await isMade(cloud, other, BOB), other).toBe(false)
})

it('go with what they are of, and are limited', async () => {
  await using cloud = await openCloud({
    settings: { quotas: { ...LIMITS.quotas, flowLogs: 1 } },
  })
  const { Vpc } = await cloud.run(createVpc, { CidrBlock: '10.7.0.0/16' })
  const { VpcId } = Vpc as { VpcId: string }
  const { Subnet } = await cloud.run(createSubnet, { VpcId, CidrBlock: '10.7.0.0/24' })
  const { SubnetId } = Subnet as { SubnetId: string }
  await make(cloud, { ResourceType: 'Subnet', ResourceIds: [SubnetId], ...FILES })
  const more = { ResourceType: 'VPC', ResourceIds: [VpcId], ...FILES }
  expect(await cloud.refusal(createFlowLogs, more)).toBe('FlowLogsLimitExceeded')
  await cloud.run(deleteSubnet, { SubnetId })
  expect(await cloud.run(describeFlowLogs)).toMatchObject({ FlowLogs: [] })
  await make(cloud, more)
  expect(await cloud.run(describeFlowLogs)).toMatchObject({ FlowLogs: [{ ResourceId: VpcId }] })
})
