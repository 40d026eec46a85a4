/**
 * Parameters in JSON: what the SDK would send arrives as the Query protocol would bring it, and
 * nothing else is taken.
 */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { EC2_MODEL } from '../../../../src/api/generated/ec2.ts'
import { decodeJson, encodeJson } from '../../../../src/api/wire/json.ts'
import { linkModel } from '../../../../src/api/wire/model.ts'
import { AtollError } from '../../../../src/model/errors.ts'
import { known } from '../../../kit/api.ts'
import { newBudget } from '../../../kit/budget.ts'

const actions = linkModel(EC2_MODEL)
const input = known(actions.get('RunInstances')).input
const keyInput = known(actions.get('ImportKeyPair')).input

it('takes what the SDK calls its parameters', () => {
  const parameters = {
    ImageId: 'ami-12345678',
    MinCount: 1,
    DryRun: false,
    SecurityGroupIds: ['sg-12345678'],
    TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'Name', Value: '' }] }],
    UserData: 'aGVsbG8=',
  }
  expect(decodeJson(input, parameters)).toEqual(parameters)
})

it('takes null for absent, and times as dates', () => {
  const market = { InstanceMarketOptions: { SpotOptions: { ValidUntil: '2026-11-22T08:33:27Z' } } }
  const date = new Date('2026-11-22T08:33:27Z')
  expect(decodeJson(input, market)).toEqual({
    InstanceMarketOptions: { SpotOptions: { ValidUntil: date } },
  })
  expect(decodeJson(input, { ImageId: null })).toEqual({})
})

it.each<[string, object, string, RegExp]>([
  ['an unknown member', { Nothing: 1 }, 'UnknownParameter', /Nothing/],
  ['a member of the prototype', { constructor: 1 }, 'UnknownParameter', /constructor/],
  ['a number for a text', { ImageId: 1 }, 'InvalidParameterValue', /ImageId/],
  ['a text for a number', { MinCount: '1' }, 'InvalidParameterValue', /MinCount/],
  ['a number beyond precision', { MinCount: 2 ** 60 }, 'InvalidParameterValue', /MinCount/],
  ['a text for a truth', { DryRun: 'true' }, 'InvalidParameterValue', /DryRun/],
  ['one for a list', { SecurityGroupIds: 'sg-1' }, 'InvalidParameterValue', /SecurityGroupIds/],
  ['null in a list', { SecurityGroupIds: [null] }, 'InvalidParameterValue', /SecurityGroupIds.1/],
  ['a list for an object', { Placement: [] }, 'InvalidParameterValue', /Placement/],
  ['control characters', { ImageId: 'a\u0000' }, 'InvalidParameterValue', /ImageId/],
  ['a long text', { ImageId: 'x'.repeat(65_537) }, 'InvalidParameterValue', /longer/],
  ['a long list', { SecurityGroupIds: Array(5_000).fill('') }, 'InvalidParameterValue', /items/],
])('refuses %s', (_name, parameters, code, message) => {
  const decode = () => decodeJson(input, { ...parameters })
  expect(decode).toThrow(message)
  expect(decode).toThrow(expect.objectContaining({ kind: 'refused', code }))
})

it('takes base64 for bytes, and leaves it as it is', () => {
  const key = { PublicKeyMaterial: 'aGVsbG8=' }
  expect(decodeJson(keyInput, key)).toEqual(key)
  expect(() => decodeJson(keyInput, { PublicKeyMaterial: '*' })).toThrow(/base64/)
})

it('takes or refuses anything, and never fails otherwise', () => {
  const names = fc.constantFrom(...input.byMember.keys())
  fc.assert(
    fc.property(fc.dictionary(names, fc.jsonValue({ maxDepth: 5 })), (parameters) => {
      try {
        decodeJson(input, parameters)
      } catch (error) {
        expect(error).toBeInstanceOf(AtollError)
        expect(error).toHaveProperty('kind', 'refused')
      }
    }),
  )
})

it('leaves out of an answer what is not there, and writes times in ISO 8601', async () => {
  const output = { A: null, B: undefined, C: new Date(0), D: [{ E: null, F: 'x' }] }
  expect(await encodeJson(output, newBudget())).toBe(
    '{"C":"1970-01-01T00:00:00.000Z","D":[{"F":"x"}]}',
  )
})
