import type { DescribeInstancesResult, Reservation } from '@aws-sdk/client-ec2'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Action } from '../../../../src/api/action.ts'
import { describeInstanceStatus } from '../../../../src/api/actions/describe-instance-status.ts'
import { describeInstances } from '../../../../src/api/actions/describe-instances.ts'
import { getConsoleOutput } from '../../../../src/api/actions/get-console-output.ts'
import { rebootInstances } from '../../../../src/api/actions/reboot-instances.ts'
import { runInstances } from '../../../../src/api/actions/run-instances.ts'
import { startInstances } from '../../../../src/api/actions/start-instances.ts'
import { stopInstances } from '../../../../src/api/actions/stop-instances.ts'
import { terminateInstances } from '../../../../src/api/actions/terminate-instances.ts'
import { createLocalBus } from '../../../../src/bus/local.ts'
import type { InstanceId } from '../../../../src/model/ids.ts'
import type { InstanceState, Wanted } from '../../../../src/model/records.ts'
import { BOB, type Cloud, everything, openCloud } from '../../../kit/api-cloud.ts'
import { failAt } from '../../../kit/failing-store.ts'

async function launch(cloud: Cloud, count = 1, more: object = {}): Promise<InstanceId[]> {
  const input = { ImageId: cloud.image, MinCount: count, MaxCount: count, ...more }
  const { Instances }: Reservation = await cloud.run(runInstances, input)
  cloud.rung.length = 0
  return (Instances ?? []).map(({ InstanceId }) => InstanceId as InstanceId)
}

const WANTED: Readonly<Record<InstanceState, Wanted>> = {
  pending: 'run',
  running: 'run',
  stopping: 'stop',
  stopped: 'stop',
  'shutting-down': 'terminate',
  terminated: 'terminate',
}

/** Puts an instance into a state as the agent's reports would. */
async function become(cloud: Cloud, id: InstanceId, state: InstanceState): Promise<void> {
  await cloud.store.change(async (tx) => {
    const bootSeen = state === 'pending' ? 0 : 1
    await tx.updateInstance(id, { state, wanted: WANTED[state], bootSeen })
    if (state === 'terminated') await tx.deleteNics(id)
  })
}

async function generation(cloud: Cloud): Promise<number | undefined> {
  return (await cloud.store.read((tx) => tx.hosts()))[0]?.generation
}

