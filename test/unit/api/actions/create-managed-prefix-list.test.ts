/** Managed prefix lists as clients see them, and as hosts enforce the rules that name them. */
import { randomBytes } from 'node:crypto'
import type { ManagedPrefixList } from '@aws-sdk/client-ec2'
import { expect, it } from 'vitest'
import { authorizeSecurityGroupIngress } from '../../../../src/api/actions/authorize-security-group.ts'
import { createManagedPrefixList } from '../../../../src/api/actions/create-managed-prefix-list.ts'
import { createTags } from '../../../../src/api/actions/create-tags.ts'
import { deleteManagedPrefixList } from '../../../../src/api/actions/delete-managed-prefix-list.ts'
import { describeManagedPrefixLists } from '../../../../src/api/actions/describe-managed-prefix-lists.ts'
import { describeSecurityGroupRules } from '../../../../src/api/actions/describe-security-group-rules.ts'
import { describeSecurityGroups } from '../../../../src/api/actions/describe-security-groups.ts'
import {
  getManagedPrefixListAssociations,
  getManagedPrefixListEntries,
} from '../../../../src/api/actions/get-managed-prefix-list.ts'
import { modifyManagedPrefixList } from '../../../../src/api/actions/modify-managed-prefix-list.ts'
import { modifySecurityGroupRules } from '../../../../src/api/actions/modify-security-group-rules.ts'
import { restoreManagedPrefixListVersion } from '../../../../src/api/actions/restore-managed-prefix-list-version.ts'
import { revokeSecurityGroupIngress } from '../../../../src/api/actions/revoke-security-group.ts'
import { newIds } from '../../../../src/model/ids.ts'
import { BOB, type Cloud, hostRow, LIMITS, openCloud } from '../../../kit/api-cloud.ts'

const NEW = { PrefixListName: 'office', AddressFamily: 'IPv4', MaxEntries: 3 }
const BERLIN = { Cidr: '192.0.2.0/24', Description: 'Berlin' }
const PARIS = { Cidr: '198.51.100.0/24' }
const SSH = { IpProtocol: 'tcp', FromPort: 22, ToPort: 22 }

/** Makes a list; gives its id. */
async function make(cloud: Cloud, more: object = {}): Promise<string> {
  const { PrefixList } = await cloud.run(createManagedPrefixList, { ...NEW, ...more })
  return (PrefixList as ManagedPrefixList).PrefixListId ?? ''
}

const named = (...ids: readonly string[]) => ({
  IpPermissions: [{ ...SSH, PrefixListIds: ids.map((PrefixListId) => ({ PrefixListId })) }],
})

it('makes, shows, tags and removes lists', async () => {
  await using cloud = await openCloud()
  const Tags = [{ Key: 'Name', Value: 'o' }]
  const { PrefixList } = await cloud.run(createManagedPrefixList, {
    ...{ ...NEW, Entries: [{ ...BERLIN, Cidr: '192.0.2.7/24' }, PARIS] },
    TagSpecifications: [{ ResourceType: 'prefix-list', Tags }],
  })
  const PrefixListId = (PrefixList as ManagedPrefixList).PrefixListId ?? ''
  const shown = {
    ...{ ...NEW, PrefixListId, Version: 1, State: 'create-complete', Tags },
    PrefixListArn: `arn:aws:ec2:atoll:000000000001:prefix-list/${PrefixListId}`,
    OwnerId: '000000000001',
  }
  expect(PrefixList).toEqual(shown)
  await make(cloud, { PrefixListName: 'other' })
  const filtered = (Name: string, value: string) => ({ Filters: [{ Name, Values: [value] }] })
  for (const asked of [
    { PrefixListIds: [PrefixListId] },
    filtered('prefix-list-id', PrefixListId),
    filtered('prefix-list-name', 'off*'),
    filtered('tag:Name', 'o'),
  ])
    expect(await cloud.run(describeManagedPrefixLists, asked)).toEqual({ PrefixLists: [shown] })
  const byOwner = async (owner: string) =>
    (await cloud.run(describeManagedPrefixLists, filtered('owner-id', owner)))['PrefixLists']
  expect(await byOwner('000000000001')).toHaveLength(2)
  expect(await byOwner('000000000002')).toEqual([])
  const first = await cloud.run(describeManagedPrefixLists, { MaxResults: 1 })
  const { NextToken } = first
  const second = await cloud.run(describeManagedPrefixLists, { MaxResults: 1, NextToken })
  expect([first, second].map(({ PrefixLists }) => PrefixLists)).toEqual([
    [expect.anything()],
    [expect.anything()],
  ])
  await cloud.run(createTags, { Resources: [PrefixListId], Tags: [{ Key: 'a', Value: 'b' }] })
  expect(await cloud.run(deleteManagedPrefixList, { PrefixListId })).toMatchObject({
    PrefixList: { State: 'delete-complete', Tags: [{ Key: 'Name' }, { Key: 'a' }] },
  })
  for (const action of [deleteManagedPrefixList, getManagedPrefixListEntries])
    expect(await cloud.refusal(action, { PrefixListId })).toBe('InvalidPrefixListID.NotFound')
  expect(await cloud.store.read((tx) => tx.tags({}))).toEqual([])
})

