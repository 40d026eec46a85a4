/**
 * Malformed inputs for parsers: valid ones, changed in the ways that parsers get wrong. The same
 * seed gives the same ones.
 */

/** Numbers that follow from a seed. */
export interface Chance {
  /** From 0 up to `limit`, whole. */
  below(limit: number): number
  /** One of a list that is not empty. */
  pick<T>(from: readonly T[]): T
}

/** Mulberry32. */
export function chanceOf(seed: number): Chance {
  let state = seed >>> 0
  const below = (limit: number): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit)
  }
  return {
    below,
    pick: (from) => from[below(from.length)] as (typeof from)[number],
  }
}

/** The seed of this run, for the next: `ATOLL_SEED`, or one of the clock. */
export function seedOfRun(): number {
  const given = process.env['ATOLL_SEED']
  return given === undefined ? Date.now() % 2 ** 31 : Number(given)
}

/** Bytes that stand for limits in most formats, and those that structure text. */
const BOUNDARY_BYTES = [
  0,
  1,
  0x7f,
  0x80,
  0xc0,
  0xfe,
  0xff,
  ...Buffer.from('[]{}",:\\.%&=*?/<>\r\n \t'),
]
const LENGTH_LIMIT = 16 * 1024

type Change = (bytes: Buffer, chance: Chance) => Buffer

const CHANGES: readonly Change[] = [
  (bytes, { below }) => withByte(bytes, below, (byte) => byte ^ (1 << below(8))),
  (bytes, { below, pick }) => withByte(bytes, below, () => pick(BOUNDARY_BYTES)),
  (bytes, { below }) => bytes.subarray(0, below(bytes.length + 1)),
  (bytes, { below }) => bytes.subarray(below(bytes.length + 1)),
  (bytes, { below }) => {
    const at = below(bytes.length + 1)
    return Buffer.concat([bytes.subarray(0, at), noise(below, below(40)), bytes.subarray(at)])
  },
  (bytes, { below }) => {
    const from = below(bytes.length + 1)
    const piece = bytes.subarray(from, from + below(64))
    return Buffer.concat([bytes, ...Array.from({ length: 1 + below(20) }, () => piece)])
  },
  (bytes, { below, pick }) =>
    Buffer.concat([bytes, Buffer.alloc(below(4_000), pick(BOUNDARY_BYTES))]),
  (_bytes, { below }) => noise(below, below(600)),
  (bytes, { below }) => {
    if (bytes.length < 4) return bytes
    const changed = Buffer.from(bytes)
    changed.writeUInt32BE(below(2) === 0 ? 0xffffffff : below(2 ** 32), below(bytes.length - 3))
    return changed
  },
]

/** What becomes of some bytes by one to five changes. */
export function mutate(bytes: Buffer, chance: Chance): Buffer {
  let changed = bytes
  for (let count = 1 + chance.below(5); count > 0; count -= 1)
    changed = chance.pick(CHANGES)(changed, chance).subarray(0, LENGTH_LIMIT)
  return changed
}

function withByte(bytes: Buffer, below: Chance['below'], become: (byte: number) => number): Buffer {
  if (bytes.length === 0) return bytes
  const changed = Buffer.from(bytes)
  const at = below(bytes.length)
  changed[at] = become(changed[at] ?? 0)
  return changed
}

function noise(below: Chance['below'], length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => below(256)))
}