describe('state changes', () => {
  const refused = 'IncorrectInstanceState'
  it.each<[Action, string, Partial<Record<InstanceState, InstanceState>>]>([
    [
      stopInstances,
      'StoppingInstances',
      { running: 'stopping', stopping: 'stopping', stopped: 'stopped' },
    ],
    [
      startInstances,
      'StartingInstances',
      { pending: 'pending', running: 'running', stopped: 'pending' },
    ],
    [
      terminateInstances,
      'TerminatingInstances',
      {
        pending: 'shutting-down',
        running: 'shutting-down',
        stopping: 'shutting-down',
        stopped: 'shutting-down',
        'shutting-down': 'shutting-down',
        terminated: 'terminated',
      },
    ],
  ])('$name goes from each state to the right one', async (action, member, allowed) => {
    for (const from of Object.keys(WANTED) as InstanceState[]) {
      await using cloud = await openCloud()
      const [id] = await launch(cloud)
      if (id === undefined) throw new Error('nothing was launched')
      await become(cloud, id, from)
      const before = await generation(cloud)
      const to = allowed[from]
      if (to === undefined) {
        expect(await cloud.refusal(action, { InstanceIds: [id] })).toBe(refused)
      } else {
        expect(await cloud.run(action, { InstanceIds: [id] })).toMatchObject({
          [member]: [{ InstanceId: id, PreviousState: { Name: from }, CurrentState: { Name: to } }],
        })
      }
      const changed = to !== undefined && to !== from
      expect(cloud.rung).toEqual(changed ? ['host1'] : [])
      expect((await generation(cloud)) !== before).toBe(changed)
    }
  })

  it('a reboot is one more boot, of an instance that runs', async () => {
    await using cloud = await openCloud()
    const [id] = await launch(cloud)
    if (id === undefined) throw new Error('nothing was launched')
    await become(cloud, id, 'running')
    expect(await cloud.run(rebootInstances, { InstanceIds: [id] })).toEqual({})
    expect(await cloud.store.read((tx) => tx.instances({}))).toMatchObject([
      { state: 'running', bootCount: 2 },
    ])
    expect(cloud.rung).toEqual(['host1'])
    await become(cloud, id, 'stopped')
    expect(await cloud.refusal(rebootInstances, { InstanceIds: [id] })).toBe(refused)
  })

  it('changes all instances of a request or none', async () => {
    await using cloud = await openCloud()
    const ids = await launch(cloud, 3)
    const [first] = ids
    if (first === undefined) throw new Error('nothing was launched')
    await become(cloud, first, 'terminated')
    const before = await everything(cloud.store)
    expect(await cloud.refusal(stopInstances, { InstanceIds: ids })).toBe(refused)
    expect(await everything(cloud.store)).toEqual(before)
    for (let k = 1; ; k += 1) {
      const failing = failAt(cloud.store, k)
      const input = { InstanceIds: ids.slice(1) }
      await cloud.runOn(failing.store, stopInstances, input).catch(() => undefined)
      if (failing.calls() < k) break
      expect(await everything(cloud.store)).toEqual(before)
      expect(cloud.rung).toEqual([])
    }
  })

  it('takes an id once, however often it is given', async () => {
    await using cloud = await openCloud()
    const [id] = await launch(cloud)
    const { TerminatingInstances } = await cloud.run(terminateInstances, {
      InstanceIds: [id, id],
    })
    expect(TerminatingInstances).toHaveLength(1)
  })

  it('keeps address and capacity until the agent says that the instance is gone', async () => {
    await using cloud = await openCloud()
    const ids = await launch(cloud)
    const before = await cloud.store.read(async (tx) => [await tx.nics({}), await tx.hosts()])
    await cloud.run(terminateInstances, { InstanceIds: ids })
    const after = await cloud.store.read(async (tx) => [await tx.nics({}), await tx.hosts()])
    expect(after[0]).toEqual(before[0])
    expect(after[1]).toMatchObject([{ usedVcpus: 2 }])
  })

  it.each([stopInstances, startInstances, rebootInstances, terminateInstances, describeInstances])(
    '$name knows no instances of others, and no malformed ids',
    async (action) => {
      await using cloud = await openCloud()
      const ids = await launch(cloud)
      expect(await cloud.refusal(action, { InstanceIds: ids }, BOB)).toBe(
        'InvalidInstanceID.NotFound',
      )
      expect(await cloud.refusal(action, { InstanceIds: ['i-00000000000000000'] })).toBe(
        'InvalidInstanceID.NotFound',
      )
      for (const id of ['web-1', 'i-', 'i-XYZ', "i-1' OR 1=1", 'ami-00000000000000000'])
        expect(await cloud.refusal(action, { InstanceIds: [id] })).toBe(
          'InvalidInstanceID.Malformed',
        )
      for (const id of ids) await become(cloud, id, 'running')
      expect(await cloud.refusal(action, { InstanceIds: ids, DryRun: true })).toBe(
        'DryRunOperation',
      )
    },
  )
})

