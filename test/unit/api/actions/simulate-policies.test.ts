/** What policies would say, by IAM's simulator. */
import { expect, it } from 'vitest'
import { actionNamed } from '../../../kit/account-world.ts'
import { ALICE, openCloud } from '../../../kit/api-cloud.ts'

const policy = (...Statement: object[]) => JSON.stringify({ Version: '2012-10-17', Statement })
const ALLOW = { Effect: 'Allow', Action: 'ec2:*', Resource: '*' }
const DENY = { Effect: 'Deny', Action: 'ec2:TerminateInstances', Resource: '*' }
const INSTANCE = `arn:aws:ec2:atoll:${ALICE}:instance/i-00000000000000001`

async function open() {
  const cloud = await openCloud()
  // biome-ignore lint/suspicious/noExplicitAny: answers of several actions, read by name.
  const run = async (name: string, input: object = {}): Promise<any> =>
    await cloud.run(actionNamed(name), input)
  return {
    cloud,
    run,
    refusal: (name: string, input: object) => cloud.refusal(actionNamed(name), input),
  }
}

it('tells for each action and resource what the given policies say, in pages', async () => {
  const { cloud, run } = await open()
  await using _ = cloud
  const asked = {
    PolicyInputList: [policy(ALLOW), policy(DENY)],
    ActionNames: ['ec2:RunInstances', 'ec2:TerminateInstances', 'iam:GetUser'],
    ResourceArns: [INSTANCE, '*'],
  }
  const { EvaluationResults, IsTruncated } = await run('SimulateCustomPolicy', asked)
  expect(IsTruncated).toBe(false)
  const shown = EvaluationResults.map((one: Record<string, string>) => one['EvalDecision'])
  const twice = (word: string) => [word, word]
  expect(shown).toEqual(['allowed', 'explicitDeny', 'implicitDeny'].flatMap(twice))
  expect(EvaluationResults[2]).toMatchObject({
    EvalActionName: 'ec2:TerminateInstances',
    EvalResourceName: INSTANCE,
    MatchedStatements: [{ SourcePolicyId: 'PolicyInputList.2' }],
  })
  const first = await run('SimulateCustomPolicy', { ...asked, MaxItems: 4 })
  expect(first).toMatchObject({ IsTruncated: true, Marker: expect.any(String) })
  const rest = await run('SimulateCustomPolicy', { ...asked, MaxItems: 4, Marker: first.Marker })
  expect([...first.EvaluationResults, ...rest.EvaluationResults]).toEqual(EvaluationResults)
})

it('takes conditions from the context, and names the keys that it lacks', async () => {
  const { cloud, run, refusal } = await open()
  await using _ = cloud
  const Condition = {
    StringEquals: { 'ec2:ResourceTag/team': 'web', 'aws:RequestedRegion': 'atoll' },
  }
  const asked = {
    PolicyInputList: [policy({ ...ALLOW, Condition })],
    ActionNames: ['ec2:StopInstances'],
    ResourceArns: [INSTANCE],
  }
  const [without] = (await run('SimulateCustomPolicy', asked)).EvaluationResults
  expect(without).toMatchObject({
    EvalDecision: 'implicitDeny',
    MissingContextValues: ['aws:requestedregion', 'ec2:resourcetag/team'],
  })
  const entry = (ContextKeyName: string, ...ContextKeyValues: string[]) => ({
    ...{ ContextKeyName, ContextKeyValues, ContextKeyType: 'string' },
  })
  const ContextEntries = [
    entry('aws:RequestedRegion', 'atoll'),
    entry('ec2:ResourceTag/team', 'web'),
  ]
  const [given] = (await run('SimulateCustomPolicy', { ...asked, ContextEntries }))
    .EvaluationResults
  expect(given).toMatchObject({ EvalDecision: 'allowed', MissingContextValues: [] })
  const several = { ...asked, ContextEntries: [entry('aws:RequestedRegion', 'a', 'b')] }
  expect(await refusal('SimulateCustomPolicy', several)).toBe('InvalidInput')
  expect(await refusal('SimulateCustomPolicy', { ...asked, PolicyInputList: ['{'] })).toBe(
    'InvalidInput',
  )
  expect(await refusal('SimulateCustomPolicy', { ...asked, ActionNames: ['ec2'] })).toBe(
    'InvalidInput',
  )
  expect(await refusal('SimulateCustomPolicy', { ...asked, Marker: 'x' })).toBe('InvalidInput')
})

