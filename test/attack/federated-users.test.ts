/**
 * Somebody to whom a user gave a part of its rights by GetFederationToken, and who wants more: what
 * the user may not do itself, IAM, another session, rights after the key of the user is gone.
 *
 * Before: there were no federated users. The code held when first tried.
 */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createKey } from '../../src/api/accounts/access-keys.ts'
import { known } from '../kit/api.ts'
import { ALICE } from '../kit/api-cloud.ts'
import {
  EC2,
  EVERYTHING,
  type Keys,
  openSignedCloud,
  type SignedCloud,
} from '../kit/signed-cloud.ts'

let at: SignedCloud
beforeAll(async () => {
  at = await openSignedCloud()
})
afterAll(() => at?.[Symbol.asyncDispose]())

const LAUNCH = { Effect: 'Allow', Action: 'ec2:DescribeVpcs', Resource: '*' }
const policyOf = (...Statement: object[]) => JSON.stringify({ Statement })

async function federate(keys: Keys, more: Readonly<Record<string, string>> = {}) {
  const answered = await at.call(keys, 'GetFederationToken', { Name: 'guest', ...more })
  const session: Keys = {
    id: answered.of('AccessKeyId'),
    secret: answered.of('SecretAccessKey'),
    token: answered.of('SessionToken'),
  }
  return { ...answered, session }
}

/** A key of the operator, which no policy limits. */
async function operatorKey(): Promise<Keys> {
  const now = new Date(at.nowMs()).toISOString()
  const parts = { random: randomBytes, now, keep: at.cloud.parts.keepKey }
  const order = { user: 'operator', account: ALICE, rights: 'all' } as const
  const { id, secret } = await at.cloud.store.change((tx) => createKey(tx, parts, order))
  return { id, secret: known(secret ?? undefined) }
}

it('may do what both the user and the session allow', async () => {
  const dev = await at.user([EC2, { ...LAUNCH, Action: 'sts:GetFederationToken' }])
  const { session, code, of } = await federate(dev.keys, { Policy: policyOf(LAUNCH) })
  expect([code, of('FederatedUserId')]).toEqual(['OK', `${ALICE}:guest`])
  expect(await at.codeOf(session, 'DescribeVpcs')).toBe('OK')
  expect(await at.codeOf(session, 'DescribeSubnets')).toBe('UnauthorizedOperation')
  const wide = await federate(dev.keys, { Policy: policyOf(EVERYTHING) })
  expect(await at.codeOf(wide.session, 'DescribeSubnets')).toBe('OK')
  await at.admin('DeleteUserPolicy', { UserName: dev.name, PolicyName: 'p' })
  expect(await at.codeOf(wide.session, 'DescribeSubnets')).toBe('UnauthorizedOperation')
})

it('of a key with all rights may do what the session allows and no more, and nothing without', async () => {
  const keys = await operatorKey()
  const { session } = await federate(keys, { Policy: policyOf(LAUNCH) })
  expect(await at.codeOf(session, 'DescribeVpcs')).toBe('OK')
  expect(await at.codeOf(session, 'DescribeSubnets')).toBe('UnauthorizedOperation')
  const bare = await federate(keys)
  expect(await at.codeOf(bare.session, 'DescribeVpcs')).toBe('UnauthorizedOperation')
  const arn = 'arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess'
  const managed = await federate(keys, { 'PolicyArns.member.1.arn': arn })
  expect(await at.codeOf(managed.session, 'DescribeSubnets')).toBe('OK')
  expect(await at.codeOf(managed.session, 'CreateVpc', { CidrBlock: '10.1.0.0/16' })).toBe(
    'UnauthorizedOperation',
  )
})

it('is called by its own name, and reaches neither IAM nor STS', async () => {
  const { session } = await federate(await operatorKey(), { Policy: policyOf(EVERYTHING) })
  const who = await at.call(session, 'GetCallerIdentity')
  const arn = `arn:aws:sts::${ALICE}:federated-user/guest`
  expect([who.of('Arn'), who.of('UserId')]).toEqual([arn, `${ALICE}:guest`])
  const refused = ['GetUser', 'ListUsers', 'CreateAccessKey', 'GetSessionToken']
  for (const action of refused)
    expect(await at.codeOf(session, action), action).toBe('AccessDenied')
  const encoded = { EncodedMessage: 'x' }
  expect(await at.codeOf(session, 'DecodeAuthorizationMessage', encoded)).toBe('AccessDenied')
  const again = await federate(session, { Policy: policyOf(EVERYTHING) })
  expect(again.code).toBe('AccessDenied')
  const role = { RoleArn: `arn:aws:iam::${ALICE}:role/any`, RoleSessionName: 'me' }
  expect(await at.codeOf(session, 'AssumeRole', role)).toBe('AccessDenied')
})

it('has no name of a user for conditions and variables, and may not be asked for by everybody', async () => {
  const named = { ...EC2, Condition: { StringEquals: { 'aws:username': 'operator' } } }
  const { session } = await federate(await operatorKey(), { Policy: policyOf(named) })
  expect(await at.codeOf(session, 'DescribeVpcs')).toBe('UnauthorizedOperation')
  const Resource = `arn:aws:sts::${ALICE}:federated-user/team-*`
  const some = await at.user([{ Effect: 'Allow', Action: 'sts:GetFederationToken', Resource }])
  expect((await federate(some.keys)).code).toBe('AccessDenied')
  expect((await federate(some.keys, { Name: 'team-a' })).code).toBe('OK')
  expect((await federate((await at.user([EC2])).keys)).code).toBe('AccessDenied')
})

it('ends at its time, and with the key', async () => {
  const keys = await operatorKey()
  const more = { Policy: policyOf(EVERYTHING), DurationSeconds: '900' }
  const { session } = await federate(keys, more)
  expect(await at.codeOf(session, 'DescribeVpcs')).toBe('OK')
  at.offsetMs = 901_000
  expect(await at.codeOf(session, 'DescribeVpcs')).toBe('RequestExpired')
  const later = await federate(keys, more)
  await at.cloud.store.change((tx) => tx.updateAccessKey(keys.id, { status: 'disabled' }))
  expect(await at.codeOf(later.session, 'DescribeVpcs')).toBe('AuthFailure')
  at.offsetMs = 0
})

it('is refused what is malformed', async () => {
  const keys = await operatorKey()
  expect((await federate(keys, { Policy: '{' })).code).toBe('MalformedPolicyDocument')
  expect((await federate(keys, { Name: 'a b' })).code).toBe('InvalidParameterValue')
  expect((await federate(keys, { DurationSeconds: '60' })).code).toMatch(/Invalid|Validation/)
  const absent = { 'PolicyArns.member.1.arn': `arn:aws:iam::${ALICE}:policy/absent` }
  expect((await federate(keys, absent)).code).toBe('NoSuchEntity')
})
