import { beforeEach, describe, expect, it } from 'vitest'
import { FIRST_DRIVERS } from '../../../../src/model/driver.ts'
import type { InstanceId } from '../../../../src/model/ids.ts'
import { keptLocation } from '../../../../src/model/image-location.ts'
import { actionNamed } from '../../../kit/account-world.ts'
import { known } from '../../../kit/api.ts'
import { type Cloud, openCloud } from '../../../kit/api-cloud.ts'
import { numbered } from '../../../kit/records.ts'

const TAG = { Key: 'atoll:recover', Value: 'discard-disk' }
const TAGGED = { TagSpecifications: [{ ResourceType: 'instance', Tags: [TAG] }] }
const ROOM = { vcpus: 64, memoryMiB: 65_536 }
let cloud: Cloud

beforeEach(async () => {
  cloud = await openCloud({ hosts: [ROOM, ROOM] })
  return () => cloud[Symbol.asyncDispose]()
})

const run = (name: string, input: object) => cloud.run(actionNamed(name), input)
const refusal = (name: string, input: object) => cloud.refusal(actionNamed(name), input)

/** Hosts that may run such instances. */
async function fence(...at: readonly number[]): Promise<void> {
  await cloud.store.change(async (tx) => {
    const hosts = await tx.hosts()
    for (const index of at) {
      const host = known(hosts[index])
      const { name, identity, shortOf, lastSeenAt } = host
      const self = { name, identity: identity ?? '' }
      const said = { shortOf, lastSeenAt, fenceLevel: 'muted' }
      expect(await tx.renewLease(self, 60_000, said)).toBe('done')
    }
  })
}

const order = (more: object) => ({
  ...{ ImageId: cloud.image, MinCount: 1, MaxCount: 1, SubnetId: cloud.subnet.id },
  ...more,
})

async function launch(more: object): Promise<InstanceId> {
  const { Instances } = await run('RunInstances', order(more))
  return known((Instances as { InstanceId: InstanceId }[])[0]).InstanceId
}

async function stateOf(id: InstanceId) {
  const [found] = await cloud.store.read((tx) => tx.instances({ ids: [id] }))
  const { host, options, recovery } = known(found)
  return { host, shown: options?.autoRecovery ?? 'disabled', wanted: recovery?.wanted ?? 'keep' }
}

describe('a launch', () => {
  it.each<[string, object, string, string]>([
    ['nothing said', {}, 'disabled', 'keep'],
    ['the tag', TAGGED, 'default', 'recover'],
    [
      'the tag and default',
      { ...TAGGED, MaintenanceOptions: { AutoRecovery: 'default' } },
      'default',
      'recover',
    ],
    [
      'the tag, and disabled',
      { ...TAGGED, MaintenanceOptions: { AutoRecovery: 'disabled' } },
      'disabled',
      'keep',
    ],
  ])('with %s', async (_case, more, shown, wanted) => {
    await fence(0, 1)
    expect(await stateOf(await launch(more))).toMatchObject({ shown, wanted })
  })

  it('goes to a host that can stop it surely', async () => {
    await fence(1)
    const [, second] = await cloud.store.read((tx) => tx.hosts())
    for (let count = 0; count < 6; count += 1)
      expect(await stateOf(await launch(TAGGED))).toMatchObject({ host: second?.name })
  })

  it('is refused while no host can, and default alone is only shown then', async () => {
    expect(await refusal('RunInstances', order(TAGGED))).toBe('UnsupportedOperation')
    const shown = { MaintenanceOptions: { AutoRecovery: 'default' } }
    expect(await stateOf(await launch(shown))).toMatchObject({ shown: 'default', wanted: 'keep' })
  })

  it.each<[string, () => object, string]>([
    [
      'default without a word about the disk',
      () => ({ MaintenanceOptions: { AutoRecovery: 'default' } }),
      'InvalidParameterCombination',
    ],
    [
      'another word',
      () => ({
        TagSpecifications: [{ ResourceType: 'instance', Tags: [{ ...TAG, Value: 'yes' }] }],
      }),
      'InvalidParameterValue',
    ],
    [
      'the tag on a volume',
      () => ({ TagSpecifications: [{ ResourceType: 'volume', Tags: [TAG] }] }),
      'InvalidParameterValue',
    ],
  ])('is refused with %s', async (_case, more, code) => {
    await fence(0, 1)
    expect(await refusal('RunInstances', order(more()))).toBe(code)
  })

  it('is refused with an image that one host has', async () => {
    await fence(0, 1)
    const kept = numbered('ami', 9)
    await cloud.store.change(async (tx) => {
      const [image] = await tx.images({ ids: [cloud.image] })
      const [host] = await tx.hosts()
      const name = known(host).name
      const location = keptLocation(FIRST_DRIVERS.container, name, kept)
      await tx.insertImage({ ...known(image), id: kept, name: 'kept', location })
    })
    expect(await refusal('RunInstances', order({ ...TAGGED, ImageId: kept }))).toBe(
      'UnsupportedOperation',
    )
  })
})

