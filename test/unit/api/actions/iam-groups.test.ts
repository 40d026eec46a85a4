/** Groups of users: their life, and that the policies of a group hold for its members. */
import { expect, it } from 'vitest'
import { requireAllowed } from '../../../../src/api/accounts/authorization.ts'
import type { Caller } from '../../../../src/api/action.ts'
import { actionNamed } from '../../../kit/account-world.ts'
import { ALICE, BOB, type Cloud, NOW_MS, openCloud } from '../../../kit/api-cloud.ts'

const TEAM = { GroupName: 'team' }
const DEV = { UserName: 'dev' }
const ALLOW = '{"Statement":{"Effect":"Allow","Action":"ec2:Describe*","Resource":"*"}}'
const DENY = '{"Statement":{"Effect":"Deny","Action":"ec2:DescribeVpcs","Resource":"*"}}'

async function open() {
  const cloud = await openCloud()
  // biome-ignore lint/suspicious/noExplicitAny: answers of several actions, read by name.
  const run = async (name: string, input: object = {}): Promise<any> =>
    await cloud.run(actionNamed(name), input)
  const refusal = (name: string, input: object, account = ALICE) =>
    cloud.refusal(actionNamed(name), input, account)
  const { User } = await run('CreateUser', DEV)
  await run('CreateGroup', { ...TEAM, Path: '/a/' })
  return { cloud, run, refusal, userId: User.UserId as string }
}

async function mayCall(cloud: Cloud, caller: Partial<Caller>, action: string): Promise<boolean> {
  const whole = { account: ALICE, user: 'dev', rights: 'policies', ...caller } as Caller
  const request = { service: 'ec2', action, caller: whole, input: {}, sourceIp: undefined } as const
  const place = {
    region: 'atoll',
    now: new Date(NOW_MS).toISOString(),
    messages: null,
  }
  return await cloud.store
    .read((tx) => requireAllowed(tx, request, place))
    .then(
      () => true,
      () => false,
    )
}

it('allows and denies its members what its policies say, and nobody else', async () => {
  const { cloud, run, userId } = await open()
  await using _ = cloud
  const may = (action: string, id = userId) => mayCall(cloud, { userId: id }, action)
  await run('PutGroupPolicy', { ...TEAM, PolicyName: 'own', PolicyDocument: ALLOW })
  expect(await may('DescribeVpcs')).toBe(false)
  await run('AddUserToGroup', { ...TEAM, ...DEV })
  expect(await may('DescribeVpcs')).toBe(true)
  expect(await may('RunInstances')).toBe(false)
  // Another user of the same name is another one.
  expect(await may('DescribeVpcs', `AIDA${'B'.repeat(17)}`)).toBe(false)
  // As what is attached, also after the group has another name.
  await run('UpdateGroup', { ...TEAM, NewGroupName: 'crew' })
  await run('CreateGroup', { GroupName: 'no' })
  await run('PutGroupPolicy', { GroupName: 'no', PolicyName: 'own', PolicyDocument: DENY })
  await run('AddUserToGroup', { GroupName: 'no', ...DEV })
  expect(await may('DescribeVpcs')).toBe(false)
  expect(await may('DescribeSubnets')).toBe(true)
  await run('RemoveUserFromGroup', { GroupName: 'crew', ...DEV })
  expect(await may('DescribeSubnets')).toBe(false)
})

it('is listed with its members, and goes when it has none', async () => {
  const { cloud, run, refusal } = await open()
  await using _ = cloud
  expect(await refusal('CreateGroup', { GroupName: 'TEAM' })).toBe('EntityAlreadyExists')
  await run('AddUserToGroup', { ...TEAM, ...DEV })
  await run('AddUserToGroup', { ...TEAM, ...DEV })
  const group = {
    GroupName: 'team',
    Path: '/a/',
    GroupId: expect.stringMatching(/^AGPA[A-Z2-7]{17}$/),
    Arn: `arn:aws:iam::${ALICE}:group/a/team`,
  }
  expect(await run('GetGroup', TEAM)).toMatchObject({ Group: group, Users: [DEV] })
  expect((await run('ListGroups', { PathPrefix: '/a/' })).Groups).toMatchObject([group])
  expect((await run('ListGroups', { PathPrefix: '/b/' })).Groups).toEqual([])
  expect((await run('ListGroupsForUser', DEV)).Groups).toMatchObject([group])
  expect(await refusal('DeleteUser', DEV)).toBe('DeleteConflict')
  expect(await refusal('DeleteGroup', TEAM)).toBe('DeleteConflict')
  await run('RemoveUserFromGroup', { ...TEAM, ...DEV })
  const PolicyArn = 'arn:aws:iam::aws:policy/ReadOnlyAccess'
  await run('AttachGroupPolicy', { ...TEAM, PolicyArn })
  expect((await run('ListEntitiesForPolicy', { PolicyArn })).PolicyGroups).toMatchObject([TEAM])
  expect(await refusal('DeleteGroup', TEAM)).toBe('DeleteConflict')
  expect(await refusal('GetGroup', TEAM, BOB)).toBe('NoSuchEntity')
  await run('DetachGroupPolicy', { ...TEAM, PolicyArn })
  await run('DeleteGroup', TEAM)
  expect(await refusal('GetGroup', TEAM)).toBe('NoSuchEntity')
  await run('DeleteUser', DEV)
})

it('is one of ten that a user is in', async () => {
  const { cloud, run, refusal } = await open()
  await using _ = cloud
  for (let at = 0; at < 10; at += 1) {
    const GroupName = `g${at}`
    await run('CreateGroup', { GroupName })
    await run('AddUserToGroup', { GroupName, ...DEV })
  }
  expect(await refusal('AddUserToGroup', { ...TEAM, ...DEV })).toBe('LimitExceeded')
})
