/**
 * A tenant who wants more than it has, by way of roles: another account's role, another's instance
 * profile, a forged token, a session after its time or after its role, a session policy that says
 * more than the role, a role that it may not pass to an instance.
 *
 * Before: there were no roles. The code held when first tried.
 */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSecretCipher } from '../../src/lib/secret-cipher.ts'
import type { AccountId } from '../../src/model/ids.ts'
import { newSession } from '../../src/model/session-token.ts'
import { known } from '../kit/api.ts'
import { ALICE, BOB } from '../kit/api-cloud.ts'
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

const call = (...given: Parameters<SignedCloud['call']>) => at.call(...given)
const codeOf = (...given: Parameters<SignedCloud['codeOf']>) => at.codeOf(...given)
const admin = (...given: Parameters<SignedCloud['admin']>) => at.admin(...given)
const user = (...given: Parameters<SignedCloud['user']>) => at.user(...given)

let count = 0
/** A role of the account that this principal may assume. */
async function role(
  principal: object,
  statements: readonly object[] = [EC2],
  { account = ALICE, ...more }: { readonly account?: AccountId; readonly Condition?: object } = {},
) {
  count += 1
  const name = `role${count}`
  const trust = { Effect: 'Allow', Principal: principal, Action: 'sts:AssumeRole', ...more }
  const AssumeRolePolicyDocument = JSON.stringify({ Statement: [trust] })
  await admin('CreateRole', { RoleName: name, AssumeRolePolicyDocument }, account)
  const PolicyDocument = JSON.stringify({ Statement: statements })
  await admin('PutRolePolicy', { RoleName: name, PolicyName: 'p', PolicyDocument }, account)
  return { name, arn: `arn:aws:iam::${account}:role/${name}` }
}

async function assume(keys: Keys, RoleArn: string, more: Readonly<Record<string, string>> = {}) {
  const { code, of, message } = await call(keys, 'AssumeRole', {
    ...{ RoleArn, RoleSessionName: 'me', ...more },
  })
  const session: Keys = {
    id: of('AccessKeyId'),
    secret: of('SecretAccessKey'),
    token: of('SessionToken'),
  }
  return { code, message, session }
}

const ASSUME = { Effect: 'Allow', Action: 'sts:AssumeRole', Resource: '*' }

describe('a role', () => {
  it('of another account is assumed only if both accounts say so', async () => {
    const bob = await user([ASSUME], BOB)
    const none = await assume(bob.keys, `arn:aws:iam::${ALICE}:role/absent`)
    const closed = await role({ AWS: ALICE })
    const refused = await assume(bob.keys, closed.arn)
    expect([none.code, refused.code]).toEqual(['AccessDenied', 'AccessDenied'])
    expect(refused.message.replace(closed.name, 'absent')).toBe(none.message)
    const open = await role({ AWS: BOB })
    expect((await assume(bob.keys, open.arn)).code).toBe('OK')
    // The role names him, but his own account does not let him.
    const nothing = await user([], BOB)
    const named = await role({ AWS: nothing.arn })
    expect((await assume(nothing.keys, named.arn)).code).toBe('AccessDenied')
    expect((await assume(nothing.keys, open.arn)).code).toBe('AccessDenied')
    // What is assumed is the role's account.
    const { session } = await assume(bob.keys, open.arn)
    const who = await call(session, 'GetCallerIdentity')
    expect(who.of('Arn')).toBe(`arn:aws:sts::${ALICE}:assumed-role/${open.name}/me`)
    expect(who.of('Account')).toBe(ALICE)
  })

  it('of its own account needs a statement of either side, and none that denies', async () => {
    const dev = await user([])
    const byAccount = await role({ AWS: ALICE })
    const byName = await role({ AWS: dev.arn })
    expect((await assume(dev.keys, byAccount.arn)).code).toBe('AccessDenied')
    expect((await assume(dev.keys, byName.arn)).code).toBe('OK')
    const denied = await user([EVERYTHING, { ...ASSUME, Effect: 'Deny' }])
    const named = await role({ AWS: denied.arn })
    expect((await assume(denied.keys, named.arn)).code).toBe('AccessDenied')
    // Of an instance, it is for instances.
    const ofInstances = await role({ Service: 'ec2.amazonaws.com' })
    const all = await user([EVERYTHING])
    expect((await assume(all.keys, ofInstances.arn)).code).toBe('AccessDenied')
    // Another path is another role.
    const { arn } = byAccount
    expect((await assume(all.keys, arn.replace(':role/', ':role/x/'))).code).toBe('AccessDenied')
    expect((await assume(all.keys, arn)).code).toBe('OK')
  })

  it('asks for the external id', async () => {
    const bob = await user([ASSUME], BOB)
    const Condition = { StringEquals: { 'sts:ExternalId': 'secret' } }
    const { arn } = await role({ AWS: BOB }, [EC2], { Condition })
    expect((await assume(bob.keys, arn)).code).toBe('AccessDenied')
    expect((await assume(bob.keys, arn, { ExternalId: 'other' })).code).toBe('AccessDenied')
    expect((await assume(bob.keys, arn, { ExternalId: 'secret' })).code).toBe('OK')
  })
})

