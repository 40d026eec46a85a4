/** Disks on a shared storage: where they may be, who removes them, and what they take of a host. */
import { beforeEach, describe, expect, it } from 'vitest'
import type { InstanceId, VolumeId } from '../../../../src/model/ids.ts'
import { applyFact } from '../../../../src/model/lifecycle.ts'
import { releaseInstance } from '../../../../src/store/release.ts'
import { actionNamed } from '../../../kit/account-world.ts'
import { known } from '../../../kit/api.ts'
import { type Cloud, openCloud } from '../../../kit/api-cloud.ts'

const SHARED = { Key: 'atoll:storage', Value: 'shared' }
const KEEP = { Key: 'atoll:recover', Value: 'keep-disk' }
const DISCARD = { ...KEEP, Value: 'discard-disk' }
const ON_VOLUME = { ResourceType: 'volume', Tags: [SHARED] }
const STORAGE = 'st-0123456789abcdef'
const ROOM = { vcpus: 64, memoryMiB: 65_536, diskGiB: 100 }
let cloud: Cloud
let image = ''

beforeEach(async () => {
  cloud = await openCloud({ hosts: [ROOM, ROOM] })
  const { ImageId } = await run('RegisterImage', {
    Name: 'machine',
    ImageLocation: '/images/m.qcow2',
  })
  image = ImageId as string
  return () => cloud[Symbol.asyncDispose]()
})

const run = (name: string, input: object) => cloud.run(actionNamed(name), input)
const refusal = (name: string, input: object) => cloud.refusal(actionNamed(name), input)

/** What this host says of itself. */
async function say(index: number, storage: string | null): Promise<string> {
  return await cloud.store.change(async (tx) => {
    const { name, identity, shortOf, lastSeenAt } = known((await tx.hosts())[index])
    const said = { shortOf, lastSeenAt, fenceLevel: 'muted', storage }
    expect(await tx.renewLease({ name, identity: identity ?? '' }, 60_000, said)).toBe('done')
    return name
  })
}

const order = (...TagSpecifications: object[]) => ({
  ...{ ImageId: image, MinCount: 1, MaxCount: 1, SubnetId: cloud.subnet.id, TagSpecifications },
})
const onInstance = (...Tags: object[]) => ({ ResourceType: 'instance', Tags })

async function launch(...specifications: object[]): Promise<InstanceId> {
  const { Instances } = await run('RunInstances', order(...specifications))
  return known((Instances as { InstanceId: InstanceId }[])[0]).InstanceId
}

const records = (id: InstanceId) =>
  cloud.store.read(async (tx) => ({
    instance: known((await tx.instances({ ids: [id] }))[0]),
    volumes: await tx.volumes({ instances: [id] }),
    hosts: await tx.hosts(),
  }))

describe('a launch with the tag', () => {
  it('goes to a host with a storage of the kind that it names', async () => {
    const ceph = { ResourceType: 'volume', Tags: [{ ...SHARED, Value: 'ceph' }] }
    const pool = STORAGE.replace('st-', 'rbd-')
    await say(0, STORAGE)
    expect(await refusal('RunInstances', order(ceph))).toBe('UnsupportedOperation')
    const host = await say(1, pool)
    const { instance, volumes } = await records(await launch(ceph))
    expect(instance.host).toBe(host)
    expect(volumes).toMatchObject([{ storage: pool }])
    const { instance: other } = await records(await launch(ON_VOLUME))
    expect(other.host).not.toBe(host)
  })

  it('goes to a host that reaches a storage, and takes nothing of its disks', async () => {
    await say(0, null)
    const name = await say(1, STORAGE)
    for (let count = 0; count < 6; count += 1) {
      const { instance, volumes } = await records(await launch(ON_VOLUME))
      expect(instance.host).toBe(name)
      expect(volumes).toMatchObject([{ storage: STORAGE }])
    }
    const { hosts } = await records(await launch())
    expect(hosts.reduce((sum, { usedDiskGiB }) => sum + usedDiskGiB, 0)).toBeLessThan(20)
  })

  it('is refused while no host reaches one', async () => {
    expect(await refusal('RunInstances', order(ON_VOLUME))).toBe('UnsupportedOperation')
  })

  it.each<[string, object[], string]>([
    ['on an instance', [onInstance(SHARED)], 'InvalidParameterValue'],
    [
      'with another value',
      [{ ResourceType: 'volume', Tags: [{ ...SHARED, Value: 'fast' }] }],
      'InvalidParameterValue',
    ],
    ['to keep a disk of one host', [onInstance(KEEP)], 'InvalidParameterCombination'],
  ])('is refused %s', async (_case, specifications, code) => {
    await say(0, STORAGE)
    expect(await refusal('RunInstances', order(...specifications))).toBe(code)
  })

  it('is refused for a container, whose root is no volume', async () => {
    await say(0, STORAGE)
    expect(await refusal('RunInstances', { ...order(ON_VOLUME), ImageId: cloud.image })).toBe(
      'InvalidParameterCombination',
    )
  })
})