it('keeps versions of entries, and restores one', async () => {
  await using cloud = await openCloud()
  const PrefixListId = await make(cloud, { Entries: [BERLIN] })
  const entries = async (TargetVersion?: number) =>
    (await cloud.run(getManagedPrefixListEntries, { PrefixListId, TargetVersion }))['Entries']
  const modify = (more: object) => cloud.run(modifyManagedPrefixList, { PrefixListId, ...more })
  expect(await modify({ AddEntries: [PARIS], CurrentVersion: 1 })).toMatchObject({
    PrefixList: { Version: 2, State: 'modify-complete' },
  })
  await modify({ RemoveEntries: [{ Cidr: BERLIN.Cidr }], CurrentVersion: 2 })
  await modify({ AddEntries: [{ ...BERLIN, Description: 'again' }] })
  expect(await modify({ PrefixListName: 'renamed', MaxEntries: 2 })).toMatchObject({
    PrefixList: { PrefixListName: 'renamed', MaxEntries: 2, Version: 4 },
  })
  expect(await entries(1)).toEqual([BERLIN])
  expect(await entries(2)).toEqual([BERLIN, PARIS])
  expect(await entries(3)).toEqual([PARIS])
  expect(await entries()).toEqual([{ ...BERLIN, Description: 'again' }, PARIS])
  const page = await cloud.run(getManagedPrefixListEntries, { PrefixListId, MaxResults: 1 })
  expect(page).toEqual({ Entries: [expect.anything()], NextToken: expect.any(String) })
  const restore = { PrefixListId, PreviousVersion: 1, CurrentVersion: 4 }
  expect(await cloud.run(restoreManagedPrefixListVersion, restore)).toMatchObject({
    PrefixList: { Version: 5, State: 'restore-complete' },
  })
  expect(await entries()).toEqual([BERLIN])
  expect(await entries(4)).toHaveLength(2)
  expect(await cloud.refusal(restoreManagedPrefixListVersion, restore)).toBe(
    'PrefixListVersionMismatch',
  )
  for (const version of [0, 6])
    expect(
      await cloud.refusal(getManagedPrefixListEntries, { PrefixListId, TargetVersion: version }),
    ).toBe('InvalidParameterValue')
})

