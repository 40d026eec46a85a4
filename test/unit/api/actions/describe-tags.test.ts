/** Tags: on what, how many, and whose. */
import { describe, expect, it } from 'vitest'
import { createTags } from '../../../../src/api/actions/create-tags.ts'
import { deleteTags } from '../../../../src/api/actions/delete-tags.ts'
import { describeImages } from '../../../../src/api/actions/describe-images.ts'
import { describeSecurityGroups } from '../../../../src/api/actions/describe-security-groups.ts'
import { describeSubnets } from '../../../../src/api/actions/describe-subnets.ts'
import { describeTags } from '../../../../src/api/actions/describe-tags.ts'
import { describeVpcs } from '../../../../src/api/actions/describe-vpcs.ts'
import { runInstances } from '../../../../src/api/actions/run-instances.ts'
import { ALICE, BOB, type Cloud, everything, openCloud } from '../../../kit/api-cloud.ts'

describe('tags', () => {
  const Name = { Key: 'Name', Value: 'web' }

  async function instance(cloud: Cloud): Promise<string> {
    const made = await cloud.run(runInstances, { ImageId: cloud.image, MinCount: 1, MaxCount: 1 })
    cloud.rung.length = 0
    return (made['Instances'] as { InstanceId: string }[])[0]?.InstanceId ?? ''
  }

  it('can be given to everything there is, and are shown with it', async () => {
    await using cloud = await openCloud()
    const id = await instance(cloud)
    const Resources = [id, cloud.image, cloud.vpc.id, cloud.subnet.id, cloud.group.id]
    await cloud.run(createTags, { Resources, Tags: [Name] })
    expect(cloud.rung).toEqual(['host1'])
    const { Tags } = await cloud.run(describeTags)
    expect(Tags).toHaveLength(Resources.length)
    for (const [action, list] of [
      [describeImages, 'Images'],
      [describeVpcs, 'Vpcs'],
      [describeSubnets, 'Subnets'],
      [describeSecurityGroups, 'SecurityGroups'],
    ] as const) {
      const filters = { Filters: [{ Name: 'tag:Name', Values: ['w*'] }] }
      expect(await cloud.run(action, filters)).toMatchObject({ [list]: [{ Tags: [Name] }] })
    }
    const only = { Filters: [{ Name: 'resource-type', Values: ['instance'] }] }
    expect(await cloud.run(describeTags, only)).toMatchObject({
      Tags: [{ ResourceId: id, ResourceType: 'instance', ...Name }],
    })
  })

  it('are deleted by key, by value or all together', async () => {
    await using cloud = await openCloud()
    const Resources = [await instance(cloud)]
    const keys = async (): Promise<string[]> =>
      (await cloud.store.read((tx) => tx.tags({}))).map(({ key }) => key)
    const Tags = ['a', 'b', 'c', 'd'].map((Key) => ({ Key, Value: Key.toUpperCase() }))
    await cloud.run(createTags, { Resources, Tags })
    await cloud.run(deleteTags, { Resources, Tags: [{ Key: 'a' }] })
    expect(await keys()).toEqual(['b', 'c', 'd'])
    await cloud.run(deleteTags, { Resources, Tags: [{ Key: 'b', Value: '' }] })
    expect(await keys()).toEqual(['b', 'c', 'd'])
    await cloud.run(deleteTags, { Resources, Tags: [{ Key: 'b', Value: 'B' }] })
    expect(await keys()).toEqual(['c', 'd'])
    await cloud.run(deleteTags, { Resources })
    expect(await keys()).toEqual([])
  })

  it('are at most 50 on a resource, counting those that are there', async () => {
    await using cloud = await openCloud()
    const Resources = [cloud.vpc.id]
    const some = (from: number, count: number): object[] =>
      Array.from({ length: count }, (_, at) => ({ Key: `k${from + at}` }))
    await cloud.run(createTags, { Resources, Tags: some(0, 50) })
    await cloud.run(createTags, { Resources, Tags: some(10, 40) })
    const before = await everything(cloud.store)
    expect(await cloud.refusal(createTags, { Resources, Tags: some(49, 2) })).toBe(
      'TagLimitExceeded',
    )
    expect(await everything(cloud.store)).toEqual(before)
  })

  it.each([
    [{ Resources: ['i-00000000000000000'] }, 'InvalidInstanceID.NotFound'],
    [{ Resources: ['vpc-00000000000000000'] }, 'InvalidVpcID.NotFound'],
    [{ Resources: ['rtbassoc-00000000000000000'] }, 'InvalidID'],
    [{ Resources: ['__proto__'] }, 'InvalidID'],
    [{ Resources: [] }, 'MissingParameter'],
    [{ Tags: [] }, 'MissingParameter'],
    [{ Tags: [{ Key: 'aws:x' }] }, 'InvalidParameterValue'],
    [{ Tags: [{ Key: 'Atoll:isolation' }] }, 'InvalidParameterValue'],
    [{ Tags: undefined }, 'MissingParameter'],
  ])('%j is refused with %s', async (more, code) => {
    await using cloud = await openCloud()
    const input = { Resources: [cloud.vpc.id], Tags: [Name], ...more }
    expect(await cloud.refusal(createTags, input)).toBe(code)
  })

  it('of ours stay when all of a client are deleted, and do not count', async () => {
    await using cloud = await openCloud()
    const resource = cloud.vpc.id
    const ours = {
      account: ALICE,
      key: 'aws:atoll:isolation',
      value: 'machine',
      resource,
      resourceType: 'vpc',
    }
    await cloud.store.change((tx) => tx.putTags([ours]))
    const Tags = Array.from({ length: 50 }, (_, at) => ({ Key: `k${at}` }))
    await cloud.run(createTags, { Resources: [resource], Tags })
    await cloud.run(deleteTags, { Resources: [resource] })
    expect(await cloud.run(describeTags)).toMatchObject({ Tags: [{ Key: 'aws:atoll:isolation' }] })
    const named = { Resources: [resource], Tags: [{ Key: 'aws:atoll:isolation' }] }
    expect(await cloud.refusal(deleteTags, named)).toBe('InvalidParameterValue')
  })

  it("cannot be given to another account's things", async () => {
    await using cloud = await openCloud()
    const input = { Resources: [cloud.vpc.id], Tags: [Name] }
    expect(await cloud.refusal(createTags, input, BOB)).toBe('InvalidVpcID.NotFound')
    expect(await cloud.refusal(deleteTags, input, BOB)).toBe('InvalidVpcID.NotFound')
  })
})
