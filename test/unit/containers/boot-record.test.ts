import { describe, expect, test } from 'vitest'
import { bootOf } from '../../../src/containers/boot-record.ts'

describe('boot records', () => {
  test('tell the announced start from the one before', () => {
    const record = { bootCount: 3, startedBefore: 'a' }
    expect(bootOf(record, 'a')).toBe(2)
    expect(bootOf(record, 'b')).toBe(3)
    expect(bootOf(null, 'b')).toBeNull()
  })
})
