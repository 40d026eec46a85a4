/**
 * qcow2 headers: what is accepted, and that nothing that a stranger writes does anything but be
 * refused.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isQcow, parseOverlay, parseQcow2, QCOW2_HEAD_BYTES } from '../../../src/images/qcow2.ts'
import { AtollError } from '../../../src/model/errors.ts'
import { GIB } from '../../../src/model/sizes.ts'

const CLUSTER = 65_536
const FILE_BYTES = 4 * CLUSTER

/**
 * A sound header, as `qemu-img create` writes it, with some bytes written over: [offset, bytes of
 * the number, number].
 */
type Patch = readonly [offset: number, width: 1 | 4 | 8, value: number]

function header(version: 2 | 3, ...patches: readonly Patch[]): Buffer {
  const head = Buffer.alloc(QCOW2_HEAD_BYTES)
  const sound: readonly Patch[] = [
    [0, 4, 0x514649fb],
    [4, 4, version],
    [20, 4, 16],
    [24, 8, GIB],
    [36, 4, 2],
    [40, 8, 3 * CLUSTER],
    [48, 8, CLUSTER],
    [56, 4, 1],
    ...(version === 3 ? ([[96, 4, 4] as const, [100, 4, 112] as const] as const) : []),
  ]
  for (const [offset, width, value] of [...sound, ...patches]) {
    if (width === 8) head.writeBigUInt64BE(BigInt(value), offset)
    else head.writeUIntBE(value, offset, width)
  }
  return head
}

describe("an instance's own disk", () => {
  const backing: readonly Patch[] = [
    [8, 8, 200],
    [16, 4, 20],
    [112, 4, 0xe2792aca],
    [116, 4, 5],
  ]

  test('may name a base, which nothing else may', () => {
    const head = header(3, ...backing)
    expect(parseOverlay(head, FILE_BYTES)).toMatchObject({ virtualBytes: GIB })
    expect(() => parseQcow2(head, FILE_BYTES)).toThrow('backing file')
  })

  test.each<readonly [string, Patch]>([
    ['an external data file', [72, 8, 4]],
    ['an external data file by its name alone', [128, 4, 0x44415441]],
    ['encryption', [32, 4, 2]],
    ['damage', [72, 8, 2]],
  ])('may not have %s', (_what, patch) => {
    expect(() => parseOverlay(header(3, ...backing, patch), FILE_BYTES)).toThrow(AtollError)
  })
})

describe('accepted', () => {
  test.each<readonly [string, 2 | 3, readonly Patch[]]>([
    ['version 2', 2, []],
    ['version 3', 3, []],
    ['a short header', 3, [[100, 4, 104]]],
    [
      'zstd',
      3,
      [
        [72, 8, 8],
        [104, 1, 1],
      ],
    ],
    [
      'subclusters',
      3,
      [
        [72, 8, 16],
        [36, 4, 4],
      ],
    ],
    ['lazy reference counts', 3, [[80, 8, 1]]],
    [
      'a few snapshots',
      3,
      [
        [60, 4, 3],
        [64, 8, 2 * CLUSTER],
      ],
    ],
    [
      'an unknown extension',
      3,
      [
        [112, 4, 0x6803f857],
        [116, 4, 384],
      ],
    ],
    [
      'a disk of one sector',
      3,
      [
        [24, 8, 512],
        [36, 4, 1],
      ],
    ],
  ])('%s', (_what, version, patches) => {
    const parsed = parseQcow2(header(version, ...patches), FILE_BYTES)
    expect(parsed).toMatchObject({ version, clusterBytes: CLUSTER })
    expect([GIB, 512]).toContain(parsed.virtualBytes)
  })
})

