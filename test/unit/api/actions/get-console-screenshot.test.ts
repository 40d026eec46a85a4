import type { Reservation } from '@aws-sdk/client-ec2'
import { expect, it } from 'vitest'
import { getConsoleScreenshot } from '../../../../src/api/actions/get-console-screenshot.ts'
import { runInstances } from '../../../../src/api/actions/run-instances.ts'
import { pictureOf } from '../../../../src/api/screen/picture.ts'
import { screenOf } from '../../../../src/api/screen/text-screen.ts'
import { createLocalBus } from '../../../../src/bus/local.ts'
import type { InstanceId } from '../../../../src/model/ids.ts'
import { BOB, type Cloud, openCloud } from '../../../kit/api-cloud.ts'

async function launch(cloud: Cloud, ImageId: string): Promise<InstanceId> {
  const asked = { ImageId, MinCount: 1, MaxCount: 1 }
  const { Instances } = (await cloud.run(runInstances, asked)) as Reservation
  return Instances?.[0]?.InstanceId as InstanceId
}

it('is a picture of what the serial line of a running virtual machine shows', async () => {
  const bus = createLocalBus()
  const said = 'Debian GNU/Linux\r\nlogin: '
  bus.onAsk('console', async () => ({
    ...{ output: btoa(said), at: '2026-11-22T08:00:00.000Z' },
  }))
  await using cloud = await openCloud({ bus })
  const machine = `ami-${'7'.repeat(17)}` as typeof cloud.image
  await cloud.store.change(async (tx) => {
    const [image] = await tx.images({})
    if (image === undefined) throw new Error('there is no image')
    const location = 'https://images.test/debian.qcow2'
    await tx.insertImage({ ...image, id: machine, name: 'machine', location })
  })
  const container = { InstanceId: await launch(cloud, cloud.image) }
  expect(await cloud.refusal(getConsoleScreenshot, container)).toBe('UnsupportedOperation')
  const InstanceId = await launch(cloud, machine)
  expect(await cloud.refusal(getConsoleScreenshot, { InstanceId })).toBe('IncorrectInstanceState')
  await cloud.store.change((tx) => tx.updateInstance(InstanceId, { state: 'running' }))
  expect(await cloud.run(getConsoleScreenshot, { InstanceId, WakeUp: true })).toEqual({
    InstanceId,
    ImageData: pictureOf(screenOf(said)).toString('base64'),
  })
  expect(await cloud.refusal(getConsoleScreenshot, { InstanceId }, BOB)).toBe(
    'InvalidInstanceID.NotFound',
  )
})
