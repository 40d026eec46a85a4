import { crc32, inflateSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { pictureOf } from '../../../../src/api/screen/picture.ts'
import { screenOf } from '../../../../src/api/screen/text-screen.ts'

/** The chunks of a PNG file. Their checksums are checked. */
function chunksOf(png: Buffer): ReadonlyMap<string, Buffer> {
  const chunks = new Map<string, Buffer>()
  for (let at = 8; at < png.length; ) {
    const length = png.readUInt32BE(at)
    const typed = png.subarray(at + 4, at + 8 + length)
    expect(png.readUInt32BE(at + 8 + length)).toBe(crc32(typed))
    chunks.set(typed.subarray(0, 4).toString('latin1'), typed.subarray(4))
    at += 12 + length
  }
  return chunks
}

/** A part of the picture, a `#` for each bright pixel. */
function part(png: Buffer, x: number, y: number, width: number, height: number): string[] {
  const chunks = chunksOf(png)
  const columns = chunks.get('IHDR')?.readUInt32BE(0) ?? 0
  const rowBytes = 1 + columns / 8
  const data = inflateSync(chunks.get('IDAT') ?? Buffer.alloc(0))
  return Array.from({ length: height }, (_row, dy) =>
    Array.from({ length: width }, (_pixel, dx) => {
      const byte = data[(y + dy) * rowBytes + 1 + Math.floor((x + dx) / 8)] ?? 0
      return (byte >> (7 - ((x + dx) % 8))) & 1 ? '#' : '.'
    }).join(''),
  )
}

it('is a PNG file with the characters in their places', () => {
  const png = pictureOf(screenOf('\r\n L'))
  expect(png.subarray(0, 8)).toEqual(Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'))
  const header = chunksOf(png).get('IHDR')
  expect([header?.readUInt32BE(0), header?.readUInt32BE(4)]).toEqual([640, 450])
  expect(part(png, 8, 18, 8, 18)).toEqual([
    '........',
    ...Array.from({ length: 12 }, () => '.#......'),
    ...Array.from({ length: 2 }, () => '.#####..'),
    ...Array.from({ length: 3 }, () => '........'),
  ])
  expect(part(png, 0, 0, 640, 18).join('')).not.toContain('#')
})

it('has a box for a character that it does not know', () => {
  expect(part(pictureOf(screenOf('ß')), 0, 1, 8, 1)).toEqual(['.#####..'])
})
