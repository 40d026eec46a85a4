import { describe, expect, it } from 'vitest'
import { problemOfLever, TTL_TAG } from '../../../src/model/lever.ts'
import { endOfTtl, parseTtl } from '../../../src/model/ttl.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

describe('a time to live', () => {
  it.each([
    ['1m', MINUTE],
    ['90m', 90 * MINUTE],
    ['8h', 8 * HOUR],
    ['3d', 3 * DAY],
    ['2w', 14 * DAY],
    ['1d12h', 36 * HOUR],
    ['1h30m', 90 * MINUTE],
    ['1w1d1h1m', 8 * DAY + 61 * MINUTE],
    ['0h1m', MINUTE],
    ['007d', 7 * DAY],
    ['3650d', 3650 * DAY],
  ])('%s is a duration', (text, durationMs) => {
    expect(parseTtl(text)).toEqual({ durationMs })
    expect(endOfTtl({ durationMs }, 1000)).toBe(1000 + durationMs)
  })

  it.each([
    ['2026-12-01T18:00:00Z', '2026-12-01T18:00:00.000Z'],
    ['2026-12-01T18:00Z', '2026-12-01T18:00:00.000Z'],
    ['2026-12-01T18:00:00.25Z', '2026-12-01T18:00:00.250Z'],
    ['2026-12-01T18:00+01:00', '2026-12-01T17:00:00.000Z'],
    ['2026-12-01T18:00:00-05:30', '2026-12-01T23:30:00.000Z'],
    ['2028-02-29T00:00Z', '2028-02-29T00:00:00.000Z'],
  ])('%s is a time', (text, at) => {
    expect(parseTtl(text)).toEqual({ atMs: Date.parse(at) })
  })

  it.each([
    ...['', '0', '0m', '0d0h', '-1h', '+1h', '1', '60', '1s', '90s', '1.5h', '1,5h', '8 h', ' 8h'],
    ...['8h ', '8H', '8hours', '3M', '1y', '1h1d', '1h2h', 'h', 'forever', 'never', 'P3D', 'PT8H'],
    ...[
      '1000000000y',
      '9999999d',
      '3651d',
      '999999w',
      '1e9d',
      '0x10h',
      '8h\n',
      '\u0668h',
      '\uff18h',
    ],
    ...['2026-12-01', '2026-12-01T18:00', '2026-12-01T18:00:00', '2026-12-01 18:00Z', '18:00Z'],
    ...['2026-13-01T18:00Z', '2026-02-30T18:00Z', '2026-12-01T25:00Z', '2027-02-29T00:00Z'],
    ...[
      '20261201T180000Z',
      '+012026-12-01T18:00:00Z',
      '2026-12-01T18:00+1',
      '2026-12-01T18:00+25:00',
    ],
    ...[
      '2026-12-01T18:00Z[Europe/Berlin]',
      '\uff12026-12-01T18:00Z',
      '1796144400',
      'null',
      '8h;3d',
    ],
  ])('%j is refused with the tag, the value and what would be right', (text) => {
    const problem = problemOfLever(TTL_TAG, text)
    for (const said of [
      `'${text}'`,
      `'${TTL_TAG}'`,
      "'90m'",
      "'8h'",
      "'3d'",
      '2027-01-31T18:00:00Z',
    ])
      expect(problem).toContain(said)
  })
})
