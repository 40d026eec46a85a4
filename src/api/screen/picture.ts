/**
 * A picture of a text screen: PNG with two colours (https://www.w3.org/TR/png-3/). Pure.
 */
import { crc32, deflateSync } from 'node:zlib'
import { hasDot, SHAPE_HEIGHT, SHAPE_WIDTH } from './glyphs.ts'
import { COLUMNS, LINES } from './text-screen.ts'

/** Pixels of a character. Each dot of its shape is twice as high as it is wide. */
const CELL_WIDTH = 8
const CELL_HEIGHT = 18
const DOT_HEIGHT = 2
const WIDTH = COLUMNS * CELL_WIDTH
const HEIGHT = LINES * CELL_HEIGHT

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
/** One bit for each pixel, grey. */
const FORMAT = [1, 0, 0, 0, 0]

/** The screen as a PNG file, bright on black. */
export function pictureOf(lines: readonly string[]): Buffer {
  const header = Buffer.alloc(8 + FORMAT.length)
  header.writeUInt32BE(WIDTH, 0)
  header.writeUInt32BE(HEIGHT, 4)
  header.set(FORMAT, 8)
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(pixels(lines))),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

/** Rows of pixels, each after a byte that says that it is as it is. */
function pixels(lines: readonly string[]): Buffer {
  const rowBytes = 1 + WIDTH / 8
  const all = Buffer.alloc(HEIGHT * rowBytes)
  for (const [line, text] of lines.entries()) {
    const characters = [...text]
    for (const [column, character] of characters.entries()) {
      if (character === ' ') continue
      for (let y = 0; y < SHAPE_HEIGHT * DOT_HEIGHT; y += 1) {
        const row = line * CELL_HEIGHT + 1 + y
        // A character is one byte wide.
        all[row * rowBytes + 1 + column] = dotsOf(character, Math.floor(y / DOT_HEIGHT))
      }
    }
  }
  return all
}

/** One row of a character: a gap, the dots of its shape, and another gap. */
function dotsOf(character: string, y: number): number {
  let bits = 0
  for (let x = 0; x < SHAPE_WIDTH; x += 1) if (hasDot(character, x, y)) bits |= 0x40 >> x
  return bits
}

function chunk(type: string, data: Buffer): Buffer {
  const typed = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const framed = Buffer.alloc(8 + typed.length)
  framed.writeUInt32BE(data.length, 0)
  framed.set(typed, 4)
  framed.writeUInt32BE(crc32(typed), 4 + typed.length)
  return framed
}
