/** Trust policies of roles: what is refused, and whom they let in. */
import { describe, expect, it } from 'vitest'
import { iamArn, parseIamArn } from '../../../src/model/iam-names.ts'
import { type AccountId, parseAccountId } from '../../../src/model/ids.ts'
import { parseTrustPolicy } from '../../../src/model/policy.ts'
import { trustIn, trustsInstances } from '../../../src/model/trust.ts'

const ALICE = '000000000001' as AccountId
const BOB = '000000000002' as AccountId
const DEV = `arn:aws:iam::${ALICE}:user/team/dev`
const statement = { Effect: 'Allow', Principal: { AWS: ALICE }, Action: 'sts:AssumeRole' }

function trust(
  statements: object | readonly object[],
  {
    account = ALICE,
    arns = [DEV],
    context = {},
  }: Partial<Parameters<typeof trustIn>[1]> & {
    readonly context?: Readonly<Record<string, string>>
  } = {},
) {
  const parsed = parseTrustPolicy(JSON.stringify({ Version: '2012-10-17', Statement: statements }))
  if ('problem' in parsed) throw new Error(parsed.problem)
  return trustIn(parsed.policy, { account, arns }, { context, variables: {} })
}

describe('a trust policy', () => {
  const problem = (more: object) => {
    const parsed = parseTrustPolicy(JSON.stringify({ Statement: { ...statement, ...more } }))
    return 'problem' in parsed ? parsed.problem : 'none'
  }
  it.each([
    ['without a principal', { Principal: undefined }, /Principal must be an object/],
    ['for everybody', { Principal: '*' }, /Principal must be an object/],
    ['for every account', { Principal: { AWS: '*' } }, /Invalid principal/],
    ['with a wildcard', { Principal: { AWS: `arn:aws:iam::${ALICE}:user/*` } }, /Invalid princ/],
    ['for the root of no account', { Principal: { AWS: 'arn:aws:iam::1:root' } }, /Invalid princ/],
    ['for a group', { Principal: { AWS: `arn:aws:iam::${ALICE}:group/g` } }, /Invalid principal/],
    ['for no service', { Principal: { Service: 'ec2.example.com' } }, /ec2\.amazonaws/],
    ['for all services', { Principal: { Service: '*.amazonaws.com' } }, /Invalid principal/],
    ['for a federation', { Principal: { Federated: 'x' } }, /"Federated", which is not known/],
    ['for nobody', { Principal: {} }, /AWS or Service/],
    ['for an empty list', { Principal: { AWS: [] } }, /between 1 and/],
    ['for all but one', { NotPrincipal: { AWS: ALICE } }, /"NotPrincipal", which is not known/],
    ['with a resource', { Resource: '*' }, /no Resource/],
    ['with an unknown key', { Condition: { StringEquals: { 'sts:Nonsense': 'x' } } }, /not known/],
    ['with an unknown element', { Sids: 'x' }, /"Sids"/],
  ])('%s is refused', (_what, more, why) => {
    expect(problem(more)).toMatch(why)
  })

  it('names accounts in three forms, users, roles and sessions, and EC2', () => {
    const AWS = [
      ...[ALICE, `arn:aws:iam::${BOB}:root`, DEV, `arn:aws:iam::${ALICE}:role/a/b`],
      `arn:aws:sts::${ALICE}:assumed-role/b/session`,
    ]
    const Service = ['ec2.amazonaws.com', 'vpc-flow-logs.amazonaws.com', 'logs.eu-1.amazonaws.com']
    expect(problem({ Principal: { AWS, Service } })).toBe('none')
    expect(problem({ Action: ['sts:AssumeRole', 'sts:TagSession'] })).toBe('none')
  })

  it('lets in who is named, by account or by name', () => {
    expect(trust(statement)).toBe('account')
    expect(trust(statement, { account: BOB })).toBe('denied')
    const named = { ...statement, Principal: { AWS: DEV } }
    expect(trust(named)).toBe('named')
    expect(trust([statement, named])).toBe('named')
    // Another path is another user.
    expect(trust(named, { arns: [`arn:aws:iam::${ALICE}:user/dev`] })).toBe('denied')
    expect(trust({ ...statement, Action: 'sts:GetCallerIdentity' })).toBe('denied')
    expect(trust({ ...statement, Principal: { Service: 'ec2.amazonaws.com' } })).toBe('denied')
  })

  it('denies before it allows, and asks for conditions', () => {
    const deny = { ...statement, Effect: 'Deny', Principal: { AWS: DEV } }
    expect(trust([statement, deny])).toBe('denied')
    expect(trust([statement, deny], { arns: [`arn:aws:iam::${ALICE}:user/ops`] })).toBe('account')
    const secret = { ...statement, Condition: { StringEquals: { 'sts:ExternalId': 'x1' } } }
    expect(trust(secret)).toBe('denied')
    expect(trust(secret, { context: { 'sts:externalid': 'x2' } })).toBe('denied')
    expect(trust(secret, { context: { 'sts:externalid': 'x1' } })).toBe('account')
  })

  it('says whether EC2 may give the role to instances', () => {
    const text = (more: object) => JSON.stringify({ Statement: { ...statement, ...more } })
    expect(trustsInstances(text({ Principal: { Service: 'ec2.amazonaws.com' } }))).toBe(true)
    expect(trustsInstances(text({}))).toBe(false)
    expect(trustsInstances(text({ New: 1, Principal: { Service: 'ec2.amazonaws.com' } }))).toBe(
      false,
    )
    expect(trustsInstances('{')).toBe(false)
  })
})

describe('an ARN', () => {
  it('has the path and the name', () => {
    const arn = iamArn('role', { account: ALICE, path: '/a/b/', name: 'c' })
    expect(arn).toBe(`arn:aws:iam::${ALICE}:role/a/b/c`)
    expect(parseIamArn('role', arn)).toEqual({
      ...{ account: parseAccountId(ALICE), path: '/a/b/', name: 'c' },
    })
    for (const wrong of [
      ...['', 'role', `arn:aws:iam::1:role/c`, `arn:aws:iam::${ALICE}:user/c`],
      ...[`arn:aws:iam::${ALICE}:role/`, `arn:aws:iam::${ALICE}:role/a b/c`, `${arn}*`],
    ])
      expect(parseIamArn('role', wrong), wrong).toBeUndefined()
  })
})
