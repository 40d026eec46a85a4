import type { Reservation } from '@aws-sdk/client-ec2'
import { describe, expect, it } from 'vitest'
import { describeInstanceAttribute } from '../../../../src/api/actions/describe-instance-attribute.ts'
import { describeInstanceCreditSpecifications } from '../../../../src/api/actions/describe-instance-credit-specifications.ts'
import { getPasswordData } from '../../../../src/api/actions/get-password-data.ts'
import { runInstances } from '../../../../src/api/actions/run-instances.ts'
import { BOB, type Cloud, openCloud } from '../../../kit/api-cloud.ts'

const USER_DATA = btoa('#!/bin/sh\necho hello\n')
const NOBODY = 'i-00000000000000000'

async function launched(cloud: Cloud, more: object = {}): Promise<string> {
  const order = { ImageId: cloud.image, MinCount: 1, MaxCount: 1, InstanceType: 't3.nano' }
  const { Instances }: Reservation = await cloud.run(runInstances, { ...order, ...more })
  return Instances?.[0]?.InstanceId ?? ''
}

describe('DescribeInstanceAttribute', () => {
  it.each([
    ['instanceType', { InstanceType: { Value: 't3.nano' } }],
    ['kernel', { KernelId: {} }],
    ['ramdisk', { RamdiskId: {} }],
    ['userData', { UserData: { Value: USER_DATA } }],
    ['disableApiTermination', { DisableApiTermination: { Value: false } }],
    ['disableApiStop', { DisableApiStop: { Value: false } }],
    ['instanceInitiatedShutdownBehavior', { InstanceInitiatedShutdownBehavior: { Value: 'stop' } }],
    ['rootDeviceName', { RootDeviceName: { Value: '/dev/sda1' } }],
    ['blockDeviceMapping', { BlockDeviceMappings: [] }],
    ['productCodes', { ProductCodes: [] }],
    ['sourceDestCheck', { SourceDestCheck: { Value: true } }],
    ['groupSet', { Groups: [{ GroupId: expect.any(String), GroupName: 'default' }] }],
    ['ebsOptimized', { EbsOptimized: { Value: false } }],
    ['sriovNetSupport', { SriovNetSupport: {} }],
    ['enaSupport', { EnaSupport: { Value: false } }],
    ['enclaveOptions', { EnclaveOptions: { Enabled: false } }],
  ])('tells %s', async (Attribute, expected) => {
    await using cloud = await openCloud()
    const InstanceId = await launched(cloud, { UserData: USER_DATA })
    const answer = await cloud.run(describeInstanceAttribute, { InstanceId, Attribute })
    expect(answer).toEqual({ InstanceId, ...expected })
  })

  it('returns no user data where there is none', async () => {
    await using cloud = await openCloud()
    const input = { InstanceId: await launched(cloud), Attribute: 'userData' }
    expect(await cloud.run(describeInstanceAttribute, input)).toMatchObject({ UserData: {} })
  })

  it('is refused of what is not there, or not the caller’s', async () => {
    await using cloud = await openCloud()
    const InstanceId = await launched(cloud)
    const refusal = (more: object, account?: typeof BOB) =>
      cloud.refusal(
        describeInstanceAttribute,
        { InstanceId, Attribute: 'kernel', ...more },
        account,
      )
    expect(await refusal({ InstanceId: NOBODY })).toBe('InvalidInstanceID.NotFound')
    expect(await refusal({ InstanceId: 'x' })).toBe('InvalidInstanceID.Malformed')
    expect(await refusal({}, BOB)).toBe('InvalidInstanceID.NotFound')
    expect(await refusal({ Attribute: 'colour' })).toBe('InvalidParameterValue')
    expect(await refusal({ Attribute: 'constructor' })).toBe('InvalidParameterValue')
    expect(await refusal({ Attribute: undefined })).toBe('MissingParameter')
    expect(await refusal({ DryRun: true })).toBe('DryRunOperation')
  })
})

it('no instance is burstable', async () => {
  await using cloud = await openCloud()
  const id = await launched(cloud)
  const none = { InstanceCreditSpecifications: [] }
  expect(await cloud.run(describeInstanceCreditSpecifications)).toEqual(none)
  for (const [ids, code] of [
    [[id], 'InstanceCreditSpecification.NotSupported'],
    [[NOBODY], 'InvalidInstanceID.NotFound'],
  ])
    expect(await cloud.refusal(describeInstanceCreditSpecifications, { InstanceIds: ids })).toBe(
      code,
    )
})

it('no instance has a password', async () => {
  await using cloud = await openCloud()
  const InstanceId = await launched(cloud)
  expect(await cloud.run(getPasswordData, { InstanceId })).toMatchObject({
    InstanceId,
    PasswordData: '',
    Timestamp: expect.any(Date),
  })
  expect(await cloud.refusal(getPasswordData, { InstanceId: NOBODY })).toBe(
    'InvalidInstanceID.NotFound',
  )
})
