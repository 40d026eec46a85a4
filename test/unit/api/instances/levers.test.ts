/** The tags atoll:ttl and atoll:schedule: where they may be set, and what becomes of them. */
import { describe, expect, it } from 'vitest'
import { createLaunchTemplate } from '../../../../src/api/actions/create-launch-template.ts'
import { createTags } from '../../../../src/api/actions/create-tags.ts'
import { deleteTags } from '../../../../src/api/actions/delete-tags.ts'
import { describeInstanceStatus } from '../../../../src/api/actions/describe-instance-status.ts'
import { describeTags } from '../../../../src/api/actions/describe-tags.ts'
import { runInstances } from '../../../../src/api/actions/run-instances.ts'
import { AtollError } from '../../../../src/model/errors.ts'
import type { InstanceId } from '../../../../src/model/ids.ts'
import { INSTANCE_OPTIONS } from '../../../../src/model/instance-options.ts'
import { SCHEDULE_TAG, type Strike, TTL_TAG } from '../../../../src/model/lever.ts'
import { BOB, type Cloud, everything, NOW_MS, openCloud } from '../../../kit/api-cloud.ts'

const OFFICE = 'mon-fri 08:00-18:00 Europe/Berlin'

const specified = (type: string, Key: string, Value: string) => ({
  TagSpecifications: [{ ResourceType: type, Tags: [{ Key, Value }] }],
})

async function launch(cloud: Cloud, more: object = {}): Promise<InstanceId> {
  const made = await cloud.run(runInstances, {
    ...{ ImageId: cloud.image, MinCount: 1, MaxCount: 1 },
    ...more,
  })
  return (made['Instances'] as { InstanceId: InstanceId }[])[0]?.InstanceId as InstanceId
}

const leversOf = (cloud: Cloud, id: InstanceId) => cloud.store.read((tx) => tx.levers([id]))

async function message(doing: Promise<unknown>): Promise<string> {
  const error: unknown = await doing.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof AtollError) || error.kind !== 'refused') throw new Error('not refused')
  return error.message
}

describe('tags that end, stop and start instances', () => {
  it('count from when they are set, at the launch or later, and ring the host', async () => {
    await using cloud = await openCloud()
    const id = await launch(cloud, specified('instance', TTL_TAG, '8h'))
    const lever = { instance: id, fromMs: NOW_MS, strike: null }
    expect(await leversOf(cloud, id)).toEqual([{ ...lever, tag: TTL_TAG }])
    cloud.rung.length = 0
    const strike: Strike = { kind: 'terminate', dueMs: NOW_MS, notBeforeMs: NOW_MS }
    await cloud.store.change((tx) => tx.putLever({ ...lever, tag: TTL_TAG, fromMs: 1, strike }))
    const Tags = [
      { Key: TTL_TAG, Value: '8h' },
      { Key: SCHEDULE_TAG, Value: OFFICE },
    ]
    await cloud.run(createTags, { Resources: [id], Tags })
    expect(await leversOf(cloud, id)).toEqual([
      { ...lever, tag: SCHEDULE_TAG },
      { ...lever, tag: TTL_TAG },
    ])
    expect(cloud.rung).toEqual(['host1'])
  })

  it('come with a launch template, which refuses what a launch would', async () => {
    await using cloud = await openCloud()
    const template = (data: object) =>
      cloud.run(createLaunchTemplate, { LaunchTemplateName: 'dev', LaunchTemplateData: data })
    const bad = { ImageId: cloud.image, ...specified('instance', TTL_TAG, 'tomorrow') }
    expect(await message(template(bad))).toContain("'tomorrow'")
    await template({ ImageId: cloud.image, ...specified('instance', TTL_TAG, '3d') })
    const made = await cloud.run(runInstances, {
      ...{ LaunchTemplate: { LaunchTemplateName: 'dev' }, MinCount: 1, MaxCount: 1 },
    })
    const [instance] = made['Instances'] as { InstanceId: InstanceId }[]
    expect(await leversOf(cloud, instance?.InstanceId as InstanceId)).toHaveLength(1)
  })

  it.each([
    [TTL_TAG, '0'],
    [TTL_TAG, '-1h'],
    [TTL_TAG, '1000000000y'],
    [TTL_TAG, ''],
    [TTL_TAG, '\u0668h'],
    [TTL_TAG, '2026-11-22T07:59:59Z'],
    [SCHEDULE_TAG, 'mon-fri 08:00-18:00'],
    [SCHEDULE_TAG, 'mon-fri 08:00-18:00 Mars/Olympus'],
    [SCHEDULE_TAG, ''],
  ])('%s = %j is refused by every action, and changes nothing', async (Key, Value) => {
    await using cloud = await openCloud()
    const id = await launch(cloud)
    const before = await everything(cloud.store)
    for (const said of [
      message(cloud.run(createTags, { Resources: [id], Tags: [{ Key, Value }] })),
      message(launch(cloud, specified('instance', Key, Value))),
    ]) {
      expect(await said).toContain(`'${Value}'`)
      expect(await said).toContain(`'${Key}'`)
      expect(await said).toContain(Key === TTL_TAG ? '8h' : 'mon-fri 08:00-18:00 Europe/Berlin')
    }
    expect(await everything(cloud.store)).toEqual(before)
  })

  it('are refused for what is no instance, and for all when one is none', async () => {
    await using cloud = await openCloud()
    const id = await launch(cloud)
    const before = await everything(cloud.store)
    const Tags = [{ Key: TTL_TAG, Value: '8h' }]
    for (const Resources of [[cloud.vpc.id], [cloud.image], [id, cloud.subnet.id]])
      expect(await message(cloud.run(createTags, { Resources, Tags }))).toContain('instances only')
    expect(await message(launch(cloud, specified('volume', TTL_TAG, '8h')))).toContain("'volume'")
    expect(await everything(cloud.store)).toEqual(before)
  })

  it('of another account are out of reach', async () => {
    await using cloud = await openCloud()
    const id = await launch(cloud)
    const input = { Resources: [id], Tags: [{ Key: TTL_TAG, Value: '8h' }] }
    expect(await cloud.refusal(createTags, input, BOB)).toBe('InvalidInstanceID.NotFound')
    expect(await leversOf(cloud, id)).toEqual([])
  })

  it('are deleted as a client’s own, and other tags of ours stay reserved', async () => {
    await using cloud = await openCloud()
    const id = await launch(cloud, specified('instance', TTL_TAG, '8h'))
    await cloud.run(deleteTags, { Resources: [id] })
    expect(await cloud.run(describeTags)).toEqual({ Tags: [] })
    for (const Key of ['Atoll:ttl', 'atoll:TTL', 'atoll:ttl2', 'atoll:schedules', 'atoll:'])
      expect(
        await cloud.refusal(createTags, { Resources: [id], Tags: [{ Key, Value: '8h' }] }),
      ).toBe('InvalidParameterValue')
  })
})