describe('an instance with such a disk', () => {
  it('is started again with it, also when the volume is to be kept', async () => {
    await say(0, STORAGE)
    const Ebs = { DeleteOnTermination: false }
    const { Instances } = await run('RunInstances', {
      ...order(ON_VOLUME, onInstance(KEEP)),
      BlockDeviceMappings: [{ DeviceName: '/dev/sda1', Ebs }],
    })
    const { InstanceId: id } = known((Instances as { InstanceId: InstanceId }[])[0])
    expect((await records(id)).instance.recovery).toMatchObject({ wanted: 'recover' })
  })

  it('keeps the tag of its volume, which says where the disk was made', async () => {
    await say(0, STORAGE)
    const id = await launch(ON_VOLUME)
    const [volume] = (await records(id)).volumes
    const Resources = [known(volume).id]
    expect(await refusal('DeleteTags', { Resources, Tags: [{ Key: SHARED.Key }] })).toBe(
      'InvalidParameterValue',
    )
    expect(await refusal('CreateTags', { Resources, Tags: [SHARED] })).toBe('InvalidParameterValue')
    await run('CreateTags', { Resources, Tags: [{ Key: 'a', Value: 'b' }] })
    await run('DeleteTags', { Resources })
    const tags = await cloud.store.read((tx) => tx.tags({ resources: Resources }))
    expect(tags.map(({ key }) => key)).toEqual([SHARED.Key])
  })

  it('becomes no image', async () => {
    await say(0, STORAGE)
    const id = await launch(ON_VOLUME)
    await cloud.store.change((tx) => tx.updateInstance(id, { state: 'stopped' }))
    expect(await refusal('CreateImage', { InstanceId: id, Name: 'a copy' })).toBe(
      'UnsupportedOperation',
    )
  })

  it('leaves its disk for its host to remove when it is gone', async () => {
    await say(0, STORAGE)
    const id = await launch(ON_VOLUME)
    const { instance, volumes } = await records(id)
    const ids = volumes.map((volume): VolumeId => volume.id)
    await cloud.store.change(async (tx) => {
      const ending = { ...instance, wanted: 'terminate' as const }
      const gone = applyFact(ending, { kind: 'gone', instance: id }, instance.launchedAt)
      await tx.updateInstance(id, known(gone ?? undefined))
      await releaseInstance(tx, instance)
    })
    expect(await cloud.store.read((tx) => tx.volumes({ ids }))).toMatchObject([
      { state: 'deleting', instance: null, host: instance.host, storage: STORAGE },
    ])
  })
})

it('refuses to keep a disk that would be discarded so far, and would go with its host', async () => {
  await say(0, null)
  await say(1, null)
  const id = await launch(onInstance(DISCARD))
  expect(await refusal('CreateTags', { Resources: [id], Tags: [KEEP] })).toBe(
    'InvalidParameterCombination',
  )
})
