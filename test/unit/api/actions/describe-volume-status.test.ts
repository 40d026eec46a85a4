import type { DescribeVolumeStatusResult } from '@aws-sdk/client-ec2'
import { expect, it } from 'vitest'
import { describeVolumeAttribute } from '../../../../src/api/actions/describe-volume-attribute.ts'
import { describeVolumeStatus } from '../../../../src/api/actions/describe-volume-status.ts'
import { runInstances } from '../../../../src/api/actions/run-instances.ts'
import { formatId } from '../../../../src/model/ids.ts'
import { known } from '../../../kit/api.ts'
import { type Cloud, openCloud, ZONE } from '../../../kit/api-cloud.ts'

const MACHINE = formatId('ami', new Uint8Array(9).fill(7))
const NOBODY = 'vol-00000000000000000'

async function machineCloud(): Promise<{ readonly cloud: Cloud; readonly volume: string }> {
  const cloud = await openCloud()
  await cloud.store.change(async (tx) => {
    const location = 'https://images.test/debian.qcow2'
    const image = known((await tx.images({}))[0])
    await tx.insertImage({ ...image, id: MACHINE, name: 'machine', location })
  })
  const order = { ImageId: MACHINE, InstanceType: 't3.micro', MinCount: 1, MaxCount: 1 }
  await cloud.run(runInstances, order)
  const [volume] = await cloud.store.read((tx) => tx.volumes({}))
  return { cloud, volume: known(volume).id }
}

it('DescribeVolumeStatus says that a volume is ok while its host is heard of', async () => {
  const { cloud, volume } = await machineCloud()
  await using _ = cloud
  const { VolumeStatuses } = (await cloud.run(describeVolumeStatus)) as DescribeVolumeStatusResult
  expect(VolumeStatuses).toMatchObject([
    {
      VolumeId: volume,
      AvailabilityZone: ZONE,
      VolumeStatus: { Status: 'ok', Details: [{ Name: 'io-enabled', Status: 'passed' }, {}] },
      Events: [],
      Actions: [],
    },
  ])
  const Filters = [{ Name: 'volume-status.status', Values: ['impaired'] }]
  expect(await cloud.run(describeVolumeStatus, { Filters })).toMatchObject({ VolumeStatuses: [] })
  expect(await cloud.refusal(describeVolumeStatus, { VolumeIds: [NOBODY] })).toBe(
    'InvalidVolume.NotFound',
  )
})

it('DescribeVolumeAttribute returns what there is', async () => {
  const { cloud, volume } = await machineCloud()
  await using _ = cloud
  const tell = (Attribute: string) =>
    cloud.run(describeVolumeAttribute, { VolumeId: volume, Attribute })
  expect(await tell('autoEnableIO')).toEqual({ VolumeId: volume, AutoEnableIO: { Value: false } })
  expect(await tell('productCodes')).toEqual({ VolumeId: volume, ProductCodes: [] })
  const input = { VolumeId: NOBODY, Attribute: 'productCodes' }
  expect(await cloud.refusal(describeVolumeAttribute, input)).toBe('InvalidVolume.NotFound')
})
