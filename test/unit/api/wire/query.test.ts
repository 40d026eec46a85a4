import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EC2_MODEL } from '../../../../src/api/generated/ec2.ts'
import { IAM_MODEL } from '../../../../src/api/generated/iam.ts'
import { STS_MODEL } from '../../../../src/api/generated/sts.ts'
import { linkModel } from '../../../../src/api/wire/model.ts'
import {
  decodeInput,
  MAX_LIST_INDEX,
  MAX_NAME_LENGTH,
  MAX_PARAMETERS,
  MAX_VALUE_LENGTH,
  parseForm,
} from '../../../../src/api/wire/query.ts'
import { AtollError } from '../../../../src/model/errors.ts'
import { known } from '../../../kit/api.ts'
import { anyValue, fullValue, signedBySdk } from '../../../kit/sdk.ts'

const actions = new Map([EC2_MODEL, IAM_MODEL, STS_MODEL].flatMap((model) => [...linkModel(model)]))

function decode(action: string, form: string): unknown {
  return decodeInput(known(actions.get(action)).input, parseForm(form))
}

async function throughSdk(action: string, input: object): Promise<unknown> {
  const { body } = await signedBySdk(action, input)
  return decode(action, Buffer.from(body).toString())
}

/** What the SDK leaves out, and bytes as the wire has them. */
function asSent(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (value instanceof Date || typeof value !== 'object' || value === null) return value
  const absent = (item: unknown): boolean =>
    typeof item === 'object' &&
    item !== null &&
    !(item instanceof Date) &&
    Object.keys(item).length === 0
  if (Array.isArray(value)) return value.map(asSent).filter((item) => !absent(item))
  const entries = Object.entries(value).map(([name, item]) => [name, asSent(item)] as const)
  return Object.fromEntries(entries.filter(([, item]) => !absent(item)))
}

describe.each([...actions.keys()])('%s', (action) => {
  it('is decoded whole as the SDK sends it', async () => {
    const input = fullValue(action, 'input')
    expect(await throughSdk(action, input)).toEqual(asSent(input))
  })

  it('is decoded as the SDK sends it, whatever is in it', async () => {
    await fc.assert(
      fc.asyncProperty(anyValue(action, 'input'), async (input) => {
        expect(await throughSdk(action, input)).toEqual(asSent(input))
      }),
      { numRuns: 15 },
    )
  })
})

describe('a form', () => {
  it.each([
    ['spaces as + and as %20', 'Name=a+b%20c', [{ name: 'Name', value: 'a b c' }]],
    ['an encoded plus', 'Name=a%2Bb', [{ name: 'Name', value: 'a+b' }]],
    ['UTF-8', 'Name=%C3%A4', [{ name: 'Name', value: 'ä' }]],
    ['= in a value', 'Name=a=b', [{ name: 'Name', value: 'a=b' }]],
    ['no value', 'Name', [{ name: 'Name', value: '' }]],
    ['nothing between ampersands', '&&Name=1&', [{ name: 'Name', value: '1' }]],
    ['nothing', '', []],
  ])('may have %s', (_what, form, expected) => {
    expect(parseForm(form)).toEqual(expected)
  })

  it.each([
    ['a broken percent sequence', 'Name=%zz', 'MalformedQueryString'],
    ['bytes that are not UTF-8', 'Name=%ff', 'MalformedQueryString'],
    ['too many parameters', 'a&'.repeat(MAX_PARAMETERS + 1), 'InvalidRequest'],
    ['too long a name', 'a'.repeat(MAX_NAME_LENGTH + 1), 'InvalidRequest'],
    ['too long a value', `a=${'a'.repeat(MAX_VALUE_LENGTH + 1)}`, 'InvalidParameterValue'],
  ])('with %s is refused', (_what, form, code) => {
    expect(() => parseForm(form)).toThrow(expect.objectContaining({ code }))
  })

  it('never ends in anything but parameters or a refusal', () => {
    const anyForm = fc.string({
      unit: fc.constantFrom(...'&=%+.0123456789abAB\u0000ä', 'InstanceId', 'Filter.1.'),
    })
    fc.assert(
      fc.property(anyForm, (form) => {
        try {
          decode('DescribeInstances', form)
        } catch (error) {
          expect(error).toBeInstanceOf(AtollError)
          expect(error).toHaveProperty('kind', 'refused')
        }
      }),
      { numRuns: 2000 },
    )
  })
})

it('parameters of signatures, as AWS SDK for Ruby v1 sends them, are no input', () => {
  const form = 'InstanceId.1=a&Timestamp=2026-11-29T19%3A00%3A00Z&X-Amz-Security-Token=t'
  expect(decode('DescribeInstances', form)).toEqual({ InstanceIds: ['a'] })
  expect(() => decode('DescribeInstances', 'Timestamps=x')).toThrow('Timestamps')
})

