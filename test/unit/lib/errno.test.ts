import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { codeOf, errnoOf, hasCode } from '../../../src/lib/errno.ts'

function thrownBy(work: () => unknown): unknown {
  try {
    return work()
  } catch (error) {
    return error
  }
}

it('returns the codes of errors, and nothing of anything else', () => {
  const absent = thrownBy(() => readFileSync('/does/not/exist'))
  const foreign = Object.assign(new Error('x'), { code: 'ERR_FOREIGN' })
  expect([codeOf(absent), errnoOf(absent)]).toEqual(['ENOENT', 'ENOENT'])
  expect([codeOf(foreign), errnoOf(foreign)]).toEqual(['ERR_FOREIGN', undefined])
  expect(hasCode(absent, 'EACCES', 'ENOENT')).toBe(true)
  expect(hasCode(absent, 'EACCES')).toBe(false)
  for (const none of [undefined, null, 'ENOENT', { code: 'ENOENT' }, new Error('ENOENT')])
    expect([codeOf(none), errnoOf(none), hasCode(none, 'ENOENT')]).toEqual([
      undefined,
      undefined,
      false,
    ])
  // MySQL's numbers are no codes.
  expect(codeOf(Object.assign(new Error('x'), { code: 1213 }))).toBe(undefined)
})
