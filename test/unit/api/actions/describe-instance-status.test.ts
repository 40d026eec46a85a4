import type { InstanceStatus, Reservation } from '@aws-sdk/client-ec2'
import { expect, it } from 'vitest'
import { describeInstanceStatus } from '../../../../src/api/actions/describe-instance-status.ts'
import { runInstances } from '../../../../src/api/actions/run-instances.ts'
import { setDraining } from '../../../../src/api/hosts.ts'
import type { HostName, InstanceId } from '../../../../src/model/ids.ts'
import { openCloud } from '../../../kit/api-cloud.ts'

const HOST = 'host1' as HostName

it('announces that the instances of a drained host will stop, until it is drained no more', async () => {
  await using cloud = await openCloud()
  const asked = { ImageId: cloud.image, MinCount: 1, MaxCount: 1 }
  const { Instances } = (await cloud.run(runInstances, asked)) as Reservation
  const id = Instances?.[0]?.InstanceId as InstanceId
  await cloud.store.change((tx) => tx.updateInstance(id, { state: 'running', bootSeen: 1 }))
  const status = async (Filters: readonly object[] = []) => {
    const answer = await cloud.run(describeInstanceStatus, { Filters })
    return answer['InstanceStatuses'] as InstanceStatus[]
  }
  const where = (name: string, value: string) => [{ Name: `event.${name}`, Values: [value] }]
  expect(await status()).toMatchObject([{ Events: [] }])
  expect(await status(where('code', 'instance-stop'))).toEqual([])
  const beforeMs = Date.now()
  await setDraining(cloud.store, HOST, true)
  const [drained] = await status(where('code', 'instance-*'))
  expect(drained?.Events).toEqual([
    {
      InstanceEventId: id.replace('i-', 'instance-event-'),
      Code: 'instance-stop',
      Description: expect.stringContaining('drained'),
      NotBefore: expect.any(Date),
    },
  ])
  const since = drained?.Events?.[0]?.NotBefore
  expect(since?.getTime()).toBeGreaterThanOrEqual(beforeMs - 1000)
  // Drained once more, it is drained since the first time.
  await setDraining(cloud.store, HOST, true)
  expect((await status())[0]?.Events?.[0]?.NotBefore).toEqual(since)
  for (const [name, value] of [
    ['instance-event-id', 'instance-event-*'],
    ['description', '*drained*'],
    ['not-before', since?.toISOString() ?? ''],
  ] as const)
    expect(await status(where(name, value)), name).toHaveLength(1)
  expect(await status(where('not-after', '*'))).toEqual([])
  await setDraining(cloud.store, HOST, false)
  expect(await status()).toMatchObject([{ Events: [] }])
})
