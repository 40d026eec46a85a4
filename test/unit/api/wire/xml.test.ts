import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { alwaysEmptyActions } from '../../../../src/api/actions/always-empty.ts'
import { EC2_MODEL } from '../../../../src/api/generated/ec2.ts'
import { IAM_MODEL } from '../../../../src/api/generated/iam.ts'
import { STS_MODEL } from '../../../../src/api/generated/sts.ts'
import { type Field, linkModel, type WireAction } from '../../../../src/api/wire/model.ts'
import { encodeAnswer, encodeError } from '../../../../src/api/wire/xml.ts'
import { known } from '../../../kit/api.ts'
import { newBudget } from '../../../kit/budget.ts'
import { anyValue, exchange, fullValue } from '../../../kit/sdk.ts'
import { DOCUMENTED_ANSWERS } from '../recorded/documented-answers.ts'

const actions = new Map([EC2_MODEL, IAM_MODEL, STS_MODEL].flatMap((model) => [...linkModel(model)]))
const REQUEST_ID = '59dbff89-35bd-4eac-99ed-be587EXAMPLE'

const encode = (action: WireAction, id: string, output: object) =>
  encodeAnswer(action, id, output, newBudget())

async function throughSdk(action: string, output: object): Promise<unknown> {
  const xml = await encode(known(actions.get(action)), REQUEST_ID, output)
  return (await exchange(action, {}, xml)).output
}

/**
 * Of the others the wire knows no more than that their lists are empty
 * (`actions/always-empty.test.ts`).
 */
const whole = [...actions].filter(
  ([, { output }]) => output?.byMember.values().every(mayHaveItems) ?? true,
)

function mayHaveItems({ shape }: Field): boolean {
  return !(
    shape.kind === 'list' &&
    shape.of.kind === 'structure' &&
    shape.of.structure.name === 'Nothing'
  )
}

describe.each(whole.map(([name]) => name))('%s', (action) => {
  it('is read whole by the SDK', async () => {
    const output = fullValue(action, 'output')
    expect(await throughSdk(action, output)).toEqual(typeof output === 'object' ? output : {})
  })

  it('is read by the SDK as it was, whatever is in it', async () => {
    await fc.assert(
      fc.asyncProperty(anyValue(action, 'output'), async (output) => {
        expect(await throughSdk(action, output)).toEqual(output)
      }),
      { numRuns: 15 },
    )
  })
})

/** The same value, its members the other way round. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed)
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Date || value instanceof Uint8Array) return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, content]) => [name, reversed(content)]),
  )
}

describe('the order of members', () => {
  // On the old code it was that of our views: a client that read the first state of StopInstances
  // believed that nothing had happened. An action that always answers an empty list knows no
  // members of its items.
  const samples = Object.entries(DOCUMENTED_ANSWERS).filter(
    ([action]) => !alwaysEmptyActions.some(({ name }) => name === action),
  )

  it.each(samples)('of %s is the documented one', async (action, text) => {
    const sample = text.replaceAll(/\s*\n\s*/g, '')
    const { output } = await exchange(
      action,
      {},
      `<${action}Response>${sample}</${action}Response>`,
    )
    const xml = await encode(known(actions.get(action)), 'r', reversed(output) as object)
    expect(xml).toContain(`<requestId>r</requestId>${sample}</${action}Response>`)
  })

  it('does not depend on the view, in any action', async () => {
    for (const [name, action] of whole) {
      const output = fullValue(name, 'output')
      expect(await encode(action, 'r', reversed(output) as object), name).toBe(
        await encode(action, 'r', output),
      )
    }
  })
})

const describeTags = known(actions.get('DescribeTags'))
const createTags = known(actions.get('CreateTags'))
const getCallerIdentity = known(actions.get('GetCallerIdentity'))

describe('an answer', () => {
  it('of EC2 has the request id first and the members directly inside', async () => {
    expect(await encode(describeTags, 'r-1', { Tags: [], NextToken: 'n' })).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n<DescribeTagsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">' +
        '<requestId>r-1</requestId><tagSet/><nextToken>n</nextToken></DescribeTagsResponse>',
    )
  })

  it('of an action without output says that it was done', async () => {
    expect(await encode(createTags, 'r-1', {})).toContain(
      '<requestId>r-1</requestId><return>true</return>',
    )
  })

  it('of STS is wrapped', async () => {
    expect(await encode(getCallerIdentity, 'r-1', { Account: '000000000001' })).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">' +
        '<GetCallerIdentityResult><Account>000000000001</Account></GetCallerIdentityResult>' +
        '<ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata></GetCallerIdentityResponse>',
    )
  })

  it('leaves out what is absent', async () => {
    expect(await encode(describeTags, 'r', { Tags: undefined, NextToken: null })).toContain(
      '<requestId>r</requestId></DescribeTagsResponse>',
    )
  })

  it('takes a time as a record has it', async () => {
    const describeKeyPairs = known(actions.get('DescribeKeyPairs'))
    const output = { KeyPairs: [{ CreateTime: '2026-11-22T08:33:27.000Z' }] }
    expect(await encode(describeKeyPairs, 'r', output)).toContain(
      '<createTime>2026-11-22T08:33:27.000Z</createTime>',
    )
  })

  it.each([
    ['a member that EC2 does not have', { Tagss: [] }, 'DescribeTags.Tagss'],
    ['no list', { Tags: {} }, 'DescribeTags.Tags'],
    ['no structure', { Tags: ['a'] }, 'DescribeTags.Tags'],
    ['no string', { Tags: [{ Key: 1 }] }, 'DescribeTags.Tags.Key'],
  ])('with %s is a bug', async (_what, output, path) => {
    await expect(encode(describeTags, 'r', output)).rejects.toMatchObject({
      kind: 'bug',
      detail: { path },
    })
  })

  it('carries what XML cannot as U+FFFD', async () => {
    const xml = await encode(describeTags, 'r', { NextToken: 'a\u0000\u001b\ud800\uffffb' })
    expect(xml).toContain('<nextToken>a\ufffd\ufffd\ufffd\ufffdb</nextToken>')
  })
})

it('that is too long is refused by name', async () => {
  const Tags = Array.from({ length: 1000 }, (_, n) => ({ Key: `${n}`.padStart(100, 'k') }))
  const budget = { ...newBudget(), answerBytes: 64 * 1024 }
  await expect(encodeAnswer(describeTags, 'r', { Tags }, budget)).rejects.toMatchObject({
    code: 'ResponseTooLarge',
  })
})

describe('an error', () => {
  const error = { status: 400, code: 'InvalidAction', message: 'a < b & c' }

  it('has the form of EC2', () => {
    expect(encodeError(EC2_MODEL, error, 'r-1')).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error><Code>InvalidAction</Code>' +
        '<Message>a &lt; b &amp; c</Message></Error></Errors><RequestID>r-1</RequestID></Response>',
    )
  })

  it.each([
    [400, 'Sender'],
    [503, 'Receiver'],
  ])('has the form of STS, at %i by the %s', (status, type) => {
    expect(encodeError(STS_MODEL, { ...error, status }, 'r-1')).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>\n<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">' +
        `<Error><Type>${type}</Type><Code>InvalidAction</Code><Message>a &lt; b &amp; c</Message></Error>` +
        '<RequestId>r-1</RequestId></ErrorResponse>',
    )
  })
})
