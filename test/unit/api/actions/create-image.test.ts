/** CreateImage: of what, what is written, and where what is made of it can be launched. */
import { describe, expect, it } from 'vitest'
import { copyImage } from '../../../../src/api/actions/copy-image.ts'
import { createImage } from '../../../../src/api/actions/create-image.ts'
import { deregisterImage } from '../../../../src/api/actions/deregister-image.ts'
import { describeImages } from '../../../../src/api/actions/describe-images.ts'
import { registerImage } from '../../../../src/api/actions/register-image.ts'
import { runInstances } from '../../../../src/api/actions/run-instances.ts'
import { isoTime } from '../../../../src/lib/clock.ts'
import type { HostName, ImageId, InstanceId } from '../../../../src/model/ids.ts'
import { keptImage } from '../../../../src/model/image-location.ts'
import type { Image, Instance } from '../../../../src/model/records.ts'
import { BOB, type Cloud, everything, NOW_MS, openCloud } from '../../../kit/api-cloud.ts'
import { failAt } from '../../../kit/failing-store.ts'

const CAPACITY = { vcpus: 8, memoryMiB: 8192 }
const LAUNCH = { MinCount: 1, MaxCount: 1 }

/** Launches an instance, and has its host say what became of it. */
async function launch(cloud: Cloud, state: Instance['state'], more: object = {}) {
  const answer = await cloud.run(runInstances, { ImageId: cloud.image, ...LAUNCH, ...more })
  const [{ InstanceId }] = answer['Instances'] as [{ InstanceId: InstanceId }]
  await cloud.store.change((tx) => tx.updateInstance(InstanceId, { state }))
  const [instance] = await cloud.store.read((tx) => tx.instances({ ids: [InstanceId] }))
  if (instance === undefined) throw new Error('the instance is not there')
  return instance
}

async function create(cloud: Cloud, instance: Instance, name = 'made'): Promise<ImageId> {
  const { ImageId } = await cloud.run(createImage, { InstanceId: instance.id, Name: name })
  return ImageId as ImageId
}

async function settle(cloud: Cloud, id: ImageId, state: Image['state']): Promise<void> {
  const digest = `sha256:${'a'.repeat(64)}`
  const stateReason = state === 'failed' ? 'the disk is full' : null
  await cloud.store.change((tx) => tx.updateImage(id, { state, digest, stateReason }))
}

async function isRecorded(cloud: Cloud, id: ImageId): Promise<boolean> {
  return (await cloud.store.read((tx) => tx.images({ ids: [id] }))).length > 0
}

