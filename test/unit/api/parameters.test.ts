import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { dryRun, parseInput } from '../../../src/api/parameters.ts'

const schema = z.strictObject({
  ImageId: z.string(),
  MaxCount: z.int().min(1).max(10).default(1),
  Filters: z.array(z.strictObject({ Name: z.string(), Values: z.array(z.string()) })).optional(),
  InstanceIds: z
    .array(
      z.string().refine((id) => id.startsWith('i-'), {
        error: 'Invalid id: (expecting "i-...")',
        params: { code: 'InvalidInstanceID.Malformed' },
      }),
    )
    .optional(),
  Note: z
    .string()
    .refine((note) => note !== 'x', { error: 'no x', params: { code: 'toString' } })
    .optional(),
})

describe('parseInput', () => {
  it('gives what the schema makes of the input', () => {
    expect(parseInput(schema, { ImageId: 'ami-1' })).toEqual({ ImageId: 'ami-1', MaxCount: 1 })
  })

  it.each([
    [
      'an absent parameter',
      {},
      'MissingParameter',
      'The request must contain the parameter ImageId',
    ],
    [
      'an absent member',
      { ImageId: 'a', Filters: [{ Name: 'n', Values: [] }, { Values: [] }] },
      'MissingParameter',
      'The request must contain the parameter Filters.2.Name',
    ],
    [
      'too high a number',
      { ImageId: 'a', MaxCount: 11 },
      'InvalidParameterValue',
      /parameter MaxCount is invalid: .*10/,
    ],
    [
      'a fraction',
      { ImageId: 'a', MaxCount: 1.5 },
      'InvalidParameterValue',
      /parameter MaxCount is invalid/,
    ],
    [
      'an unsupported member',
      { ImageId: 'a', Filters: [{ Name: 'n', Values: [], More: 1 }] },
      'UnsupportedOperation',
      'The parameter Filters.1.More is not supported; leave it out',
    ],
    [
      'an unsupported parameter before the absent one that it stands for',
      { ImageUrl: 'a' },
      'UnsupportedOperation',
      'The parameter ImageUrl is not supported; leave it out',
    ],
    [
      'what the schema has a code for',
      { ImageId: 'a', InstanceIds: ['i-1', 'x'] },
      'InvalidInstanceID.Malformed',
      'Invalid id: (expecting "i-...")',
    ],
    [
      'what the schema has no true code for',
      { ImageId: 'a', Note: 'x' },
      'InvalidParameterValue',
      /Note.*no x/,
    ],
  ])('refuses %s', (_what, input, code, message) => {
    expect(() => parseInput(schema, input)).toThrow(
      expect.objectContaining({
        kind: 'refused',
        code,
        message: typeof message === 'string' ? message : expect.stringMatching(message),
      }),
    )
  })

  it('refuses what is wrong as a whole without naming a parameter', () => {
    const either = z.object({ A: z.string().optional() }).refine(() => false, 'give A or B')
    expect(() => parseInput(either, { A: 'a' })).toThrow('The parameters are invalid: give A or B')
  })
})

describe('dryRun', () => {
  it('ends the action only when asked to', () => {
    dryRun({ input: {} })
    dryRun({ input: { DryRun: false } })
    expect(() => dryRun({ input: { DryRun: true } })).toThrow(
      expect.objectContaining({
        code: 'DryRunOperation',
        message: 'Request would have succeeded, but DryRun flag is set.',
      }),
    )
  })
})