describe('refused', () => {
  test.each<readonly [RegExp, 2 | 3, readonly Patch[]]>([
    [/backing file/, 2, [[8, 8, 112]]],
    [
      /backing file/,
      3,
      [
        [8, 8, 112],
        [16, 4, 11],
      ],
    ],
    [/backing file/, 3, [[16, 4, 11]]],
    [
      /format of a backing file/,
      3,
      [
        [112, 4, 0xe2792aca],
        [116, 4, 3],
      ],
    ],
    [
      /format of a backing file/,
      2,
      [
        [72, 4, 0xe2792aca],
        [76, 4, 3],
      ],
    ],
    [/external data file/, 3, [[72, 8, 4]]],
    [/external data file/, 3, [[88, 8, 2]]],
    [
      /external data file/,
      3,
      [
        [112, 4, 0x44415441],
        [116, 4, 11],
      ],
    ],
    [
      /external data file/,
      3,
      [
        [112, 4, 0x6803f857],
        [116, 4, 1],
        [128, 4, 0x44415441],
      ],
    ],
    [/external data file/, 2, [[72, 4, 0x44415441]]],
    [/encrypted/, 2, [[32, 4, 1]]],
    [/encrypted/, 3, [[32, 4, 2]]],
    [
      /encrypted/,
      3,
      [
        [112, 4, 0x0537be77],
        [116, 4, 16],
      ],
    ],
    [/incompatible bits 0x20/, 3, [[72, 8, 32]]],
    [/incompatible bits 0x8000000000000000/, 3, [[72, 8, 2 ** 63]]],
    [/dirty/, 3, [[72, 8, 1]]],
    [/corrupt/, 3, [[72, 8, 2]]],
    [/clusters of 2\^8 /, 3, [[20, 4, 8]]],
    [/clusters of 2\^22 /, 2, [[20, 4, 22]]],
    [/clusters of 2\^4294967295 /, 2, [[20, 4, 0xffffffff]]],
    [
      /subclusters/,
      3,
      [
        [72, 8, 16],
        [20, 4, 13],
      ],
    ],
    [/version 1 /, 2, [[4, 4, 1]]],
    [/version 4 /, 2, [[4, 4, 4]]],
    [/header of 103 bytes/, 3, [[100, 4, 103]]],
    [/header of 107 bytes/, 3, [[100, 4, 107]]],
    [/longer than a cluster/, 3, [[100, 4, 2 * CLUSTER]]],
    [
      /compression of an unknown type \(2\)/,
      3,
      [
        [72, 8, 8],
        [104, 1, 2],
      ],
    ],
    [/compression of an unknown type \(1\)/, 3, [[104, 1, 1]]],
    [/compression of an unknown type \(0\)/, 3, [[72, 8, 8]]],
    [/reference counts of 2\^7/, 3, [[96, 4, 7]]],
    [/of size 0/, 3, [[24, 8, 0]]],
    [/64 TiB/, 3, [[24, 8, 64 * 1024 * GIB + 512]]],
    [/64 TiB/, 3, [[24, 8, 2 ** 64 - 4096]]],
    [/not a multiple of 512/, 3, [[24, 8, GIB + 1]]],
    [/L1 table that is too large/, 3, [[36, 4, 0xffffffff]]],
    [/L1 table that is too small/, 3, [[36, 4, 1]]],
    [/its L1 table is not within/, 3, [[40, 8, 4 * CLUSTER]]],
    [/its L1 table is not within/, 3, [[40, 8, 3 * CLUSTER + 8]]],
    [/its L1 table is not within/, 3, [[40, 8, 0]]],
    [/its L1 table is not within/, 3, [[40, 8, 2 ** 64 - CLUSTER]]],
    [/its reference count table is not within/, 3, [[48, 8, 9 * CLUSTER]]],
    [/its reference count table is not within/, 3, [[56, 4, 4]]],
    [/reference count table that is too large/, 3, [[56, 4, 0]]],
    [/reference count table that is too large/, 3, [[56, 4, 0xffffffff]]],
    [/65536 snapshots/, 3, [[60, 4, 65_536]]],
    [/its snapshot table is not within/, 3, [[60, 4, 1]]],
    [
      /extension that is longer/,
      3,
      [
        [112, 4, 1],
        [116, 4, 0xffffffff],
      ],
    ],
    [
      /extension that is longer/,
      3,
      [
        [112, 4, 1],
        [116, 4, CLUSTER],
      ],
    ],
  ])('%s of version %d: %j', (message, version, patches) => {
    expect(() => parseQcow2(header(version, ...patches), FILE_BYTES)).toThrow(message)
  })

  test('too many extensions', () => {
    const many = Array.from({ length: 100 }, (_, n): Patch => [112 + 8 * n, 4, 1])
    expect(() => parseQcow2(header(3, ...many), FILE_BYTES)).toThrow(/too many/)
  })

  test('extensions that go on past what is read of the file', () => {
    const patches: readonly Patch[] = [
      [20, 4, 21],
      [40, 8, 3 * 2 ** 21],
      [48, 8, 2 ** 21],
      [112, 4, 1],
      [116, 4, QCOW2_HEAD_BYTES],
    ]
    expect(() => parseQcow2(header(3, ...patches), 8 * 2 ** 21)).toThrow(/not complete/)
  })
})

test('a header that is cut off anywhere is refused', () => {
  const whole = header(3)
  for (let bytes = 4; bytes < 120; bytes += 1)
    expect(() => parseQcow2(whole.subarray(0, bytes), FILE_BYTES), `${bytes}`).toThrow(AtollError)
})

/** A sound header with some of its fields made up, so that each check is passed by some. */
const patched = fc
  .tuple(
    fc.constantFrom<2 | 3>(2, 3),
    fc.array(
      fc.tuple(
        fc.integer({ min: 1, max: 40 }).map((n) => n * 4),
        fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 64 }), fc.nat(0xffffffff)),
      ),
      { maxLength: 5 },
    ),
    fc.nat(QCOW2_HEAD_BYTES),
  )
  .map(([version, changes, bytes]) =>
    header(version, ...changes.map(([at, value]): Patch => [at, 4, value])).subarray(0, bytes),
  )
const noise = fc
  .uint8Array({ maxLength: 256 })
  .map((bytes) => Buffer.concat([Buffer.from([0x51, 0x46, 0x49, 0xfb]), bytes]))

test('any header is accepted within the limits or refused, and nothing else', () => {
  const outcomes = { accepted: 0, refused: 0 }
  fc.assert(
    fc.property(fc.oneof(patched, noise), fc.nat(8 * CLUSTER), (head, fileBytes) => {
      try {
        const { virtualBytes, clusterBytes } = parseQcow2(head, fileBytes)
        expect(virtualBytes % 512).toBe(0)
        expect(virtualBytes).toBeGreaterThan(0)
        expect(virtualBytes).toBeLessThanOrEqual(64 * 1024 * GIB)
        expect(clusterBytes).toBeLessThanOrEqual(2 ** 21)
        // What it is accepted for stands in it, whatever else does.
        expect(isQcow(head)).toBe(true)
        expect(head.readBigUInt64BE(8)).toBe(0n)
        expect(head.readUInt32BE(32)).toBe(0)
        outcomes.accepted += 1
      } catch (error) {
        if (!(error instanceof AtollError)) throw error
        expect(error.kind).toBe('refused')
        outcomes.refused += 1
      }
    }),
    { numRuns: 3_000 },
  )
  // Neither answer is the only one.
  expect(outcomes.accepted).toBeGreaterThan(50)
  expect(outcomes.refused).toBeGreaterThan(50)
})