describe('a session', () => {
  it('has no more rights than its role, whatever its policy says', async () => {
    const dev = await user([ASSUME])
    const { arn, name } = await role({ AWS: ALICE }, [
      { Effect: 'Allow', Action: 'ec2:Describe*', Resource: '*' },
    ])
    const Policy = JSON.stringify({ Statement: [EVERYTHING] })
    const wide = (await assume(dev.keys, arn, { Policy })).session
    expect(await codeOf(wide, 'DescribeInstances')).toBe('OK')
    expect(await codeOf(wide, 'AllocateAddress')).toBe('UnauthorizedOperation')
    expect(await codeOf(wide, 'ListUsers')).toBe('AccessDenied')
    const admins = { 'PolicyArns.member.1.arn': 'arn:aws:iam::aws:policy/AdministratorAccess' }
    const managed = (await assume(dev.keys, arn, admins)).session
    expect(await codeOf(managed, 'AllocateAddress')).toBe('UnauthorizedOperation')
    // A change of the role counts at once.
    await admin('DeleteRolePolicy', { RoleName: name, PolicyName: 'p' })
    expect(await codeOf(wide, 'DescribeInstances')).toBe('UnauthorizedOperation')
  })

  it('may be restricted by a policy of its account, as long as there is that policy', async () => {
    const dev = await user([ASSUME])
    const { arn } = await role({ AWS: ALICE }, [EC2])
    const PolicyDocument = JSON.stringify({
      Statement: [{ Effect: 'Allow', Action: 'ec2:DescribeInstances', Resource: '*' }],
    })
    const named = { PolicyName: 'reading', PolicyDocument }
    await admin('CreatePolicy', named)
    await admin('CreatePolicy', { ...named, PolicyName: 'theirs' }, BOB)
    const PolicyArn = `arn:aws:iam::${ALICE}:policy/reading`
    const by = (policy: string) => ({ 'PolicyArns.member.1.arn': policy })
    for (const absent of [`${PolicyArn}2`, `arn:aws:iam::${BOB}:policy/theirs`])
      expect((await assume(dev.keys, arn, by(absent))).code).toBe('NoSuchEntity')
    const { session } = await assume(dev.keys, arn, by(PolicyArn))
    expect(await codeOf(session, 'DescribeInstances')).toBe('OK')
    expect(await codeOf(session, 'DescribeVpcs')).toBe('UnauthorizedOperation')
    await admin('DeletePolicy', { PolicyArn })
    expect(await codeOf(session, 'DescribeInstances')).toBe('UnauthorizedOperation')
  })

  it('ends at its time, and with its role, also if there is another of that name', async () => {
    const dev = await user([ASSUME])
    const { arn, name } = await role({ AWS: ALICE })
    const { session } = await assume(dev.keys, arn, { DurationSeconds: '900' })
    expect(await codeOf(session, 'DescribeInstances')).toBe('OK')
    at.offsetMs = 900_000
    expect(await codeOf(session, 'DescribeInstances')).toBe('RequestExpired')
    at.offsetMs = 0
    await admin('DeleteRolePolicy', { RoleName: name, PolicyName: 'p' })
    await admin('DeleteRole', { RoleName: name })
    expect(await codeOf(session, 'DescribeInstances')).toBe('AuthFailure')
    const AssumeRolePolicyDocument = JSON.stringify({
      Statement: [{ Effect: 'Allow', Principal: { AWS: ALICE }, Action: 'sts:AssumeRole' }],
    })
    await admin('CreateRole', { RoleName: name, AssumeRolePolicyDocument })
    await admin('AttachRolePolicy', {
      ...{ RoleName: name, PolicyArn: 'arn:aws:iam::aws:policy/AdministratorAccess' },
    })
    expect(await codeOf(session, 'DescribeInstances')).toBe('AuthFailure')
  })

  it('ends with its account', async () => {
    const bob = await user([ASSUME], BOB)
    const { arn } = await role({ AWS: BOB }, [EC2], { account: BOB })
    const { session } = await assume(bob.keys, arn)
    const set = (status: 'active' | 'disabled') =>
      at.cloud.store.change((tx) => tx.changeAccount(BOB, { status }))
    await set('disabled')
    expect(await codeOf(session, 'DescribeInstances')).toBe('AuthFailure')
    await set('active')
    expect(await codeOf(session, 'DescribeInstances')).toBe('OK')
  })

  it('makes sessions of other roles for an hour at most, and none of its own', async () => {
    const dev = await user([ASSUME])
    const first = await role({ AWS: ALICE }, [ASSUME])
    const second = await role({ AWS: first.arn })
    await admin('UpdateRole', { RoleName: second.name, MaxSessionDuration: 43_200 })
    const { session } = await assume(dev.keys, first.arn)
    const long = { DurationSeconds: '3601' }
    expect((await assume(dev.keys, first.arn, long)).code).toBe('ValidationError')
    expect((await assume(session, second.arn, long)).code).toBe('ValidationError')
    const chained = await assume(session, second.arn)
    expect(chained.code).toBe('OK')
    expect(await codeOf(chained.session, 'DescribeInstances')).toBe('OK')
    expect(await codeOf(chained.session, 'GetSessionToken')).toBe('AccessDenied')
    // Who is not the first role may not assume the second.
    expect((await assume(dev.keys, second.arn)).code).toBe('AccessDenied')
  })

  it('is recorded as what it is, without what proves it', async () => {
    const dev = await user([ASSUME])
    const { arn, name } = await role({ AWS: ALICE })
    const { session } = await assume(dev.keys, arn)
    expect(await codeOf(session, 'CreateKeyPair', { KeyName: name, KeyType: 'ed25519' })).toBe('OK')
    const events = (await at.audit.stored(ALICE)).map(({ event }) => event)
    for (const secret of [session.secret, session.token ?? ''])
      for (const event of events) expect(event).not.toContain(secret)
    const made = events
      .map((event) => JSON.parse(event))
      .filter(({ requestParameters: asked }) => asked?.keyName === name)
    expect(made).toMatchObject([
      {
        eventName: 'CreateKeyPair',
        userIdentity: {
          ...{ type: 'AssumedRole', accessKeyId: session.id },
          arn: `arn:aws:sts::${ALICE}:assumed-role/${name}/me`,
          sessionContext: { sessionIssuer: { userName: name } },
        },
      },
    ])
  })

  it('is none without the seal of the cloud, for its own key', async () => {
    const dev = await user([ASSUME])
    const { arn, name } = await role({ AWS: ALICE })
    const { session } = await assume(dev.keys, arn)
    const other = (await assume(dev.keys, arn)).session
    const id = (await at.cloud.store.read((tx) => tx.role(ALICE, name)))?.id ?? ''
    const forged = newSession(createSecretCipher(randomBytes(32)), randomBytes, {
      subject: {
        ...{ kind: 'role', account: ALICE, instance: null },
        role: { name, id, session: 'me', policies: [] },
      },
      expiresAtMs: Date.now() + 60_000,
    })
    const { token = '' } = session
    const flipped = `${token.slice(0, -4)}${token.endsWith('AAAA') ? 'BBBB' : 'AAAA'}`
    for (const [what, keys] of Object.entries({
      'without the token': { id: session.id, secret: session.secret },
      'with the token of another': { ...session, token: known(other.token) },
      'with the secret of another': { ...session, secret: other.secret },
      'changed in one place': { ...session, token: flipped },
      'of a user': { ...dev.keys, token },
      'of another cloud': forged,
      'that is very long': { ...session, token: 'sealed:1:'.padEnd(9_000, 'A') },
    }))
      expect(await codeOf(keys, 'DescribeInstances'), what).toBe('AuthFailure')
    expect(await codeOf(session, 'DescribeInstances')).toBe('OK')
  })
})

