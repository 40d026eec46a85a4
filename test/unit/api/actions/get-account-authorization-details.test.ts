/** All of an account's users, groups, roles and policies at once. */
import { expect, it } from 'vitest'
import { ipv4 } from '../../../../src/model/addr.ts'
import { actionNamed, makeWorld } from '../../../kit/account-world.ts'
import { ALICE, openCloud } from '../../../kit/api-cloud.ts'

const DETAILS = actionNamed('GetAccountAuthorizationDetails')
const LISTS = ['UserDetailList', 'GroupDetailList', 'RoleDetailList', 'Policies']

const POOL = {
  name: 'public',
  ranges: [{ first: ipv4('203.0.113.10'), last: ipv4('203.0.113.40') }],
  zones: null,
}

it('shows who has which policies, and what these say', async () => {
  await using cloud = await openCloud({ settings: { vpcPlace: 'own', pools: [POOL] } })
  await makeWorld(cloud, ALICE, 'alice')
  const all = await cloud.run(DETAILS)
  const inline = [{ PolicyName: 'own', PolicyDocument: expect.stringMatching(/^%7B%22/) }]
  const reading = {
    PolicyName: 'ReadOnlyAccess',
    PolicyArn: 'arn:aws:iam::aws:policy/ReadOnlyAccess',
  }
  expect(all).toMatchObject({
    IsTruncated: false,
    UserDetailList: [
      {
        ...{ UserName: 'user-alice', UserPolicyList: inline, GroupList: ['team-of-user-alice'] },
        AttachedManagedPolicies: [reading],
      },
    ],
    GroupDetailList: [{ GroupPolicyList: inline, AttachedManagedPolicies: [reading] }],
    RoleDetailList: [
      {
        ...{ RoleName: 'role-alice', RolePolicyList: inline, AttachedManagedPolicies: [reading] },
        InstanceProfileList: [{ InstanceProfileName: 'profile-alice' }],
      },
    ],
    Policies: [
      {
        ...{ PolicyName: 'policy-of-user-alice', AttachmentCount: 0, DefaultVersionId: 'v1' },
        PolicyVersionList: [
          { VersionId: 'v2', IsDefaultVersion: false },
          { VersionId: 'v1', IsDefaultVersion: true, Document: inline[0]?.PolicyDocument },
        ],
      },
      { PolicyName: 'ReadOnlyAccess', AttachmentCount: 3 },
    ],
  })
})

it('has pages and kinds', async () => {
  await using cloud = await openCloud({ settings: { vpcPlace: 'own', pools: [POOL] } })
  await makeWorld(cloud, ALICE, 'alice')
  const all = await cloud.run(DETAILS)
  const seen: Record<string, unknown[]> = {}
  for (let Marker: string | undefined, more = true; more; ) {
    const page = await cloud.run(DETAILS, { MaxItems: 1, ...(Marker ? { Marker } : {}) })
    const items = LISTS.flatMap((list) => page[list] as unknown[])
    expect(items).toHaveLength(1)
    for (const list of LISTS) seen[list] = [...(seen[list] ?? []), ...(page[list] as unknown[])]
    Marker = page['Marker'] as string | undefined
    more = page['IsTruncated'] === true
  }
  expect({ ...seen, IsTruncated: false }).toEqual(all)
  const some = await cloud.run(DETAILS, { Filter: ['Role', 'AWSManagedPolicy'] })
  expect(LISTS.map((list) => (some[list] as unknown[]).length)).toEqual([0, 0, 1, 1])
})