describe('lists', () => {
  it('are in the order of their numbers, whatever the order sent, with gaps closed', () => {
    expect(decode('DescribeInstances', 'InstanceId.10=c&InstanceId.2=b&InstanceId.1=a')).toEqual({
      InstanceIds: ['a', 'b', 'c'],
    })
  })

  // On the old code each of these but the first was refused (fog and libcloud number from 0), and
  // so were their relatives.
  it.each([
    ['numbered from 1', 'InstanceId.1=a&InstanceId.2=b', ['a', 'b']],
    ['numbered from 0', 'InstanceId.0=a&InstanceId.1=b', ['a', 'b']],
    ['one item without a number', 'InstanceId=a', ['a']],
    ['several without a number', 'InstanceId=a&InstanceId=b', ['a', 'b']],
    ['some without a number', 'InstanceId.1=b&InstanceId=a', ['a', 'b']],
    ['numbered as in other services', 'InstanceId.member.1=a&InstanceId.member.2=b', ['a', 'b']],
    ['numbered in percent encoding', 'InstanceId%2E1=a&%49nstanceId.2=b', ['a', 'b']],
  ])('may be %s', (_what, form, InstanceIds) => {
    expect(decode('DescribeInstances', form)).toEqual({ InstanceIds })
  })

  const filters = [{ Name: 'n', Values: ['v', 'w'] }]
  it.each([
    ['from 0 at both levels', 'Filter.0.Name=n&Filter.0.Value.0=v&Filter.0.Value.1=w'],
    ['at one level only', 'Filter.Name=n&Filter.Value.1=v&Filter.Value.2=w'],
    ['at the outer level only', 'Filter.1.Name=n&Filter.1.Value=v&Filter.1.Value=w'],
    ['at no level', 'Filter.Name=n&Filter.Value=v&Filter.Value=w'],
    [
      'as in other services',
      'Filter.member.1.Name=n&Filter.member.1.Value.member.1=v&Filter.1.Value.2=w',
    ],
    ['with gaps', 'Filter.7.Value.9=w&Filter.7.Name=n&Filter.7.Value.3=v'],
  ])('of structures may be numbered %s', (_what, form) => {
    expect(decode('DescribeInstances', form)).toEqual({ Filters: filters })
  })

  it('of structures may hold one without a number beside others', () => {
    const form = 'Filter.1.Name=b&Filter.1.Value.1=c&Filter.Name=a&Filter.Value=d'
    expect(decode('DescribeInstances', form)).toEqual({
      Filters: [
        { Name: 'a', Values: ['d'] },
        { Name: 'b', Values: ['c'] },
      ],
    })
  })

  it.each([
    'InstanceId.=a',
    'InstanceId.1.=a',
    '.InstanceId.1=a',
    'InstanceId.member=a',
    'InstanceId..1=a',
    'InstanceId.1.1=a',
    'Filter.Name.1=a',
    'Filter.1.member=a',
    'Filter.1.1.Name=a',
    'Filter.1.Foo=a',
  ])('do not take %s', (form) => {
    expect(() => decode('DescribeInstances', form)).toThrow(
      expect.objectContaining({ code: 'UnknownParameter' }),
    )
  })

  it.each([
    'InstanceId.1=a&InstanceId.1=b',
    'InstanceId.0=a&InstanceId.0=b',
    'Filter.Name=a&Filter.Name=b',
  ])('take no item twice: %s', (form) => {
    expect(() => decode('DescribeInstances', form)).toThrow(/more than once/)
  })

  it.each(['01', '-1', '1.5', 'x', '', String(MAX_LIST_INDEX + 1), '9'.repeat(40)])(
    'have no item %s',
    (index) => {
      expect(() => decode('DescribeInstances', `InstanceId.${index}=a`)).toThrow(AtollError)
    },
  )
})

describe('a boolean', () => {
  it.each([
    ['true', true],
    ['True', true],
    ['TRUE', true],
    ['1', true],
    ['false', false],
    ['False', false],
    ['0', false],
  ])('may be %s', (text, DryRun) => {
    expect(decode('DescribeInstances', `DryRun=${text}`)).toEqual({ DryRun })
  })

  it.each(['yes', '2', '01', 'true ', 't'])('is not %s', (text) => {
    expect(() => decode('DescribeInstances', `DryRun=${text}`)).toThrow(/DryRun/)
  })
})