it('asks the policies of a user, of its groups, of a role, and of a key with all rights', async () => {
  const { cloud, run, refusal } = await open()
  await using _ = cloud
  const user = { UserName: 'dev' }
  const { User } = await run('CreateUser', user)
  await run('PutUserPolicy', { ...user, PolicyName: 'own', PolicyDocument: policy(ALLOW) })
  const ask = async (PolicySourceArn: string, action = 'ec2:TerminateInstances', more = {}) => {
    const asked = { PolicySourceArn, ActionNames: [action], ...more }
    return (await run('SimulatePrincipalPolicy', asked)).EvaluationResults[0]
  }
  expect(await ask(User.Arn)).toMatchObject({
    EvalDecision: 'allowed',
    MatchedStatements: [{ SourcePolicyId: 'user_dev_own', SourcePolicyType: 'user' }],
  })
  const more = { PolicyInputList: [policy(DENY)] }
  expect(await ask(User.Arn, undefined, more)).toMatchObject({ EvalDecision: 'explicitDeny' })
  await run('CreateGroup', { GroupName: 'team' })
  await run('PutGroupPolicy', { GroupName: 'team', PolicyName: 'no', PolicyDocument: policy(DENY) })
  await run('AddUserToGroup', { GroupName: 'team', ...user })
  expect(await ask(User.Arn)).toMatchObject({
    EvalDecision: 'explicitDeny',
    MatchedStatements: [{ SourcePolicyId: 'group_team_no', SourcePolicyType: 'group' }],
  })
  await cloud.store.change((tx) =>
    tx.insertAccessKey({
      ...{ id: 'AKIAOPERATOR00000000', secret: 's', account: ALICE, user: 'operator' },
      ...{ rights: 'all', status: 'active', createdAt: null, lastUsedAt: null },
    }),
  )
  expect(await ask(`arn:aws:iam::${ALICE}:user/operator`, 'iam:CreateUser')).toMatchObject({
    EvalDecision: 'allowed',
    MatchedStatements: [{ SourcePolicyId: 'AdministratorAccess', SourcePolicyType: 'aws-managed' }],
  })
  const asked = (PolicySourceArn: string) => ({
    PolicySourceArn,
    ActionNames: ['ec2:RunInstances'],
  })
  for (const arn of [`${User.Arn}x`, User.Arn.replace(ALICE, '000000000002')])
    expect(await refusal('SimulatePrincipalPolicy', asked(arn))).toBe('NoSuchEntity')
  expect(await refusal('SimulatePrincipalPolicy', asked(`arn:aws:iam::${ALICE}:root`))).toBe(
    'InvalidInput',
  )
})

it('lists the policies that grant access to a service', async () => {
  const { cloud, run } = await open()
  await using _ = cloud
  const { User } = await run('CreateUser', { UserName: 'dev' })
  await run('CreateGroup', { GroupName: 'team' })
  await run('AddUserToGroup', { GroupName: 'team', UserName: 'dev' })
  await run('PutGroupPolicy', { GroupName: 'team', PolicyName: 'p', PolicyDocument: policy(ALLOW) })
  const PolicyArn = 'arn:aws:iam::aws:policy/AdministratorAccess'
  await run('AttachUserPolicy', { UserName: 'dev', PolicyArn })
  const asked = { Arn: User.Arn, ServiceNamespaces: ['iam', 'ec2'] }
  const all = { PolicyName: 'AdministratorAccess', PolicyType: 'MANAGED', PolicyArn }
  const inline = {
    ...{ PolicyName: 'p', PolicyType: 'INLINE', EntityType: 'GROUP', EntityName: 'team' },
  }
  expect(await run('ListPoliciesGrantingServiceAccess', asked)).toEqual({
    PoliciesGrantingServiceAccess: [
      { ServiceNamespace: 'ec2', Policies: [all, inline] },
      { ServiceNamespace: 'iam', Policies: [all] },
    ],
    IsTruncated: false,
  })
})
