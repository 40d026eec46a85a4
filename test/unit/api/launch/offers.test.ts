/** Launches take what hosts have started already, each of them once. */
import { describe, expect, it } from 'vitest'
import { runInstances } from '../../../../src/api/actions/run-instances.ts'
import { terminateInstances } from '../../../../src/api/actions/terminate-instances.ts'
import { createCatalogue } from '../../../../src/api/launch/catalogue.ts'
import type { InstanceId } from '../../../../src/model/ids.ts'
import type { OfferedInstance } from '../../../../src/model/warm-instance.ts'
import { BOB, type Cloud, type CloudOptions, openCloud } from '../../../kit/api-cloud.ts'
import { hostName, instanceId, numbered } from '../../../kit/records.ts'

const DIGEST = `sha256:${'a'.repeat(64)}`
const HOST = hostName('host1')

/** A cloud whose image has its content, with these offers. */
async function openWarm(
  numbers: readonly number[],
  changes: Partial<OfferedInstance> = {},
  options: CloudOptions = {},
): Promise<Cloud> {
  const cloud = await openCloud(options)
  await cloud.store.change(async (tx) => {
    await tx.updateImage(cloud.image, { state: 'available', digest: DIGEST })
    for (const number of numbers) {
      const kind = { image: cloud.image, digest: DIGEST, type: 't3.micro' }
      await tx.offerWarmInstance({ id: instanceId(number), host: HOST, ...kind, ...changes })
    }
  })
  return cloud
}

const order = (cloud: Cloud, more: object = {}) => ({
  ...{ ImageId: cloud.image, InstanceType: 't3.micro', MinCount: 1, MaxCount: 1 },
  ...more,
})

async function launch(cloud: Cloud, more: object = {}): Promise<readonly string[]> {
  const { Instances = [] } = (await cloud.run(runInstances, order(cloud, more))) as {
    readonly Instances?: readonly { readonly InstanceId: string }[]
  }
  return Instances.map(({ InstanceId }) => InstanceId).toSorted()
}

const left = async ({ store }: Cloud) =>
  (await store.read((tx) => tx.warmInstances())).map(({ id }) => id)
const isClaimed = async ({ store }: Cloud, id: string | undefined) =>
  (await store.read((tx) => tx.instances({ ids: [id as InstanceId] })))[0]?.claimed

describe('a launch', () => {
  it('takes one, which is its host’s at once, and leaves the others', async () => {
    await using cloud = await openWarm([1, 2])
    const [id] = await launch(cloud)
    expect([instanceId(1), instanceId(2)]).toContain(id)
    expect(await isClaimed(cloud, id)).toBe(true)
    expect(await left(cloud)).toEqual(
      [instanceId(1), instanceId(2)].filter((other) => other !== id),
    )
  })

  it('takes as many as it needs and there are, and the rest is started as always', async () => {
    await using cloud = await openWarm([1, 2])
    const ids = await launch(cloud, { MinCount: 3, MaxCount: 3 })
    expect(ids).toEqual(expect.arrayContaining([instanceId(1), instanceId(2)]))
    const [fresh] = ids.filter((id) => ![instanceId(1), instanceId(2)].includes(id as InstanceId))
    expect(await isClaimed(cloud, fresh)).toBe(false)
    expect(await left(cloud)).toEqual([])
  })

  it('never takes one that another has had', async () => {
    await using cloud = await openWarm([1])
    const ids = await Promise.all([1, 2, 3, 4].map(() => launch(cloud)))
    expect(new Set(ids.flat()).size).toBe(4)
    await cloud.run(terminateInstances, { InstanceIds: [instanceId(1)] })
    expect(await launch(cloud)).not.toContain(instanceId(1))
  })

  it('has the same one when it is asked for once more with its token', async () => {
    await using cloud = await openWarm([1, 2])
    const first = await launch(cloud, { ClientToken: 'once' })
    expect(await launch(cloud, { ClientToken: 'once' })).toEqual(first)
    expect(await left(cloud)).toHaveLength(1)
  })

  it.each<[string, Partial<OfferedInstance>]>([
    ['another type', { type: 't3.small' }],
    ['another content', { digest: `sha256:${'b'.repeat(64)}` }],
    ['another image', { image: numbered('ami', 99) }],
    ['another host', { host: hostName('host9') }],
  ])('takes none of %s', async (_what, changes) => {
    await using cloud = await openWarm([1], changes)
    expect(await launch(cloud)).not.toContain(instanceId(1))
    expect(await left(cloud)).toEqual([instanceId(1)])
  })

  it('leaves them when it is refused, or is only a trial', async () => {
    const small = { hosts: [{ vcpus: 2, memoryMiB: 65_536 }] }
    await using cloud = await openWarm([1], {}, small)
    expect(await cloud.refusal(runInstances, order(cloud, { MinCount: 5, MaxCount: 5 }))).toBe(
      'InsufficientInstanceCapacity',
    )
    expect(await cloud.refusal(runInstances, order(cloud, { DryRun: true }))).toBe(
      'DryRunOperation',
    )
    expect(await cloud.refusal(runInstances, order(cloud), BOB)).not.toBe('InternalError')
    expect(await left(cloud)).toEqual([instanceId(1)])
  })

  it('is not stopped by an offer of an instance that there is', async () => {
    let now = 0
    const monotonic = () => {
      now += 1_000
      return now
    }
    // Each launch makes a reading of its own.
    const parts = { catalogue: createCatalogue({ monotonic }) }
    await using cloud = await openWarm([], {}, { parts })
    const [id = ''] = await launch(cloud)
    await cloud.store.change((tx) =>
      tx.offerWarmInstance({
        ...{ id: id as InstanceId, host: HOST, image: cloud.image },
        ...{ digest: DIGEST, type: 't3.micro' },
      }),
    )
    expect(await launch(cloud)).not.toContain(id)
  })
})
