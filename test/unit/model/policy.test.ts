/** The subset of IAM's policy language: what is refused, and what is decided. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of policies are written so.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MANAGED_POLICIES } from '../../../src/model/managed-policies.ts'
import { type Policy, parsePolicy } from '../../../src/model/policy.ts'
import { type AskedResource, decide, matches } from '../../../src/model/policy-decision.ts'

const VERSION = '2012-10-17'
const statement = { Effect: 'Allow', Action: 'ec2:*', Resource: '*' }

function policy(...statements: readonly object[]): Policy {
  const parsed = parsePolicy(JSON.stringify({ Version: VERSION, Statement: statements }))
  if ('problem' in parsed) throw new Error(parsed.problem)
  return parsed.policy
}

function problem(document: unknown): string {
  const parsed = parsePolicy(typeof document === 'string' ? document : JSON.stringify(document))
  return 'problem' in parsed ? parsed.problem : 'none'
}

const INSTANCE: AskedResource = {
  arn: 'arn:aws:ec2:atoll:000000000001:instance/i-1',
  isUnnamed: false,
  tags: new Map([['team', 'red']]),
  requestTags: new Map(),
}

function allows(
  policies: readonly Policy[],
  {
    action = 'ec2:StopInstances',
    resources = [INSTANCE],
    context = {},
  }: {
    action?: string
    resources?: readonly AskedResource[]
    context?: Record<string, string>
  } = {},
): boolean {
  const variables = { 'aws:username': 'dev', 'aws:PrincipalAccount': '000000000001' }
  return decide(policies, { action, resources, context, variables }).isAllowed
}

describe('a document', () => {
  const whole = (more: object) => ({ Version: VERSION, Statement: { ...statement, ...more } })
  it.each([
    ['not JSON', '{', /not valid JSON/],
    ['a list', [], /must be an object/],
    ['no statement', { Version: VERSION }, /no Statement/],
    ['an empty list of statements', { Statement: [] }, /no Statement/],
    ['another version', { Version: '2020-01-01', Statement: statement }, /Version must be/],
    ['an unknown element', { Statement: statement, Nonsense: 1 }, /"Nonsense"/],
    ['an unknown element of a statement', whole({ Effects: 'Deny' }), /"Effects"/],
    ['an element in small letters', whole({ condition: {} }), /"condition"/],
    ['a principal', whole({ Principal: '*' }), /no Principal/],
    ['no effect', { Statement: { Action: '*', Resource: '*' } }, /Effect must be/],
    ['an effect in small letters', whole({ Effect: 'allow' }), /Effect must be/],
    ['no action', { Statement: { Effect: 'Allow', Resource: '*' } }, /one of Action and NotAction/],
    ['two kinds of actions', whole({ NotAction: 'ec2:*' }), /one of Action and NotAction/],
    ['no resource', { Statement: { Effect: 'Allow', Action: '*' } }, /Resource and NotResource/],
    ['an action without service', whole({ Action: 'RunInstances' }), /is not an action/],
    ['no actions', whole({ Action: [] }), /between 1 and/],
    ['an action that is a number', whole({ Action: 1 }), /must be text/],
    ['a resource that is no ARN', whole({ Resource: 'i-1' }), /is not an ARN/],
    ['a short ARN', whole({ Resource: 'arn:aws:ec2:*:instance/*' }), /is not an ARN/],
    ['an unknown operator', whole({ Condition: { StringMatch: {} } }), /"StringMatch"/],
    ['an operator in small letters', whole({ Condition: { stringequals: {} } }), /"stringequals"/],
    ['a numeric operator', whole({ Condition: { NumericEquals: {} } }), /"NumericEquals"/],
    [
      ...([
        'an unknown key',
        whole({ Condition: { StringEquals: { 'aws:PrincipalTag/x': '1' } } }),
      ] as const),
      /"aws:PrincipalTag\/x"/,
    ],
    [
      'a tag without key',
      whole({ Condition: { StringEquals: { 'aws:ResourceTag/': '1' } } }),
      /not known/,
    ],
    [
      ...([
        'tag keys as one value',
        whole({ Condition: { StringEquals: { 'aws:TagKeys': 'a' } } }),
      ] as const),
      /ForAllValues/,
    ],
    [
      'a range that is none',
      whole({ Condition: { IpAddress: { 'aws:SourceIp': '1.2.3' } } }),
      /IPv4/,
    ],
    ['a range of IPv6', whole({ Condition: { IpAddress: { 'aws:SourceIp': '::/0' } } }), /IPv4/],
    [
      'Null with another value',
      whole({ Condition: { Null: { 'aws:SourceIp': 'no' } } }),
      /true or false/,
    ],
    ['an unknown variable', whole({ Resource: 'arn:aws:iam::*:user/${aws:userid}' }), /aws:userid/],
    [
      ...([
        'a variable of an old policy',
        { Statement: { ...statement, Resource: 'arn:aws:iam::*:user/${aws:username}' } },
      ] as const),
      /needs the policy's Version/,
    ],
    [
      'a variable that does not end',
      whole({ Resource: 'arn:aws:iam::*:user/${aws:username' }),
      /does not end/,
    ],
    [
      'two statements of one name',
      {
        Statement: [
          { ...statement, Sid: 'A' },
          { ...statement, Sid: 'A' },
        ],
      },
      /same Sid/,
    ],
    [
      ...([
        'a member twice',
        '{"Statement":{"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"}}',
      ] as const),
      /twice/,
    ],
    ['a long one', whole({ Resource: `arn:aws:ec2:::${'x'.repeat(7000)}` }), /longer than/],
  ] as const)('is refused with %s', (_what, document, why) => {
    expect(problem(document)).toMatch(why)
  })

  it('is taken with everything that is known', () => {
    const conditions = {
      StringLike: { 'AWS:ResourceTag/Team': ['re?', 'b*'] },
      'ForAllValues:StringEquals': { 'aws:TagKeys': ['a', 'b'] },
      StringEqualsIfExists: { 'ec2:InstanceType': 't3.micro' },
      IpAddress: { 'aws:SourceIp': ['10.0.0.0/8', '192.0.2.1'] },
      DateLessThan: { 'aws:CurrentTime': '2030-01-01T00:00:00Z' },
      Null: { 'aws:RequestTag/owner': false },
    }
    expect(
      problem({
        Version: VERSION,
        Id: 'x',
        Statement: [{ ...statement, Sid: 'One', Condition: conditions }],
      }),
    ).toBe('none')
    for (const { document } of MANAGED_POLICIES) expect(problem(document)).toBe('none')
  })
})

describe('a decision', () => {
  const deny = { Effect: 'Deny', Action: 'ec2:Stop*', Resource: '*' }
  it('allows nothing by itself, and a denial wins in any order and policy', () => {
    expect(allows([])).toBe(false)
    expect(allows([policy(statement)])).toBe(true)
    expect(allows([policy(statement, deny)])).toBe(false)
    expect(allows([policy(deny), policy(statement)])).toBe(false)
    expect(allows([policy(deny), policy(statement)], { action: 'ec2:StartInstances' })).toBe(true)
  })

  it('compares actions without regard to case, and resources part by part', () => {
    expect(allows([policy({ ...statement, Action: 'EC2:stopinstances' })])).toBe(true)
    const only = policy({ ...statement, Resource: 'arn:aws:ec2:*:*:instance/*' })
    expect(allows([only])).toBe(true)
    const named = 'arn:aws:ec2:atoll:000000000001:key-pair/x:1:instance/y'
    expect(allows([only], { resources: [{ ...INSTANCE, arn: named }] })).toBe(false)
    expect(allows([only], { resources: [{ ...INSTANCE, arn: '*' }] })).toBe(false)
    expect(allows([policy({ ...statement, NotAction: 'iam:*', Action: undefined })])).toBe(true)
  })

  it('needs each resource to be allowed', () => {
    const other = { ...INSTANCE, arn: 'arn:aws:ec2:atoll:000000000001:instance/i-2' }
    const first = policy({ ...statement, Resource: INSTANCE.arn })
    expect(allows([first])).toBe(true)
    expect(allows([first], { resources: [INSTANCE, other] })).toBe(false)
    const allBut = policy(statement, { Effect: 'Deny', Action: '*', NotResource: INSTANCE.arn })
    expect(allows([allBut])).toBe(true)
    expect(allows([allBut], { resources: [INSTANCE, other] })).toBe(false)
  })

  it('takes what the cloud chooses for any', () => {
    const subnet = {
      ...INSTANCE,
      arn: 'arn:aws:ec2:atoll:000000000001:subnet/*',
      isUnnamed: true,
      tags: null,
    }
    const ask = (...statements: readonly object[]) =>
      allows([policy(...statements)], { action: 'ec2:RunInstances', resources: [subnet] })
    expect(ask(statement)).toBe(true)
    expect(ask({ ...statement, Resource: 'arn:aws:ec2:*:*:subnet/*' })).toBe(true)
    for (const one of ['subnet/subnet-1', 'subnet/?', 'subnet/subnet-*'])
      expect(ask({ ...statement, Resource: `arn:aws:ec2:*:*:${one}` }), one).toBe(false)
    const denied = (resource: string) =>
      ask(statement, { Effect: 'Deny', Action: '*', Resource: `arn:aws:ec2:*:*:${resource}` })
    expect(denied('subnet/subnet-1')).toBe(false)
    expect(denied('instance/i-1')).toBe(true)
    const tagged = { StringEquals: { 'aws:ResourceTag/team': 'red' } }
    expect(ask({ ...statement, Condition: tagged })).toBe(false)
    expect(ask(statement, { Effect: 'Deny', Action: '*', Resource: '*', Condition: tagged })).toBe(
      false,
    )
  })

  it.each([
    ['StringEquals', { StringEquals: { 'aws:ResourceTag/team': 'red' } }, true],
    ['a key in another case', { StringEquals: { 'ec2:resourcetag/TEAM': 'red' } }, true],
    ['another value', { StringEquals: { 'aws:ResourceTag/team': 'Red' } }, false],
    ['StringEqualsIgnoreCase', { StringEqualsIgnoreCase: { 'aws:ResourceTag/team': 'RED' } }, true],
    ['StringLike', { StringLike: { 'aws:ResourceTag/team': 'r*d' } }, true],
    ['StringNotLike', { StringNotLike: { 'aws:ResourceTag/team': 'r*' } }, false],
    ['an absent key', { StringEquals: { 'aws:ResourceTag/x': 'red' } }, false],
    ['an absent key, negated', { StringNotEquals: { 'aws:ResourceTag/x': 'red' } }, true],
    ['an absent key, if it exists', { StringEqualsIfExists: { 'aws:ResourceTag/x': 'red' } }, true],
    ['Null true', { Null: { 'aws:ResourceTag/x': 'true' } }, true],
    ['Null false', { Null: { 'aws:ResourceTag/team': 'false' } }, true],
    ['an address in a range', { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } }, true],
    ['an address outside', { NotIpAddress: { 'aws:SourceIp': '10.1.0.0/16' } }, false],
    [
      'both operators',
      { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' }, StringEquals: { 'ec2:Region': 'x' } },
      false,
    ],
    ['a time before', { DateLessThan: { 'aws:CurrentTime': '2030-01-01T00:00:00Z' } }, true],
    ['a time after', { DateGreaterThan: { 'aws:CurrentTime': '2030-01-01' } }, false],
    ['an ARN', { ArnLike: { 'aws:PrincipalArn': 'arn:aws:iam::*:user/d*' } }, true],
    ['a variable', { StringEquals: { 'aws:username': '${aws:username}' } }, true],
    [
      'the type of an instance that is there',
      { StringEquals: { 'ec2:InstanceType': 't3.micro' } },
      false,
    ],
  ] as const)('compares %s', (_what, condition, expected) => {
    const context = {
      'aws:sourceip': '10.1.2.3',
      'aws:currenttime': '2026-11-29T00:00:00Z',
      'aws:username': 'dev',
      'aws:principalarn': 'arn:aws:iam::000000000001:user/dev',
    }
    expect(allows([policy({ ...statement, Condition: condition })], { context })).toBe(expected)
  })

  it('compares the keys of tags as a set', () => {
    const made = {
      ...INSTANCE,
      requestTags: new Map([
        ['team', 'red'],
        ['cost', '1'],
      ]),
    }
    const ask = (condition: object, resource: AskedResource) =>
      allows([policy({ ...statement, Condition: condition })], { resources: [resource] })
    const all = { 'ForAllValues:StringEquals': { 'aws:TagKeys': ['team', 'cost'] } }
    expect(ask(all, made)).toBe(true)
    expect(ask(all, INSTANCE)).toBe(true)
    expect(ask({ 'ForAllValues:StringEquals': { 'aws:TagKeys': ['team'] } }, made)).toBe(false)
    expect(ask({ 'ForAnyValue:StringEquals': { 'aws:TagKeys': ['team'] } }, made)).toBe(true)
    expect(ask({ 'ForAnyValue:StringEquals': { 'aws:TagKeys': ['team'] } }, INSTANCE)).toBe(false)
    expect(ask({ StringEquals: { 'aws:RequestTag/cost': '1' } }, made)).toBe(true)
  })

  it('is the same in any order of policies and statements, and more denials never allow', () => {
    const any = fc.record({
      Effect: fc.constantFrom('Allow', 'Deny'),
      Action: fc.constantFrom('*', 'ec2:*', 'ec2:Stop*', 'ec2:StopInstances', 'ec2:Run*'),
      Resource: fc.constantFrom(
        '*',
        INSTANCE.arn,
        'arn:aws:ec2:*:*:instance/*',
        'arn:aws:ec2:*:*:vpc/*',
      ),
      Condition: fc.constantFrom(
        {},
        { StringEquals: { 'aws:ResourceTag/team': 'red' } },
        { StringNotEquals: { 'aws:ResourceTag/team': 'red' } },
      ),
    })
    fc.assert(
      fc.property(fc.array(any, { minLength: 1, maxLength: 6 }), any, (statements, extra) => {
        const decided = allows([policy(...statements)])
        expect(allows([policy(...statements.toReversed())])).toBe(decided)
        expect(allows(statements.map((one) => policy(one)))).toBe(decided)
        const denied = allows([policy(...statements, { ...extra, Effect: 'Deny' })])
        expect(denied && !decided).toBe(false)
        const allowed = allows([policy(...statements, { ...extra, Effect: 'Allow' })])
        expect(decided && !allowed).toBe(false)
      }),
    )
  })

  it('matches as a regular expression does, in time that does not explode', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 12 }),
        fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 16 }),
        (pattern, text) => {
          const expression = pattern.replaceAll('*', '.*').replaceAll('?', '.')
          expect(matches(pattern, text)).toBe(new RegExp(`^${expression}$`).test(text))
        },
      ),
    )
    expect(matches(`${'*a'.repeat(200)}b`, 'a'.repeat(2000))).toBe(false)
  })

  it('never throws, whatever is given for a policy', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => void problem(value)))
    fc.assert(fc.property(fc.string(), (text) => void problem(text)))
  })
})
