/** Policies that an account makes: their limits, and that they mean what they say, or nothing. */
import { beforeEach, describe, expect, it } from 'vitest'
import { createAuthorizer } from '../../../../src/api/accounts/authorization.ts'
import { attachUserPolicy } from '../../../../src/api/actions/iam-attached-policies.ts'
import {
  createPolicy,
  createPolicyVersion,
  deletePolicy,
  deletePolicyVersion,
  setDefaultPolicyVersion,
} from '../../../../src/api/actions/iam-own-policies.ts'
import { getPolicy, listPolicyVersions } from '../../../../src/api/actions/iam-policies.ts'
import { createUser } from '../../../../src/api/actions/iam-users.ts'
import { ALICE, BOB, type Cloud, openCloud } from '../../../kit/api-cloud.ts'

const allow = (...Action: readonly string[]) =>
  JSON.stringify({ Statement: { Effect: 'Allow', Action, Resource: '*' } })
const ARN = `arn:aws:iam::${ALICE}:policy/own`

let cloud: Cloud
beforeEach(async () => {
  cloud = await openCloud()
  await cloud.run(createUser, { UserName: 'dev' })
  await cloud.run(createPolicy, { PolicyName: 'own', PolicyDocument: allow('ec2:DescribeVpcs') })
  return () => cloud[Symbol.asyncDispose]()
})

const attach = (PolicyArn: string) => cloud.run(attachUserPolicy, { UserName: 'dev', PolicyArn })

/** What becomes of a request of the user's: null, or the code of its refusal. */
async function asked(service: 'ec2' | 'iam', action: string, input: object = {}) {
  const caller = { account: ALICE, user: 'dev', accessKey: 'AKIADEV', rights: 'policies' } as const
  const request = { service, action, input: { ...input }, caller, sourceIp: undefined }
  return await createAuthorizer(cloud.parts)
    .check(request, cloud.parts)
    .then(
      () => null,
      (error) => error.code,
    )
}

describe('a policy', () => {
  it('has a name that differs not in case only, and an ARN that is not too long', async () => {
    const order = { PolicyName: 'OWN', PolicyDocument: allow('ec2:*') }
    expect(await cloud.refusal(createPolicy, order)).toBe('EntityAlreadyExists')
    const long = { ...order, PolicyName: 'a'.repeat(60), Path: `/${'b'.repeat(60)}/` }
    expect(await cloud.refusal(createPolicy, long)).toBe('ValidationError')
    const wrong = { ...order, PolicyName: 'other', PolicyDocument: '{"Statement":[]}' }
    expect(await cloud.refusal(createPolicy, wrong)).toBe('MalformedPolicyDocument')
  })

  it('belongs to its account', async () => {
    expect(await cloud.refusal(getPolicy, { PolicyArn: ARN }, BOB)).toBe('NoSuchEntity')
    for (const arn of [ARN.toUpperCase(), `${ARN}/`, ARN.replace('policy/', 'policy//'), 'own'])
      expect(await cloud.refusal(getPolicy, { PolicyArn: arn }), arn).toBe('NoSuchEntity')
  })

  it('has five versions at most, whose numbers are not used again', async () => {
    const PolicyDocument = allow('ec2:*')
    const order = { PolicyArn: ARN, PolicyDocument }
    for (let count = 2; count <= 5; count += 1) await cloud.run(createPolicyVersion, order)
    expect(await cloud.refusal(createPolicyVersion, order)).toBe('LimitExceeded')
    await cloud.run(deletePolicyVersion, { PolicyArn: ARN, VersionId: 'v5' })
    await cloud.run(createPolicyVersion, order)
    expect(await cloud.run(listPolicyVersions, { PolicyArn: ARN })).toMatchObject({
      Versions: ['v6', 'v4', 'v3', 'v2', 'v1'].map((VersionId) => ({ VersionId })),
    })
    expect(await cloud.refusal(deletePolicyVersion, { PolicyArn: ARN, VersionId: 'v1' })).toBe(
      'DeleteConflict',
    )
    expect(await cloud.refusal(setDefaultPolicyVersion, { PolicyArn: ARN, VersionId: 'v5' })).toBe(
      'NoSuchEntity',
    )
    expect(await cloud.refusal(deletePolicy, { PolicyArn: ARN })).toBe('DeleteConflict')
  })

  it('gives what its default version says, at once', async () => {
    expect(await asked('ec2', 'DescribeVpcs')).toBe('UnauthorizedOperation')
    await attach(ARN)
    expect(await asked('ec2', 'DescribeVpcs')).toBeNull()
    expect(await asked('ec2', 'DescribeSubnets')).toBe('UnauthorizedOperation')
    const PolicyDocument = allow('ec2:DescribeSubnets')
    await cloud.run(createPolicyVersion, { PolicyArn: ARN, PolicyDocument })
    expect(await asked('ec2', 'DescribeVpcs')).toBeNull()
    await cloud.run(setDefaultPolicyVersion, { PolicyArn: ARN, VersionId: 'v2' })
    expect(await asked('ec2', 'DescribeVpcs')).toBe('UnauthorizedOperation')
    expect(await asked('ec2', 'DescribeSubnets')).toBeNull()
  })

  it('that is not there, or is another account’s, can be given to nobody', async () => {
    const order = { UserName: 'dev', PolicyArn: ARN }
    const none = { ...order, PolicyArn: `${ARN}2` }
    expect(await cloud.refusal(attachUserPolicy, none)).toBe('NoSuchEntity')
    await cloud.run(createUser, { UserName: 'dev' }, BOB)
    expect(await cloud.refusal(attachUserPolicy, order, BOB)).toBe('NoSuchEntity')
  })

  it('whose rows are gone gives nothing, nor does anything else', async () => {
    await attach(ARN)
    await attach('arn:aws:iam::aws:policy/AdministratorAccess')
    expect(await asked('ec2', 'RunInstances')).toBeNull()
    await cloud.store.change((tx) =>
      tx.deleteOwnPolicyVersion({ account: ALICE, policy: 'own', version: 1 }),
    )
    expect(await asked('ec2', 'RunInstances')).toBe('Unavailable')
  })

  it('is what requests that change it concern', async () => {
    const only = JSON.stringify({
      Statement: [
        { Effect: 'Allow', Action: 'iam:*', Resource: '*' },
        { Effect: 'Deny', Action: 'iam:*Policy*', Resource: ARN },
      ],
    })
    const order = { PolicyName: 'guard', PolicyDocument: only }
    await cloud.run(createPolicy, order)
    await attach(`arn:aws:iam::${ALICE}:policy/guard`)
    const of = { PolicyArn: ARN, PolicyDocument: only, VersionId: 'v1', PolicyName: 'own' }
    for (const action of ['CreatePolicyVersion', 'SetDefaultPolicyVersion', 'DeletePolicy'])
      expect(await asked('iam', action, of), action).toBe('AccessDenied')
    expect(await asked('iam', 'CreatePolicy', order)).toBeNull()
    expect(await asked('iam', 'CreatePolicy', { ...order, PolicyName: 'own' })).toBe('AccessDenied')
    expect(await asked('iam', 'TagPolicy', { PolicyArn: `${ARN}2` })).toBeNull()
  })
})
