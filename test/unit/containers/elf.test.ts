/** A program that needs a loader is not taken for one that needs none. */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isStaticElf } from '../../../src/containers/elf.ts'

test('static programs are told from dynamic ones and from garbage', () => {
  expect(isStaticElf(readFileSync('/bin/busybox').subarray(0, 4096))).toBe(true)
  expect(isStaticElf(readFileSync('/bin/ls').subarray(0, 4096))).toBe(false)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 128 }), (bytes) => {
      expect(isStaticElf(Buffer.from(bytes))).toBe(false)
    }),
  )
})
