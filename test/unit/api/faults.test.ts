import { describe, expect, it } from 'vitest'
import { faultOf } from '../../../src/api/faults.ts'
import { AtollError, bug, refused, unavailable } from '../../../src/model/errors.ts'

describe('faultOf', () => {
  it.each([
    [
      'a refusal',
      refused('InvalidVpcID.NotFound', 'no vpc-1'),
      400,
      'InvalidVpcID.NotFound',
      'no vpc-1',
    ],
    [
      'a wait',
      unavailable('no answer from the records', new Error('ECONNREFUSED')),
      503,
      'Unavailable',
      'no answer from the records',
    ],
    [
      'no capacity',
      new AtollError('unavailable', 'InsufficientInstanceCapacity', 'full'),
      500,
      'InsufficientInstanceCapacity',
      'full',
    ],
  ])('shows %s', (_what, error, status, code, message) => {
    expect(faultOf(error)).toMatchObject({ status, code, message })
  })

  it.each([
    bug('the secret is out'),
    new Error('the secret is out'),
    'the secret is out',
    undefined,
  ])('hides a bug', (error) => {
    const fault = faultOf(error)
    expect(fault).toMatchObject({ kind: 'bug', status: 500, code: 'InternalError' })
    expect(fault.message).not.toContain('secret')
  })
})
