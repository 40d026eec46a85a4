import { expect, test } from 'vitest'
import { excessOf } from '../../../src/containers/disk.ts'

const GIB = 1024 ** 3

test('a container may write what its type allows, and make as many files as fit', () => {
  expect(excessOf({ bytes: 8 * GIB, files: 524_288 }, 8)).toBeNull()
  expect(excessOf({ bytes: 8 * GIB + 1, files: 1 }, 8)).toBe(
    'it has written 9 GiB; its limit is 8 GiB and 524288 files, by its type',
  )
  expect(excessOf({ bytes: 0, files: 524_289 }, 8)).toContain('it has made 524289 files')
})