describe('an image of an instance', () => {
  it.each(['running', 'stopped'] as const)(
    'that is %s is pending, for its host to make',
    async (state) => {
      await using cloud = await openCloud({ hosts: [CAPACITY, CAPACITY] })
      const instance = await launch(cloud, state)
      cloud.rung.length = 0
      const { ImageId } = await cloud.run(createImage, {
        InstanceId: instance.id,
        Name: 'made',
        Description: 'as it was',
        NoReboot: true,
        TagSpecifications: [{ ResourceType: 'image', Tags: [{ Key: 'a', Value: 'b' }] }],
      })
      expect(cloud.rung).toEqual([instance.host])
      const filter = { Name: 'source-instance-id', Values: [instance.id] }
      expect(await cloud.run(describeImages, { Filters: [filter] })).toMatchObject({
        Images: [
          {
            ImageId,
            Name: 'made',
            Description: 'as it was',
            State: 'pending',
            ImageLocation: `atoll://${instance.host}/container/${ImageId}`,
            SourceInstanceId: instance.id,
            Tags: [{ Key: 'a', Value: 'b' }],
          },
        ],
      })
      const [image] = await cloud.store.read((tx) => tx.images({ ids: [ImageId as ImageId] }))
      expect(image).toMatchObject({ capture: 'no-reboot', host: instance.host })
    },
  )

  it.each(['pending', 'stopping', 'shutting-down', 'terminated'] as const)(
    'that is %s is refused',
    async (state) => {
      await using cloud = await openCloud()
      const { id: InstanceId } = await launch(cloud, state)
      expect(await cloud.refusal(createImage, { InstanceId, Name: 'made' })).toBe(
        'IncorrectInstanceState',
      )
    },
  )

  it.each([
    [{ Name: 'sample' }, 'InvalidAMIName.Duplicate'],
    [{ Name: 'a' }, 'InvalidAMIName.Malformed'],
    [{ InstanceId: 'i-0' }, 'InvalidInstanceID.Malformed'],
    [{ InstanceId: 'i-0123456789abcdef0' }, 'InvalidInstanceID.NotFound'],
    [{ BlockDeviceMappings: [{}] }, 'UnsupportedOperation'],
    [{ DryRun: true }, 'DryRunOperation'],
  ])('%j is refused', async (more, code) => {
    await using cloud = await openCloud()
    const { id } = await launch(cloud, 'running')
    const before = await everything(cloud.store)
    const input = { InstanceId: id, Name: 'made', ...more }
    expect(await cloud.refusal(createImage, input)).toBe(code)
    expect(await everything(cloud.store)).toEqual(before)
  })

  it("is nobody else's to make", async () => {
    await using cloud = await openCloud()
    const { id } = await launch(cloud, 'running')
    expect(await cloud.refusal(createImage, { InstanceId: id, Name: 'made' }, BOB)).toBe(
      'InvalidInstanceID.NotFound',
    )
  })

  // On the old code it could not be copied.
  it('can be copied on its host, and what was made stays as long as a copy is there', async () => {
    await using cloud = await openCloud({ hosts: [CAPACITY, CAPACITY] })
    const instance = await launch(cloud, 'running')
    const made = await create(cloud, instance)
    await settle(cloud, made, 'available')
    const from = { SourceImageId: made, SourceRegion: 'atoll', Name: 'copy' }
    const ImageId = (await cloud.run(copyImage, from))['ImageId'] as ImageId
    await cloud.run(deregisterImage, { ImageId: made })
    expect(await cloud.run(describeImages, { ImageIds: [made] })).toEqual({ Images: [] })
    const [copy] = await cloud.store.read((tx) => tx.images({ ids: [ImageId] }))
    expect(copy).toMatchObject({ host: instance.host, sourceImage: made, sourceInstance: null })
    expect(keptImage(copy?.location ?? '')).toMatchObject({ host: instance.host, image: made })
    for (let count = 0; count < 3; count += 1) {
      const again = await launch(cloud, 'running', { ImageId })
      expect(again.host).toBe(instance.host)
    }
  })

  it('leaves nothing behind when the records fail', async () => {
    await using cloud = await openCloud()
    const { id: InstanceId } = await launch(cloud, 'running')
    const before = await everything(cloud.store)
    for (let k = 1; ; k += 1) {
      const failing = failAt(cloud.store, k)
      const input = { InstanceId, Name: 'made' }
      await cloud.runOn(failing.store, createImage, input).catch(() => undefined)
      if (failing.calls() < k) break
      expect(await everything(cloud.store)).toEqual(before)
    }
  })
})

