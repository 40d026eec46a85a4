/** Tells from its ELF header whether a program needs a dynamic loader (elf(5)). Pure. */

const MAGIC = 0x7f454c46
const CLASS_OFFSET = 4
const CLASS_64 = 2
const DATA_OFFSET = 5
const LITTLE_ENDIAN = 1
const PROGRAM_HEADERS_OFFSET = 32
const PROGRAM_HEADER_SIZE_OFFSET = 54
const PROGRAM_HEADER_COUNT_OFFSET = 56
const HEADER_BYTES = 64
/** p_type of the segment with the loader's name. */
const PT_INTERP = 3

/**
 * True for a 64-bit little-endian ELF program whose program headers are all in `head`, and that
 * names no loader.
 */
export function isStaticElf(head: Buffer): boolean {
  if (head.length < HEADER_BYTES || head.readUInt32BE(0) !== MAGIC) return false
  if (head[CLASS_OFFSET] !== CLASS_64 || head[DATA_OFFSET] !== LITTLE_ENDIAN) return false
  const start = Number(head.readBigUInt64LE(PROGRAM_HEADERS_OFFSET))
  const size = head.readUInt16LE(PROGRAM_HEADER_SIZE_OFFSET)
  const count = head.readUInt16LE(PROGRAM_HEADER_COUNT_OFFSET)
  if (count === 0 || start + size * count > head.length) return false
  for (let index = 0; index < count; index += 1)
    if (head.readUInt32LE(start + size * index) === PT_INTERP) return false
  return true
}
