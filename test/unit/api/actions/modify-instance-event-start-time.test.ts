/** What a tag announced is put off, within limits. */
import { expect, it } from 'vitest'
import { createTags } from '../../../../src/api/actions/create-tags.ts'
import { describeInstanceStatus } from '../../../../src/api/actions/describe-instance-status.ts'
import { modifyInstanceEventStartTime } from '../../../../src/api/actions/modify-instance-event-start-time.ts'
import { TTL_TAG } from '../../../../src/model/lever.ts'
import { ALICE, BOB, NOW_MS, openCloud } from '../../../kit/api-cloud.ts'
import { instanceId, instanceRecord } from '../../../kit/records.ts'

const HOUR = 3_600_000
const DUE = NOW_MS + 8 * HOUR
const WEEK = 7 * 24 * HOUR
const InstanceId = instanceId(1)

/** An instance whose end is announced, on a host that is drained. */
async function announced(notBeforeMs: number | null = DUE) {
  const cloud = await openCloud()
  const [host] = await cloud.store.read((tx) => tx.hosts())
  if (host === undefined) throw new Error('there is a host')
  await cloud.store.change(async (tx) => {
    await tx.insertInstance({ ...instanceRecord(InstanceId, host.name), state: 'running' })
    await tx.setHostState(host.name, 'draining')
  })
  await cloud.run(createTags, { Resources: [InstanceId], Tags: [{ Key: TTL_TAG, Value: '8h' }] })
  const strike = { kind: 'terminate', dueMs: DUE, notBeforeMs } as const
  const lever = { instance: InstanceId, tag: TTL_TAG, fromMs: NOW_MS, strike } as const
  await cloud.store.change((tx) => tx.putLever(lever))
  const events = async () => {
    const { InstanceStatuses } = await cloud.run(describeInstanceStatus)
    const [status] = InstanceStatuses as { Events: { Code: string; InstanceEventId: string }[] }[]
    return status?.Events ?? []
  }
  const idOf = async (code: string) =>
    (await events()).find(({ Code }) => Code === code)?.InstanceEventId ?? ''
  return { cloud, events, idOf, [Symbol.asyncDispose]: () => cloud[Symbol.asyncDispose]() }
}

it('puts off the end of a time to live, until the deadline', async () => {
  await using open = await announced()
  const { cloud, events, idOf } = open
  const InstanceEventId = await idOf('instance-retirement')
  const NotBefore = new Date(DUE + WEEK)
  const asked = { InstanceId, InstanceEventId, NotBefore }
  const { Event } = await cloud.run(modifyInstanceEventStartTime, asked)
  expect(Event).toMatchObject({ InstanceEventId, NotBefore, NotBeforeDeadline: NotBefore })
  expect(await events()).toContainEqual(Event)
  const [lever] = await cloud.store.read((tx) => tx.levers([InstanceId]))
  expect(lever?.strike).toEqual({ kind: 'terminate', dueMs: DUE, notBeforeMs: DUE + WEEK })
})

it.each([
  ['before the tag says', DUE - 1],
  ['after the deadline', DUE + WEEK + 1],
])('refuses a time %s', async (_when, ms) => {
  await using open = await announced()
  const InstanceEventId = await open.idOf('instance-retirement')
  const asked = { InstanceId, InstanceEventId, NotBefore: new Date(ms) }
  expect(await open.cloud.refusal(modifyInstanceEventStartTime, asked)).toBe(
    'InvalidInstanceEventStartTime',
  )
})

it('refuses the drain of a host, what is not announced, and instances of other accounts', async () => {
  await using open = await announced()
  const { cloud, idOf } = open
  const asked = { InstanceId, NotBefore: new Date(DUE) }
  const refusal = (InstanceEventId: string, account = ALICE) =>
    cloud.refusal(modifyInstanceEventStartTime, { ...asked, InstanceEventId }, account)
  expect(await refusal(await idOf('instance-stop'))).toBe('InvalidInstanceEventStartTime')
  expect(await refusal('instance-event-0123456789abcdef0')).toBe('InvalidInstanceEventIDNotFound')
  expect(await refusal(await idOf('instance-retirement'), BOB)).toBe('InvalidInstanceID.NotFound')
})

it('refuses while protection keeps the instance', async () => {
  await using open = await announced(null)
  const InstanceEventId = await open.idOf('instance-retirement')
  const asked = { InstanceId, InstanceEventId, NotBefore: new Date(DUE) }
  expect(await open.cloud.refusal(modifyInstanceEventStartTime, asked)).toBe(
    'InvalidInstanceEventStartTime',
  )
})