describe('an instance that there is', () => {
  const modify = (InstanceId: InstanceId, AutoRecovery: string) =>
    run('ModifyInstanceMaintenanceOptions', { InstanceId, AutoRecovery })
  const tag = (id: InstanceId) => run('CreateTags', { Resources: [id], Tags: [TAG] })

  it('follows its tag and its AutoRecovery', async () => {
    await fence(0, 1)
    const id = await launch({})
    const steps: [() => Promise<unknown>, string, string][] = [
      [() => tag(id), 'default', 'recover'],
      [() => modify(id, 'disabled'), 'disabled', 'keep'],
      [() => modify(id, 'default'), 'default', 'recover'],
      [() => tag(id), 'default', 'recover'],
      [
        () => run('DeleteTags', { Resources: [id], Tags: [{ Key: TAG.Key, Value: 'x' }] }),
        'default',
        'recover',
      ],
      [() => run('DeleteTags', { Resources: [id], Tags: [{ Key: TAG.Key }] }), 'disabled', 'keep'],
      [() => tag(id), 'default', 'recover'],
      [() => run('DeleteTags', { Resources: [id] }), 'disabled', 'keep'],
    ]
    for (const [step, shown, wanted] of steps) {
      await step()
      expect(await stateOf(id)).toMatchObject({ shown, wanted })
    }
  })

  it('rings its host when the wish changes, and only then', async () => {
    await fence(0, 1)
    const id = await launch(TAGGED)
    const rung = async (step: () => Promise<unknown>) => {
      cloud.rung.length = 0
      await step()
      return cloud.rung.length
    }
    const { host } = await stateOf(id)
    cloud.rung.length = 0
    await modify(id, 'disabled')
    expect(cloud.rung).toEqual([host])
    expect(await rung(() => modify(id, 'disabled'))).toBe(0)
  })

  it('is refused where its host cannot stop it, and changes nothing', async () => {
    const id = await launch({})
    const before = await stateOf(id)
    const asked = { Resources: [id], Tags: [TAG] }
    expect(await refusal('CreateTags', asked)).toBe('UnsupportedOperation')
    expect(await stateOf(id)).toEqual(before)
    expect(await cloud.store.read((tx) => tx.tags({ resources: [id] }))).toEqual([])
  })

  it('is refused default without a word about the disk', async () => {
    await fence(0, 1)
    const id = await launch({})
    const asked = { InstanceId: id, AutoRecovery: 'default' }
    expect(await refusal('ModifyInstanceMaintenanceOptions', asked)).toBe(
      'InvalidParameterCombination',
    )
  })

  it('is refused a word about the disk of something else', async () => {
    await fence(0, 1)
    const asked = { Resources: [cloud.vpc.id], Tags: [TAG] }
    expect(await refusal('CreateTags', asked)).toBe('InvalidParameterValue')
  })

  it.each(['0', '7', '1000'])(
    'may have the priority %s, which alone changes nothing',
    async (Value) => {
      const id = await launch({})
      const tag = { Key: 'atoll:recover-priority', Value }
      await run('CreateTags', { Resources: [id], Tags: [tag] })
      expect(await stateOf(id)).toMatchObject({ shown: 'disabled', wanted: 'keep' })
    },
  )

  it.each(['', '-1', '1001', '01', '1.5', 'high', '1000000000000'])(
    'is refused the priority "%s"',
    async (Value) => {
      const id = await launch({})
      const asked = { Resources: [id], Tags: [{ Key: 'atoll:recover-priority', Value }] }
      expect(await refusal('CreateTags', asked)).toBe('InvalidParameterValue')
    },
  )

  it('is refused a priority of something else', async () => {
    const asked = {
      Resources: [cloud.vpc.id],
      Tags: [{ Key: 'atoll:recover-priority', Value: '1' }],
    }
    expect(await refusal('CreateTags', asked)).toBe('InvalidParameterValue')
  })
})