describe('what they announce', () => {
  const DUE = NOW_MS + 600_000
  const terminate: Strike = { kind: 'terminate', dueMs: DUE, notBeforeMs: DUE }

  async function events(cloud: Cloud): Promise<object[]> {
    const { InstanceStatuses } = await cloud.run(describeInstanceStatus, {
      IncludeAllInstances: true,
    })
    return (InstanceStatuses as { Events?: object[] }[])[0]?.Events ?? []
  }

  it('is an event of the instance, until the tag is taken off', async () => {
    await using cloud = await openCloud()
    const id = await launch(cloud, specified('instance', TTL_TAG, '10m'))
    expect(await events(cloud)).toEqual([])
    const lever = { instance: id, tag: TTL_TAG, fromMs: NOW_MS, strike: terminate } as const
    await cloud.store.change((tx) => tx.putLever(lever))
    const event = {
      InstanceEventId: expect.stringMatching(/^instance-event-[0-9a-f]{17}$/) as unknown,
      Code: 'instance-retirement',
      Description: expect.stringContaining('will be terminated') as unknown,
      NotBefore: new Date(DUE),
      NotBeforeDeadline: new Date(DUE + 7 * 86_400_000),
    }
    expect(await events(cloud)).toEqual([event])
    const filter = { Filters: [{ Name: 'event.code', Values: ['instance-retirement'] }] }
    const all = { ...filter, IncludeAllInstances: true }
    expect((await cloud.run(describeInstanceStatus, all))['InstanceStatuses']).toHaveLength(1)
    await cloud.store.change((tx) =>
      tx.updateInstance(id, { options: { ...INSTANCE_OPTIONS, disableApiTermination: true } }),
    )
    const { NotBefore: _, NotBeforeDeadline: _until, ...rest } = event
    const kept = { ...rest, Description: expect.stringContaining('is kept') as unknown }
    expect(await events(cloud)).toEqual([kept])
    await cloud.run(deleteTags, { Resources: [id], Tags: [{ Key: TTL_TAG }] })
    expect(await events(cloud)).toEqual([])
  })

  it('is the stop of a schedule, while the instance runs', async () => {
    await using cloud = await openCloud()
    const id = await launch(cloud, specified('instance', SCHEDULE_TAG, OFFICE))
    const strike: Strike = { ...terminate, kind: 'stop' }
    await cloud.store.change((tx) =>
      tx.putLever({ instance: id, tag: SCHEDULE_TAG, fromMs: NOW_MS, strike }),
    )
    expect(await events(cloud)).toMatchObject([{ Code: 'instance-stop', NotBefore: new Date(DUE) }])
    await cloud.store.change((tx) => tx.updateInstance(id, { state: 'stopping', wanted: 'stop' }))
    expect(await events(cloud)).toEqual([])
  })
})
