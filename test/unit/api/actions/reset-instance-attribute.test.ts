import type { Reservation } from '@aws-sdk/client-ec2'
import { expect, it } from 'vitest'
import { modifyInstanceAttribute } from '../../../../src/api/actions/modify-instance-attribute.ts'
import { resetInstanceAttribute } from '../../../../src/api/actions/reset-instance-attribute.ts'
import { runInstances } from '../../../../src/api/actions/run-instances.ts'
import type { InstanceId } from '../../../../src/model/ids.ts'
import { BOB, openCloud } from '../../../kit/api-cloud.ts'

it('sets the source/destination check back, and refuses what cannot be reset', async () => {
  await using cloud = await openCloud()
  const asked = { ImageId: cloud.image, MinCount: 1, MaxCount: 1 }
  const { Instances } = (await cloud.run(runInstances, asked)) as Reservation
  const InstanceId = Instances?.[0]?.InstanceId as InstanceId
  const check = async () => (await cloud.store.read((tx) => tx.nics({})))[0]?.sourceDestCheck
  await cloud.run(modifyInstanceAttribute, { InstanceId, SourceDestCheck: { Value: false } })
  expect(await check()).toBe(false)
  const reset = { InstanceId, Attribute: 'sourceDestCheck' }
  expect(await cloud.refusal(resetInstanceAttribute, { ...reset, DryRun: true })).toBe(
    'DryRunOperation',
  )
  expect(await check()).toBe(false)
  await cloud.run(resetInstanceAttribute, reset)
  expect((await check()) ?? true).toBe(true)
  expect(await cloud.refusal(resetInstanceAttribute, reset, BOB)).toBe('InvalidInstanceID.NotFound')
  const kernel = { InstanceId, Attribute: 'kernel' }
  expect(await cloud.refusal(resetInstanceAttribute, kernel)).toBe('IncorrectInstanceState')
  await cloud.store.change((tx) => tx.updateInstance(InstanceId, { state: 'stopped' }))
  await cloud.run(resetInstanceAttribute, kernel)
  for (const Attribute of ['userData', 'nonsense'])
    expect(await cloud.refusal(resetInstanceAttribute, { InstanceId, Attribute })).toBe(
      'InvalidParameterValue',
    )
})
