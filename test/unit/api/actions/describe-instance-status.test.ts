import type { InstanceStatus, Reservation } from '@aws-sdk/client-ec2'
import { describe, expect, it } from 'vitest'
import { describeInstanceStatus } from '../../../../src/api/actions/describe-instance-status.ts'
import { rebootInstances } from '../../../../src/api/actions/reboot-instances.ts'
import { runInstances } from '../../../../src/api/actions/run-instances.ts'
import { setDraining } from '../../../../src/api/hosts.ts'
import type { HostName, InstanceId } from '../../../../src/model/ids.ts'
import { CHECK_RESULTS } from '../../../../src/model/instance-check.ts'
import type { Tx } from '../../../../src/store/store.ts'
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

describe('what hosts have found out by asking their instances', () => {
  const SINCE = '2026-11-22T08:33:27.000Z'
  const ids = (statuses: readonly InstanceStatus[]) => statuses.map((one) => one.InstanceId)

  /** Four that run: asked and passed, failed, not to be asked, and not asked yet. */
  async function openChecked() {
    const cloud = await openCloud()
    const order = { ImageId: cloud.image, MinCount: 4, MaxCount: 4 }
    const { Instances = [] } = (await cloud.run(runInstances, order)) as Reservation
    // In the order of lists.
    const launched = Instances.map((one) => one.InstanceId as InstanceId).toSorted()
    await cloud.store.change(async (tx) => {
      for (const [at, id] of launched.entries()) {
        const result = CHECK_RESULTS[at]
        const check = result === undefined ? {} : { check: { bootCount: 1, result, since: SINCE } }
        await tx.updateInstance(id, { state: 'running', bootSeen: 1, ...check })
      }
    })
    const status = async (asked: object) => await cloud.run(describeInstanceStatus, asked)
    const listed = async (asked: object = {}) =>
      (await status(asked))['InstanceStatuses'] as InstanceStatus[]
    return { cloud, launched, status, listed }
  }

  it('is shown, and leaves the status of the host alone', async () => {
    const { cloud: opened, launched, listed } = await openChecked()
    await using _cloud = opened
    const shown = await listed({ InstanceIds: launched })
    expect(shown.map((one) => [one.InstanceStatus?.Status, one.InstanceStatus?.Details])).toEqual([
      ['ok', [{ Name: 'reachability', Status: 'passed' }]],
      ['impaired', [{ Name: 'reachability', Status: 'failed', ImpairedSince: new Date(SINCE) }]],
      ['insufficient-data', [{ Name: 'reachability', Status: 'insufficient-data' }]],
      ['initializing', [{ Name: 'reachability', Status: 'initializing' }]],
    ])
    for (const one of shown) expect(one.SystemStatus).toMatchObject({ Status: 'ok' })
  })

  it('is what filters compare with, also from page to page', async () => {
    const { cloud: opened, launched, status, listed } = await openChecked()
    await using _cloud = opened
    for (const [name, values] of [
      ['instance-status.status', ['ok', 'impaired', 'insufficient-data', 'initializing']],
      ['instance-status.reachability', ['passed', 'failed', 'insufficient-data', 'initializing']],
    ] as const)
      for (const [at, value] of values.entries())
        expect(ids(await listed({ Filters: [{ Name: name, Values: [value] }] })), value).toEqual([
          launched[at],
        ])
    const Filters = [{ Name: 'instance-status.status', Values: ['ok', 'initializing'] }]
    const page = await status({ Filters, MaxResults: 5 })
    expect(ids(page['InstanceStatuses'] as InstanceStatus[]).toSorted()).toEqual(
      [launched[0], launched[3]].toSorted(),
    )
  })

  it('is of the boot that was asked', async () => {
    const { cloud: opened, launched, listed } = await openChecked()
    await using cloud = opened
    const [, failed] = launched
    const InstanceIds = failed === undefined ? [] : [failed]
    await cloud.run(rebootInstances, { InstanceIds })
    expect(await listed({ InstanceIds })).toMatchObject([
      { InstanceStatus: { Status: 'initializing' } },
    ])
    await cloud.store.change((tx) =>
      tx.updateInstance(InstanceIds[0] as InstanceId, { bootSeen: 2 }),
    )
    expect(await listed({ InstanceIds })).toMatchObject([
      { InstanceStatus: { Status: 'initializing' } },
    ])
  })

  it('shows that an instance will be rebooted because it hangs', async () => {
    const { cloud: opened, launched, listed } = await openChecked()
    await using cloud = opened
    const [id] = launched
    const hung = { bootCount: 1, result: 'failed', since: SINCE, rebootAt: SINCE } as const
    const tell = async (change: Parameters<Tx['updateInstance']>[1]) => {
      if (id !== undefined) await cloud.store.change((tx) => tx.updateInstance(id, change))
    }
    const Filters = [{ Name: 'event.code', Values: ['instance-reboot'] }]
    expect(await listed({ Filters })).toEqual([])
    await tell({ check: hung })
    expect(await listed({ Filters })).toMatchObject([
      { InstanceId: id, Events: [{ Code: 'instance-reboot', NotBefore: new Date(SINCE) }] },
    ])
    await tell({ check: { ...hung, result: 'passed' } })
    expect(await listed({ Filters })).toEqual([])
    await tell({ check: hung, bootCount: 2 })
    expect(await listed({ Filters })).toEqual([])
  })
})
