/** How much of IAM an account has. */
import * as iam from '@aws-sdk/client-iam'
import { expect, it } from 'vitest'
import { ipv4 } from '../../../../src/model/addr.ts'
import { actionNamed, makeWorld } from '../../../kit/account-world.ts'
import { ALICE, openCloud } from '../../../kit/api-cloud.ts'

const POOL = {
  name: 'public',
  ranges: [{ first: ipv4('203.0.113.10'), last: ipv4('203.0.113.40') }],
  zones: null,
}

it('counts what the account has, and tells its limits, by names that IAM has', async () => {
  await using cloud = await openCloud({ settings: { vpcPlace: 'own', pools: [POOL] } })
  await makeWorld(cloud, ALICE, 'alice')
  const { SummaryMap } = (await cloud.run(actionNamed('GetAccountSummary'))) as {
    SummaryMap: Record<string, number>
  }
  expect(SummaryMap).toMatchObject({
    ...{ Users: 1, Groups: 1, Roles: 1, InstanceProfiles: 1, Policies: 1 },
    ...{ PolicyVersionsInUse: 2, MFADevices: 0, AccessKeysPerUserQuota: 2, GroupsPerUserQuota: 10 },
  })
  // The SDK's list is older than these two, which the reference has.
  const known = [...Object.values(iam.SummaryKeyType), 'RolePolicySizeQuota', 'InstanceProfiles']
  const others = Object.keys(SummaryMap).filter((name) => !known.some((one) => one === name))
  expect(others).toEqual([])
})
