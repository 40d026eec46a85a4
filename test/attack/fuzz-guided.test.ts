/**
 * Input for DHCP, DNS and metadata by a fuzzer that sees what code it reaches. On the code before,
 * a DNS answer with thousands of pointers to pointers took 130 ms.
 *
 * `ATOLL_LONG=1` tries ten million inputs, `ATOLL_INPUTS` as many as it says; `ATOLL_SEED` repeats
 * a run.
 */
import { afterAll, describe, expect, it } from 'vitest'
import { fuzz, Profiler } from '../kit/guided-fuzz.ts'
import { chanceOf, seedOfRun } from '../kit/mutate.ts'
import { isQuick } from '../kit/stall.ts'
import { isLong } from '../long-files.ts'

const SEED = seedOfRun()
const ALL = Number(process.env['ATOLL_INPUTS'] ?? (isLong ? 10_000_000 : 20_000))
const profiler = new Profiler()
afterAll(() => profiler.end())
const { PACKET_PARSERS } = await import('../kit/packet-parsers.ts')
const STALL_MS = 20
const SERVICES = /\/src\/services\/(?:dhcp|dns|metadata)\//

/** A fault that four conditions hide, each of which one input of hundreds meets. */
function hidden(bytes: Buffer): void {
  const text = bytes.toString('latin1')
  if (text[0] !== '{') return
  if (text[1] !== '"') return
  if (text[2] !== ':') return
  if (text[3] !== '}') return
  throw new Error('found')
}

describe(`inputs guided by coverage, with ATOLL_SEED=${SEED},`, () => {
  it.each(PACKET_PARSERS)('$name: taken or refused', { timeout: 3_600_000 }, (parser) => {
    const parse = (bytes: Buffer) => {
      const work = () => parser.parse(Buffer.from(bytes), chanceOf(bytes.length))
      try {
        if (!isQuick(STALL_MS, work)) throw new Error(`it takes longer than ${STALL_MS} ms`)
      } catch (error) {
        throw new Error(bytes.toString('hex').slice(0, 4_000), { cause: error })
      }
    }
    const count = Math.ceil(ALL / PACKET_PARSERS.length)
    const guided = fuzz(parse, parser.seeds, {
      count,
      chance: chanceOf(SEED),
      profiler,
      covers: SERVICES,
    })
    expect(guided.tried).toBe(count)
    expect(guided.kept).toBeGreaterThan(0)
    if (isLong) console.log(parser.name, guided)
  })
})

describe('the fuzzer', () => {
  it('finds what is behind conditions that chance does not meet together', () => {
    const find = (covers: RegExp) => () =>
      fuzz(hidden, [Buffer.alloc(4)], { count: 40_000, chance: chanceOf(1), profiler, covers })
    expect(find(/nothing/)).not.toThrow()
    expect(find(/\/fuzz-guided\.test\.ts/)).toThrow('found')
  })
})
