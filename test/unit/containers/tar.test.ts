import { expect, test } from 'vitest'
import { tarEnd, tarFile } from '../../../src/containers/tar.ts'
import { GIB } from '../../../src/model/sizes.ts'

/** The sum of a header as tar(5) has it: its own place counts as blanks. */
function sumOf(header: Buffer): number {
  const blank = Buffer.from(header)
  blank.fill(' ', 148, 156)
  return blank.reduce((total, byte) => total + byte, 0)
}

test('a file is whole blocks, with its size and a sum that holds', () => {
  const file = tarFile('config.json', Buffer.from('{}'))
  expect(file).toHaveLength(1024)
  expect(file.toString('latin1', 0, 11)).toBe('config.json')
  expect(file.toString('latin1', 124, 135)).toBe('00000000002')
  expect(Number.parseInt(file.toString('latin1', 148, 154), 8)).toBe(sumOf(file.subarray(0, 512)))
  expect(tarFile('full', Buffer.alloc(512))).toHaveLength(1024)
})

test.each([
  [8 * GIB - 1, '77777777777\0'],
  [8 * GIB, '\x80\0\0\0\0\0\0\x02\0\0\0\0'],
])('a size of %d bytes is written as %j', (bytes, expected) => {
  const { head, tail } = tarEnd('layer.tar', bytes)
  expect(head.toString('latin1', 124, 136)).toBe(expected)
  expect((bytes + tail.length) % 512).toBe(0)
  expect(tail.length).toBeGreaterThanOrEqual(1024)
})