describe('what is launched from it', () => {
  it.each(['pending', 'failed'] as const)('is refused while it is %s', async (state) => {
    await using cloud = await openCloud()
    const ImageId = await create(cloud, await launch(cloud, 'running'))
    await settle(cloud, ImageId, state)
    expect(await cloud.refusal(runInstances, { ImageId, ...LAUNCH })).toBe(
      'InvalidAMIID.Unavailable',
    )
  })

  it('goes to the host that has it, and nowhere else', async () => {
    await using cloud = await openCloud({ hosts: [CAPACITY, CAPACITY, CAPACITY] })
    const source = await launch(cloud, 'running')
    const ImageId = await create(cloud, source)
    await settle(cloud, ImageId, 'available')
    const hosts = new Set<string>()
    let room = 0
    for (; room < 100; room += 1) {
      const refused = await launch(cloud, 'running', { ImageId }).then(
        ({ host }) => {
          hosts.add(host)
          return null
        },
        (error: unknown) => error,
      )
      if (refused === null) continue
      expect(refused).toMatchObject({ code: 'InsufficientInstanceCapacity' })
      expect(String(refused)).toContain(source.host)
      break
    }
    expect(room).toBeGreaterThan(0)
    expect([...hosts]).toEqual([source.host])
  })

  it('is refused by name of the host while that takes none', async () => {
    await using cloud = await openCloud({ hosts: [CAPACITY, CAPACITY] })
    const source = await launch(cloud, 'running')
    const ImageId = await create(cloud, source)
    await settle(cloud, ImageId, 'available')
    await cloud.store.change((tx) => tx.setHostState(source.host, 'draining'))
    await expect(cloud.run(runInstances, { ImageId, ...LAUNCH })).rejects.toMatchObject({
      code: 'InsufficientInstanceCapacity',
      message: expect.stringContaining(`'${source.host}'`),
    })
  })
})

describe('deregistered', () => {
  it('an image is seen by nobody, its name is free, and its record stays while an instance needs it', async () => {
    await using cloud = await openCloud()
    const { id, host } = await launch(cloud, 'running')
    const ImageId = cloud.image
    await cloud.run(deregisterImage, { ImageId })
    expect(await cloud.run(describeImages)).toMatchObject({ Images: [] })
    // Clients wait until there is nothing by the id.
    const asked = { ImageIds: [ImageId] }
    expect(await cloud.run(describeImages, asked)).toEqual({ Images: [] })
    expect(await cloud.refusal(describeImages, asked, BOB)).toBe('InvalidAMIID.NotFound')
    for (const [action, input] of [
      [describeImages, { ImageIds: [ImageId, 'ami-0123456789abcdef0'] }],
      [runInstances, { ImageId, ...LAUNCH }],
    ] as const)
      expect(await cloud.refusal(action, input)).toBe('InvalidAMIID.NotFound')
    expect(await cloud.refusal(deregisterImage, { ImageId })).toBe('InvalidAMIID.Unavailable')
    await cloud.run(registerImage, { Name: 'sample', ImageLocation: 'docker://debian:12' })
    expect(await isRecorded(cloud, ImageId)).toBe(true)
    // What runs of it can be made an image of.
    await cloud.run(createImage, { InstanceId: id, Name: 'made' })
    await cloud.store.change(async (tx) => {
      await tx.updateInstance(id, { state: 'terminated' })
      await tx.deleteUnusedImages(host, isoTime(NOW_MS))
    })
    expect(await isRecorded(cloud, ImageId)).toBe(false)
    expect(await cloud.refusal(describeImages, asked)).toBe('InvalidAMIID.NotFound')
  })

  it('an image that nobody uses is known for its time', async () => {
    await using cloud = await openCloud()
    const [image] = await cloud.store.read((tx) => tx.images({ ids: [cloud.image] }))
    const purge = (until: number) =>
      cloud.store.change((tx) => tx.deleteUnusedImages(image?.host as HostName, isoTime(until)))
    await cloud.run(deregisterImage, { ImageId: cloud.image })
    await purge(NOW_MS - 1)
    expect(await isRecorded(cloud, cloud.image)).toBe(true)
    await purge(NOW_MS)
    expect(await isRecorded(cloud, cloud.image)).toBe(false)
  })

  it("a location that is a host's own cannot be registered", async () => {
    await using cloud = await openCloud()
    const ImageLocation = `atoll://host1/machine/${cloud.image}`
    expect(await cloud.refusal(registerImage, { Name: 'stolen', ImageLocation })).toBe(
      'InvalidParameterValue',
    )
  })
})
