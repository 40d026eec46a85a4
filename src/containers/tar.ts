/** Writes parts of tar archives (tar(5), POSIX ustar). Pure. */

const BLOCK_BYTES = 512
/** The largest size in eleven octal digits. Larger ones are written in base 256, as by GNU tar. */
const OCTAL_MAX = 8 ** 11
const AT = { mode: 100, user: 108, group: 116, size: 124, time: 136, sum: 148, type: 156 } as const
const MAGIC_AT = 257
const SIZE_BYTES = 12
const PLAIN_FILE = '0'

/** A whole file: header, content and padding. */
export function tarFile(name: string, content: Buffer): Buffer {
  return Buffer.concat([header(name, content.length), content, padding(content.length)])
}

/**
 * What precedes and follows the content of the archive's last file. `tail` also ends the archive.
 */
export function tarEnd(
  name: string,
  bytes: number,
): { readonly head: Buffer; readonly tail: Buffer } {
  const end = Buffer.alloc(2 * BLOCK_BYTES)
  return { head: header(name, bytes), tail: Buffer.concat([padding(bytes), end]) }
}

function padding(bytes: number): Buffer {
  return Buffer.alloc((BLOCK_BYTES - (bytes % BLOCK_BYTES)) % BLOCK_BYTES)
}

function header(name: string, bytes: number): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES)
  const octal = (value: number, at: number, digits: number) =>
    block.write(`${value.toString(8).padStart(digits, '0')}\0`, at, 'latin1')
  block.write(name, 0, AT.mode, 'utf8')
  octal(0o644, AT.mode, 7)
  octal(0, AT.user, 7)
  octal(0, AT.group, 7)
  octal(0, AT.time, 11)
  if (bytes < OCTAL_MAX) octal(bytes, AT.size, 11)
  else {
    block.writeBigUInt64BE(BigInt(bytes), AT.size + SIZE_BYTES - 8)
    block.writeUInt8(0x80, AT.size)
  }
  block.write(PLAIN_FILE, AT.type, 'latin1')
  block.write('ustar\x0000', MAGIC_AT, 'latin1')
  // The checksum is computed with blanks in its own field.
  block.write(' '.repeat(8), AT.sum, 'latin1')
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, AT.sum, 'latin1')
  return block
}