describe('an instance profile', () => {
  const trust = { Service: 'ec2.amazonaws.com' }
  const profile = async (roleName: string, account: AccountId = ALICE) => {
    const of = { InstanceProfileName: roleName }
    await admin('CreateInstanceProfile', of, account)
    await admin('AddRoleToInstanceProfile', { ...of, RoleName: roleName }, account)
    return `arn:aws:iam::${account}:instance-profile/${roleName}`
  }
  const order = () => ({
    ...{ ImageId: at.cloud.image, InstanceType: 't3.micro', MinCount: '1', MaxCount: '1' },
  })

  it('of another account is as one that does not exist', async () => {
    const { name } = await role(trust, [EVERYTHING], { account: BOB })
    const theirs = await profile(name, BOB)
    const all = await user([EVERYTHING])
    const run = (Arn: string) =>
      call(all.keys, 'RunInstances', { ...order(), 'IamInstanceProfile.Arn': Arn })
    const [one, none] = [await run(theirs), await run(theirs.replace(name, 'absent'))]
    expect([one.code, none.code]).toEqual(['InvalidParameterValue', 'InvalidParameterValue'])
    expect(one.message.replaceAll(name, 'absent')).toBe(none.message)
  })

  it('gives its role only to instances of those who may pass it', async () => {
    const { name, arn } = await role(trust, [EVERYTHING])
    await profile(name)
    const plain = await role(trust, [EC2])
    await profile(plain.name)
    const dev = await user([
      EC2,
      { Effect: 'Allow', Action: 'iam:*InstanceProfile*', Resource: '*' },
      { Effect: 'Allow', Action: 'iam:PassRole', Resource: plain.arn },
    ])
    const wanted = { 'IamInstanceProfile.Name': name }
    const own = { 'IamInstanceProfile.Name': plain.name }
    const refused = await call(dev.keys, 'RunInstances', { ...order(), ...wanted })
    expect(refused.code).toBe('UnauthorizedOperation')
    expect(refused.message).toContain(`not authorized to perform: iam:PassRole on resource: ${arn}`)
    expect(await codeOf(dev.keys, 'RunInstances', { ...order(), ...wanted, DryRun: 'true' })).toBe(
      'UnauthorizedOperation',
    )
    // By way of a template.
    const LaunchTemplateName = `template-${name}`
    await call(dev.keys, 'CreateLaunchTemplate', {
      LaunchTemplateName,
      'LaunchTemplateData.ImageId': at.cloud.image,
      'LaunchTemplateData.IamInstanceProfile.Name': name,
    })
    const templated = {
      'LaunchTemplate.LaunchTemplateName': LaunchTemplateName,
      ...{ MinCount: '1', MaxCount: '1' },
    }
    expect(await codeOf(dev.keys, 'RunInstances', templated)).toBe('UnauthorizedOperation')
    // A profile of the request takes the place of the template's.
    expect(await codeOf(dev.keys, 'RunInstances', { ...templated, ...own })).toBe('OK')
    // By way of an instance that is there.
    const { code, of } = await call(dev.keys, 'RunInstances', { ...order(), ...own })
    expect(code).toBe('OK')
    const InstanceId = of('instanceId')
    const found = await call(dev.keys, 'DescribeIamInstanceProfileAssociations', {
      ...{ 'Filter.1.Name': 'instance-id', 'Filter.1.Value.1': InstanceId },
    })
    const AssociationId = found.of('associationId')
    expect(
      await codeOf(dev.keys, 'ReplaceIamInstanceProfileAssociation', { AssociationId, ...wanted }),
    ).toBe('UnauthorizedOperation')
    expect(await codeOf(dev.keys, 'DisassociateIamInstanceProfile', { AssociationId })).toBe('OK')
    expect(await codeOf(dev.keys, 'AssociateIamInstanceProfile', { InstanceId, ...wanted })).toBe(
      'UnauthorizedOperation',
    )
    // By way of a profile that it may change.
    const of7 = { InstanceProfileName: plain.name }
    expect(
      await codeOf(dev.keys, 'RemoveRoleFromInstanceProfile', { ...of7, RoleName: plain.name }),
    ).toBe('OK')
    const added = await call(dev.keys, 'AddRoleToInstanceProfile', { ...of7, RoleName: name })
    expect([added.code, added.message]).toEqual([
      'AccessDenied',
      expect.stringContaining('iam:PassRole'),
    ])
    expect(
      await codeOf(dev.keys, 'AddRoleToInstanceProfile', { ...of7, RoleName: plain.name }),
    ).toBe('OK')
  })

  it('is passed as its policy says to whom', async () => {
    const { name, arn } = await role(trust)
    await profile(name)
    const passing = (service: string) =>
      user([
        EC2,
        {
          ...{ Effect: 'Allow', Action: 'iam:PassRole', Resource: arn },
          Condition: { StringEquals: { 'iam:PassedToService': service } },
        },
      ])
    const run = async (keys: Keys) =>
      codeOf(keys, 'RunInstances', { ...order(), 'IamInstanceProfile.Name': name })
    expect(await run((await passing('ec2.amazonaws.com')).keys)).toBe('OK')
    expect(await run((await passing('lambda.amazonaws.com')).keys)).toBe('UnauthorizedOperation')
  })
})

describe('an encoded message', () => {
  it('is decoded by its account alone, on any host, and only as it was made', async () => {
    const dev = await user([])
    const { code, message } = await call(dev.keys, 'StopInstances', {
      ...{ 'InstanceId.1': 'i-0123456789abcdef0' },
    })
    expect(code).toBe('UnauthorizedOperation')
    const [, EncodedMessage = ''] = message.split('Encoded authorization failure message: ')
    const decoded = await call(dev.keys, 'DecodeAuthorizationMessage', { EncodedMessage })
    const text = decoded.of('DecodedMessage').replaceAll('&quot;', '"')
    expect(JSON.parse(text)).toMatchObject({
      ...{ allowed: false, explicitDeny: false },
      context: { action: 'ec2:StopInstances', principal: { arn: dev.arn } },
    })
    const bob = await user([], BOB)
    const invalid = 'InvalidAuthorizationMessageException'
    const changed = `${EncodedMessage.slice(0, -2)}AA`
    for (const [keys, text] of [
      [bob.keys, EncodedMessage],
      [dev.keys, changed],
      [dev.keys, 'x'],
    ] as const)
      expect(await codeOf(keys, 'DecodeAuthorizationMessage', { EncodedMessage: text })).toBe(
        invalid,
      )
  })
})