describe('base64', () => {
  const folded = [
    'YWJjZGVm%0AZ2hpag%3D%3D',
    '%0D%0AYWJj%0D%0A%20ZGVm%0D%0A%0D%0AZ2hpag==%0D%0A',
    'YWJjZGVmZ2hpag==+',
  ]
  it.each(folded)('may be folded: %s', (text) => {
    expect(decode('ImportKeyPair', `PublicKeyMaterial=${text}`)).toEqual({
      PublicKeyMaterial: 'YWJjZGVmZ2hpag==',
    })
    expect(decode('ModifyInstanceAttribute', `UserData.Value=${text}`)).toEqual({
      UserData: { Value: 'YWJjZGVmZ2hpag==' },
    })
  })
})

describe('an empty value', () => {
  it.each([
    ['is absent', 'RunInstances', 'SubnetId=&ImageId=ami-1', { ImageId: 'ami-1' }],
    ['makes its structure absent', 'RunInstances', 'IamInstanceProfile.Name=', {}],
    ['of a number is absent', 'RunInstances', 'MinCount=&Placement.AvailabilityZone=', {}],
    ['of a whole list is absent', 'DescribeInstances', 'InstanceId=', {}],
    [
      'of a tag is its value',
      'CreateTags',
      'Tag.1.Key=a&Tag.1.Value=',
      { Tags: [{ Key: 'a', Value: '' }] },
    ],
    [
      'of a list item is seen by the action',
      'DescribeInstances',
      'InstanceId.1=',
      { InstanceIds: [''] },
    ],
    [
      'of the description says that there is none',
      'CopyImage',
      'Description=',
      { Description: '' },
    ],
    [
      'of the description of a part is absent',
      'RunInstances',
      'NetworkInterface.1.Description=',
      { NetworkInterfaces: [{}] },
    ],
    [
      'of a device takes it out',
      'RunInstances',
      'BlockDeviceMapping.1.NoDevice=',
      { BlockDeviceMappings: [{ NoDevice: '' }] },
    ],
  ])('%s', (_what, action, form, expected) => {
    expect(decode(action, form)).toEqual(expected)
  })
})

describe('refused, naming the parameter,', () => {
  it.each([
    ['an unknown parameter', 'Foo=1', 'UnknownParameter', 'Foo'],
    ['an unknown member', 'Placement.Foo=1', 'UnknownParameter', 'Placement.Foo'],
    ['a member of a plain value', 'ImageId.1=1', 'UnknownParameter', 'ImageId.1'],
    ['an answer member', 'InstancesSet=1', 'UnknownParameter', 'InstancesSet'],
    ['an object method', 'constructor=1', 'UnknownParameter', 'constructor'],
    ['a prototype', '__proto__.x=1', 'UnknownParameter', '__proto__.x'],
    ['a member too deep', `A${'.1'.repeat(20)}=1`, 'UnknownParameter', 'A.1.1'],
    ['a parameter given twice', 'ImageId=a&ImageId=b', 'InvalidParameterValue', 'ImageId'],
    [
      'a list of structures without member',
      'BlockDeviceMapping=a',
      'InvalidParameterValue',
      'BlockDeviceMapping.1.',
    ],
    [
      'a structure of a list without member',
      'BlockDeviceMapping.1=a',
      'InvalidParameterValue',
      'BlockDeviceMapping.1.',
    ],
    ['a structure without member', 'Placement=a', 'InvalidParameterValue', 'Placement'],
    ['words for a number', 'MinCount=many', 'InvalidParameterValue', 'MinCount'],
    ['too large a number', 'MinCount=9007199254740993', 'InvalidParameterValue', 'MinCount'],
    ['infinity', 'MinCount=1e999', 'InvalidParameterValue', 'MinCount'],
    ['a hexadecimal number', 'MinCount=0x10', 'InvalidParameterValue', 'MinCount'],
    ['maybe', 'DryRun=maybe', 'InvalidParameterValue', 'DryRun'],
    ['control characters', 'ImageId=%00', 'InvalidParameterValue', 'ImageId'],
  ])('%s', (_what, form, code, named) => {
    expect(() => decode('RunInstances', form)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(named) }),
    )
  })

  it('base64 that is none', () => {
    for (const text of ['a', 'a===', '!!!!', 'YQ=a', 'YQ ==', 'YQ+A+A', 'YQ%0A=', 'YQ==%0AYQ==']) {
      expect(() => decode('ImportKeyPair', `PublicKeyMaterial=${text}`)).toThrow(
        /PublicKeyMaterial.*base64/,
      )
    }
  })

  it.each(['now', '2026-13-01T00:00:00Z', '2026-01-01', '1234567890'])('the time %s', (text) => {
    expect(() =>
      decode('RunInstances', `InstanceMarketOptions.SpotOptions.ValidUntil=${text}`),
    ).toThrow(/ValidUntil/)
  })
})
