import { afterEach, beforeEach, expect, it } from 'vitest'
import { forgetHost } from '../../../../src/api/hosts.ts'
import { stateReasonText } from '../../../../src/api/instances/state-reason.ts'
import { systemClock } from '../../../../src/lib/clock.ts'
import type { Store } from '../../../../src/store/store.ts'
import { known } from '../../../kit/api.ts'
import { OVER_MS, openRecords } from '../../../kit/cluster-records.ts'
import {
  hostName,
  hostRecord,
  instanceId,
  instanceRecord,
  nicRecord,
} from '../../../kit/records.ts'

const lost = hostName('lost')
let store: Store
beforeEach(async () => {
  store = await openRecords([lost, hostName('near')])
})
afterEach(() => store.close())

it('has no code of EC2 after a host was forgotten', async () => {
  await store.change(async (tx) => {
    await tx.insertInstance(instanceRecord(instanceId(1), lost))
    await tx.insertNic(nicRecord(instanceId(1), 1))
    await tx.takeCapacity(lost, 2, 1024)
    const report = { lastSeenAt: new Date().toISOString(), shortOf: null }
    await tx.renewLease(hostRecord(lost), OVER_MS, report)
  })
  await forgetHost(store, lost, hostName('near'), systemClock)
  const [instance] = await store.read((tx) => tx.instances({}))
  expect(stateReasonText(known(instance?.stateReason ?? undefined))).toBe(
    'the host lost was lost and has been forgotten by the operator',
  )
})

it.each([
  ['Client.UserInitiatedShutdown: User initiated shutdown', 'User initiated shutdown'],
  ['Client.UserInitiatedShutdown', 'Client.UserInitiatedShutdown'],
  ['Server.Other: no memory', 'Server.Other: no memory'],
  ['', ''],
])('%j is read as %j', (message, text) => {
  expect(stateReasonText({ code: 'Client.UserInitiatedShutdown', message })).toBe(text)
})
