/** What is printed of an error: short where the world failed, everything where we may have. */
import { describe, expect, it } from 'vitest'
import { describeError } from '../../../src/lib/log.ts'
import { bug, unavailable } from '../../../src/model/errors.ts'

function systemError(code: string): Error {
  return Object.assign(new Error(`connect ${code} /run/docker.sock`), { code })
}

describe('an error in the log', () => {
  it('of the world is its messages and codes, without stacks', () => {
    const error = unavailable('cannot list the containers', systemError('ENOENT'))
    expect(describeError(error)).toEqual({
      kind: 'unavailable',
      code: 'Unavailable',
      message: 'cannot list the containers',
      causes: ['ENOENT: connect ENOENT /run/docker.sock'],
    })
  })

  it('names the members of an aggregate, up to a limit', () => {
    const many = Array.from({ length: 100 }, (_, index) => systemError(`E${index}`))
    const told = describeError(unavailable('100 links', new AggregateError(many, 'many')))
    expect(told).toMatchObject({
      causes: expect.arrayContaining(['many', expect.stringContaining('E3')]),
    })
    expect((told as { causes: unknown[] }).causes).toHaveLength(10)
  })

  it.each([
    ['a bug', bug('an invariant does not hold')],
    [
      'a mistake of ours',
      Object.assign(new TypeError('not a string'), { code: 'ERR_INVALID_ARG_TYPE' }),
    ],
    [
      'a mistake of ours behind an engine',
      unavailable('cannot read', new TypeError('x is undefined')),
    ],
    ['an error that nobody classified', new Error('who knows')],
  ])('that is %s keeps its stack', (_what, error) => {
    expect(describeError(error)).toMatchObject({ stack: expect.stringContaining('log.test.ts') })
  })

  it('that goes round in a circle ends', () => {
    const error = systemError('EIO')
    error.cause = error
    expect(describeError(error)).toMatchObject({ causes: expect.any(Array) })
  })

  it('that is no error at all is printed as it is', () => {
    expect(describeError('thrown')).toBe('thrown')
  })
})