it('forgets the oldest of a thousand versions', async () => {
  await using cloud = await openCloud()
  const id = newIds(randomBytes)('pl')
  const of = { id, account: cloud.vpc.account, name: 'long' }
  await cloud.store.change(async (tx) => {
    await tx.insertPrefixList({
      ...{ ...of, addressFamily: 'IPv4', maxEntries: 1, version: 1000, state: 'modify-complete' },
    })
    const added = [{ cidr: '192.0.2.0/24', description: '' }]
    await tx.putPrefixListEntries({ id, version: 1, removed: [], added })
    await tx.putPrefixListEntries({ id, version: 2, removed: ['192.0.2.0/24'], added: [] })
  })
  const entries = (TargetVersion: number) => ({ PrefixListId: id, TargetVersion })
  expect(await cloud.run(getManagedPrefixListEntries, entries(1))).toMatchObject({
    Entries: [{ Cidr: '192.0.2.0/24' }],
  })
  await cloud.run(modifyManagedPrefixList, { PrefixListId: id, AddEntries: [PARIS] })
  expect(await cloud.refusal(getManagedPrefixListEntries, entries(1))).toBe('InvalidParameterValue')
  const first = await cloud.store.read((tx) => tx.prefixListEntriesIn({ id, version: 1 }))
  expect(first).toEqual([])
})

it.each<[string, object, string]>([
  ['another family', { Entries: [{ Cidr: '2001:db8::/32' }] }, 'InvalidParameterValue'],
  ['an unknown family', { AddressFamily: 'IPv5' }, 'InvalidParameterValue'],
  ['a network twice', { Entries: [BERLIN, { Cidr: '192.0.2.9/24' }] }, 'InvalidParameterValue'],
  ['no network', { Entries: [{ Cidr: '192.0.2.0' }] }, 'InvalidParameterValue'],
  ['no entries at most', { MaxEntries: 0 }, 'InvalidParameterValue'],
  ['too large a list', { MaxEntries: 1001 }, 'InvalidParameterValue'],
  ['a name of services', { PrefixListName: 'com.amazonaws.x' }, 'InvalidParameterValue'],
  ['no name', { PrefixListName: undefined }, 'MissingParameter'],
  ['too many entries', { MaxEntries: 1, Entries: [BERLIN, PARIS] }, 'PrefixListMaxEntriesExceeded'],
])('refuses to make one with %s', async (_what, more, code) => {
  await using cloud = await openCloud()
  expect(await cloud.refusal(createManagedPrefixList, { ...NEW, ...more })).toBe(code)
})

it.each<[string, object, string]>([
  ['another version', { AddEntries: [PARIS], CurrentVersion: 7 }, 'PrefixListVersionMismatch'],
  ['what is there', { AddEntries: [{ Cidr: BERLIN.Cidr }] }, 'InvalidRequest'],
  ['what is not there', { RemoveEntries: [PARIS] }, 'InvalidPrefixListModification'],
  [
    'one in both',
    { AddEntries: [BERLIN], RemoveEntries: [{ Cidr: BERLIN.Cidr }] },
    'InvalidParameterValue',
  ],
  ['entries and a size', { AddEntries: [PARIS], MaxEntries: 9 }, 'InvalidParameterCombination'],
  ['nothing', {}, 'MissingParameter'],
  [
    'too many',
    { AddEntries: ['10', '11', '12'].map((a) => ({ Cidr: `${a}.0.0.0/8` })) },
    'PrefixListMaxEntriesExceeded',
  ],
])('refuses to change one by %s', async (_what, more, code) => {
  await using cloud = await openCloud()
  const PrefixListId = await make(cloud, { Entries: [BERLIN] })
  expect(await cloud.refusal(modifyManagedPrefixList, { PrefixListId, ...more })).toBe(code)
})