describe('DescribeInstances', () => {
  it('pages through every instance once, one reservation after the other', async () => {
    await using cloud = await openCloud({ hosts: [{ vcpus: 200, memoryMiB: 500_000 }] })
    const launched: InstanceId[] = []
    for (const count of [1, 7, 2, 11, 3]) launched.push(...(await launch(cloud, count)))
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 5, max: 30 }), async (MaxResults) => {
        const seen: string[] = []
        let NextToken: string | undefined
        do {
          const page: DescribeInstancesResult = await cloud.run(describeInstances, {
            MaxResults,
            ...(NextToken === undefined ? {} : { NextToken }),
          })
          const ids = (page.Reservations ?? []).flatMap((one) =>
            (one.Instances ?? []).map(({ InstanceId }) => InstanceId ?? ''),
          )
          expect(ids.length).toBeLessThanOrEqual(MaxResults)
          seen.push(...ids)
          NextToken = page.NextToken
        } while (NextToken !== undefined)
        expect(seen.toSorted()).toEqual(launched.toSorted())
      }),
      { numRuns: 10 },
    )
    const whole: DescribeInstancesResult = await cloud.run(describeInstances)
    expect(whole.Reservations?.map(({ Instances }) => Instances?.length).sort()).toEqual(
      [1, 11, 2, 3, 7].sort(),
    )
  })

  it('filters by what it shows', async () => {
    await using cloud = await openCloud()
    const [web] = await launch(cloud, 1, {
      TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'Name', Value: 'web' }] }],
    })
    const [other] = await launch(cloud)
    if (web === undefined || other === undefined) throw new Error('nothing was launched')
    await become(cloud, web, 'running')
    const find = async (Name: string, ...Values: string[]): Promise<(string | undefined)[]> => {
      const found: DescribeInstancesResult = await cloud.run(describeInstances, {
        Filters: [{ Name, Values }],
      })
      return (found.Reservations ?? []).flatMap((one) =>
        (one.Instances ?? []).map(({ InstanceId }) => InstanceId),
      )
    }
    expect(await find('instance-state-name', 'running', 'stopped')).toEqual([web])
    expect(await find('instance-state-code', '0')).toEqual([other])
    expect(await find('tag:Name', 'w?b')).toEqual([web])
    expect(await find('private-ip-address', '172.31.*')).toHaveLength(2)
    expect(await find('network-interface.group-id', cloud.group.id)).toHaveLength(2)
    expect(await find('ip-address', '*')).toEqual([])
    expect(
      await cloud.refusal(describeInstances, { Filters: [{ Name: 'nope', Values: ['x'] }] }),
    ).toBe('InvalidParameterValue')
  })

  it('shows a terminated instance without address and NIC', async () => {
    await using cloud = await openCloud()
    const [id] = await launch(cloud)
    if (id === undefined) throw new Error('nothing was launched')
    await become(cloud, id, 'terminated')
    const { Reservations }: DescribeInstancesResult = await cloud.run(describeInstances)
    const instance = Reservations?.[0]?.Instances?.[0]
    expect(instance).toMatchObject({ State: { Code: 48 }, NetworkInterfaces: [] })
    for (const name of ['PrivateIpAddress', 'SubnetId', 'VpcId'])
      expect(instance).not.toHaveProperty(name)
  })

  it('refuses ids with MaxResults, and too small a MaxResults', async () => {
    await using cloud = await openCloud()
    const ids = await launch(cloud)
    expect(await cloud.refusal(describeInstances, { InstanceIds: ids, MaxResults: 5 })).toBe(
      'InvalidParameterCombination',
    )
    for (const MaxResults of [0, 4, 5.5, -1])
      expect(await cloud.refusal(describeInstances, { MaxResults })).toBe('InvalidParameterValue')
    expect(
      await cloud.refusal(describeInstances, {
        Filters: [{ Name: 'instance-id', Values: Array.from({ length: 201 }, String) }],
      }),
    ).toBe('FilterLimitExceeded')
  })
})

describe('DescribeInstanceStatus', () => {
  it('lists what runs, and the rest only when asked', async () => {
    await using cloud = await openCloud()
    const [first, second] = await launch(cloud, 2)
    if (first === undefined || second === undefined) throw new Error('nothing was launched')
    await become(cloud, first, 'running')
    const ok = { Status: 'ok', Details: [{ Name: 'reachability', Status: 'passed' }] }
    const check = { bootCount: 1, result: 'passed', since: '2026-11-22T08:33:27.000Z' } as const
    await cloud.store.change((tx) => tx.updateInstance(first, { check }))
    expect(await cloud.run(describeInstanceStatus)).toMatchObject({
      InstanceStatuses: [{ InstanceId: first, InstanceStatus: ok, SystemStatus: ok }],
    })
    const all = await cloud.run(describeInstanceStatus, { IncludeAllInstances: true })
    expect(all['InstanceStatuses']).toHaveLength(2)
    await cloud.run(rebootInstances, { InstanceIds: [first] })
    expect(await cloud.run(describeInstanceStatus)).toMatchObject({
      InstanceStatuses: [{ InstanceStatus: { Status: 'initializing' }, SystemStatus: ok }],
    })
  })
})

describe('GetConsoleOutput', () => {
  it("asks the instance's host", async () => {
    const bus = createLocalBus()
    await using cloud = await openCloud({ bus })
    const [InstanceId] = await launch(cloud)
    const at = '2026-11-22T08:00:01.000Z'
    const output = Buffer.from('login:').toString('base64')
    bus.onAsk('console', async ({ instance }) => {
      expect(instance).toBe(InstanceId)
      return { output, at }
    })
    expect(await cloud.run(getConsoleOutput, { InstanceId })).toEqual({
      InstanceId,
      Output: output,
      Timestamp: new Date(at),
    })
    expect(await cloud.refusal(getConsoleOutput, { InstanceId }, BOB)).toBe(
      'InvalidInstanceID.NotFound',
    )
  })
})