it('has rules that name lists, shows them, and keeps lists that rules name', async () => {
  await using cloud = await openCloud()
  const PrefixListId = await make(cloud, { Entries: [BERLIN] })
  const GroupId = cloud.group.id
  const described = { PrefixListId, Description: 'from offices' }
  const asked = { GroupId, IpPermissions: [{ ...SSH, PrefixListIds: [described] }] }
  const { SecurityGroupRules } = await cloud.run(authorizeSecurityGroupIngress, asked)
  expect(SecurityGroupRules).toMatchObject([{ PrefixListId, Description: 'from offices' }])
  expect(
    await cloud.refusal(authorizeSecurityGroupIngress, { GroupId, ...named(PrefixListId) }),
  ).toBe('InvalidPermission.Duplicate')
  const Filters = [{ Name: 'ip-permission.prefix-list-id', Values: [PrefixListId] }]
  const { SecurityGroups } = await cloud.run(describeSecurityGroups, { Filters })
  const [group] = SecurityGroups as { IpPermissions: object[] }[]
  expect(group?.IpPermissions).toContainEqual({
    ...{ ...SSH, IpRanges: [], Ipv6Ranges: [], UserIdGroupPairs: [], PrefixListIds: [described] },
  })
  const associated = async () =>
    (await cloud.run(getManagedPrefixListAssociations, { PrefixListId }))['PrefixListAssociations']
  expect(await associated()).toEqual([{ ResourceId: GroupId, ResourceOwner: '000000000001' }])
  expect(await cloud.refusal(deleteManagedPrefixList, { PrefixListId })).toBe('DependencyViolation')
  const [rule] = SecurityGroupRules as { SecurityGroupRuleId: string }[]
  const other = await make(cloud)
  await cloud.run(modifySecurityGroupRules, {
    GroupId,
    SecurityGroupRules: [
      {
        SecurityGroupRuleId: rule?.SecurityGroupRuleId,
        SecurityGroupRule: { ...SSH, PrefixListId: other },
      },
    ],
  })
  expect(await associated()).toEqual([])
  await cloud.run(deleteManagedPrefixList, { PrefixListId })
  await cloud.run(revokeSecurityGroupIngress, { GroupId, ...named(other) })
  const { SecurityGroupRules: left } = await cloud.run(describeSecurityGroupRules)
  expect(left).toHaveLength(2)
})

it('counts a list as often as it may have entries, also when its size changes', async () => {
  const quotas = { ...LIMITS.quotas, rulesPerSecurityGroup: 5 }
  await using cloud = await openCloud({ settings: { quotas } })
  const GroupId = cloud.group.id
  // The default group has one rule, which names a group.
  const PrefixListId = await make(cloud, { MaxEntries: 3 })
  const authorize = { GroupId, ...named(PrefixListId) }
  const tooMany = await make(cloud, { MaxEntries: 5 })
  expect(await cloud.refusal(authorizeSecurityGroupIngress, { GroupId, ...named(tooMany) })).toBe(
    'RulesPerSecurityGroupLimitExceeded',
  )
  await cloud.run(authorizeSecurityGroupIngress, authorize)
  await cloud.run(modifyManagedPrefixList, { PrefixListId, MaxEntries: 4 })
  const larger = { PrefixListId, MaxEntries: 5 }
  expect(await cloud.refusal(modifyManagedPrefixList, larger)).toBe(
    'RulesPerSecurityGroupLimitExceeded',
  )
  // Rules for IPv6 count separately.
  const ipv6 = await make(cloud, { AddressFamily: 'IPv6', MaxEntries: 4 })
  await cloud.run(authorizeSecurityGroupIngress, { GroupId, ...named(ipv6) })
})

it('is of one account, has a quota, and waits for older hosts', async () => {
  const quotas = { ...LIMITS.quotas, prefixLists: 1 }
  await using cloud = await openCloud({ settings: { quotas } })
  const ClientToken = 'once'
  const PrefixListId = await make(cloud, { ClientToken })
  expect(await make(cloud, { ClientToken })).toBe(PrefixListId)
  expect(await cloud.refusal(createManagedPrefixList, NEW)).toBe('ResourceLimitExceeded')
  expect(await cloud.refusal(deleteManagedPrefixList, { PrefixListId }, BOB)).toBe(
    'InvalidPrefixListID.NotFound',
  )
  await cloud.run(createManagedPrefixList, NEW, BOB)
  const older = { ...hostRow('older', { vcpus: 1, memoryMiB: 1 }), version: '0.3.0' }
  await cloud.store.change((tx) => tx.upsertHost(older, 60_000))
  await cloud.run(deleteManagedPrefixList, { PrefixListId })
  expect(await cloud.refusal(createManagedPrefixList, NEW)).toBe('OperationNotPermitted')
})
