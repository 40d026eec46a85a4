/**
 * A fuzzer that is guided by coverage: inputs that reach code that none reached before are kept,
 * and changed further. So it gets behind conditions that chance alone does not meet together.
 *
 * Coverage is V8's own (Profiler.takePreciseCoverage, with blocks). Taking it costs as much as a
 * thousand inputs, so it is taken after each batch. A batch that reached something new is tried
 * again in halves, of which those that reach something new are, too, down to single inputs.
 */
import { Session } from 'node:inspector'
import { type Chance, mutate } from './mutate.ts'

const BATCH = 5_000
/** One of so many inputs begins as halves of two. */
const SPLICED = 8
/** Half of the inputs begin as one of so many that were kept last: there is more behind them. */
const LATEST = 4

/** What was done. */
export interface Guided {
  readonly tried: number
  /** Inputs that reached something new. */
  readonly kept: number
  /** The part of the text of all functions that were called which was reached. */
  readonly reached: number
}

interface FuzzOptions {
  readonly count: number
  readonly chance: Chance
  readonly profiler: Profiler
  /** Matches the URLs of the files whose code counts. */
  readonly covers: RegExp
}

/**
 * Tries `count` inputs, which begin as mutations of the seeds. `parse` throws for a fault, and does
 * the same for the same bytes.
 */
export function fuzz(
  parse: (bytes: Buffer) => void,
  seeds: readonly Buffer[],
  { count, chance, profiler, covers }: FuzzOptions,
): Guided {
  const coverage = new Coverage(profiler, covers)
  const corpus = [...seeds]
  const run = (inputs: readonly Buffer[]): Reached => {
    for (const bytes of inputs) parse(bytes)
    return coverage.take()
  }
  /** Keeps those of some inputs that reach what all of them reach. */
  const sift = (inputs: readonly Buffer[], reached: Reached): void => {
    const [one] = inputs
    if (one === undefined || !coverage.isNew(reached)) return
    const half = Math.ceil(inputs.length / 2)
    const parts =
      inputs.length > 1
        ? [inputs.slice(0, half), inputs.slice(half)]
        : // A change meets a certain byte of a short one more often.
          [one.length > 1 ? [one.subarray(0, one.length >> 1)] : []]
    for (const part of parts) sift(part, run(part))
    if (inputs.length === 1 && coverage.isNew(reached)) corpus.push(one)
    // What V8 says only once must not make each batch new.
    coverage.keep(reached)
  }
  // What ran before is not counted.
  coverage.take()
  coverage.keep(run(seeds))
  for (let left = count; left > 0; left -= BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, left) }, () =>
      mutate(parentOf(corpus, chance), chance),
    )
    sift(batch, run(batch))
  }
  return { tried: count, kept: corpus.length - seeds.length, reached: coverage.share() }
}

function parentOf(corpus: readonly Buffer[], chance: Chance): Buffer {
  const one = chance.pick(chance.below(2) === 0 ? corpus : corpus.slice(-LATEST))
  if (chance.below(SPLICED) > 0) return one
  const other = chance.pick(corpus)
  return Buffer.concat([
    one.subarray(0, chance.below(one.length + 1)),
    other.subarray(chance.below(other.length + 1)),
  ])
}

interface Range {
  readonly startOffset: number
  readonly endOffset: number
  readonly count: number
}
interface Script {
  readonly url: string
  readonly functions: readonly { readonly ranges: readonly Range[] }[]
}

/**
 * V8's counters. They count blocks only in functions that are first called after this is made: so
 * there is one for the process, and what is fuzzed is imported after that.
 */
export class Profiler {
  readonly #session = new Session()

  constructor() {
    this.#session.connect()
    this.#post('Profiler.enable')
    this.#post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  }

  /** What ran since the last call. */
  take(): readonly Script[] {
    const taken = this.#post('Profiler.takePreciseCoverage')
    return (taken as { readonly result: readonly Script[] }).result
  }

  end(): void {
    this.#session.disconnect()
  }

  #post(method: string, parameters: object = {}): unknown {
    let answer: unknown
    this.#session.post(method, parameters, (error, result) => {
      if (error) throw new Error(error.message)
      answer = result
    })
    return answer
  }
}

/** Of each function, by its place, one byte for each character: whether it was reached. */
type Reached = ReadonlyMap<string, Uint8Array>

/** What the code of some files has reached. */
class Coverage {
  readonly #profiler: Profiler
  readonly #covers: RegExp
  readonly #reached = new Map<string, Uint8Array>()

  constructor(profiler: Profiler, covers: RegExp) {
    this.#profiler = profiler
    this.#covers = covers
  }

  /** What was reached since the last call. */
  take(): Reached {
    const scripts = this.#profiler.take().filter(({ url }) => this.#covers.test(url))
    return new Map(
      scripts.flatMap(({ url, functions }) =>
        functions.flatMap(({ ranges }): [string, Uint8Array][] => {
          const [whole] = ranges
          if (whole === undefined || whole.count === 0) return []
          return [[`${url} ${whole.startOffset} ${whole.endOffset}`, painted(whole, ranges)]]
        }),
      ),
    )
  }

  /** Whether some of it was not kept yet. */
  isNew(reached: Reached): boolean {
    return [...reached].some(([name, now]) => {
      const before = this.#reached.get(name)
      return before === undefined || now.some((is, at) => is > (before[at] ?? 0))
    })
  }

  keep(reached: Reached): void {
    for (const [name, now] of reached) {
      const before = this.#reached.get(name)
      const both = now.map((is, at) => is | (before?.[at] ?? 0))
      this.#reached.set(name, both)
    }
  }

  share(): number {
    const all = [...this.#reached.values()]
    const sum = (numbers: Iterable<number>) => Iterator.from(numbers).reduce((a, b) => a + b, 0)
    return sum(all.map(sum)) / sum(all.map(({ length }) => length))
  }
}

/** One for each character that was reached: a range within another counts instead of it. */
function painted(whole: Range, ranges: readonly Range[]): Uint8Array {
  const characters = new Uint8Array(whole.endOffset - whole.startOffset)
  for (const { startOffset, endOffset, count } of ranges)
    characters.fill(
      count > 0 ? 1 : 0,
      startOffset - whole.startOffset,
      endOffset - whole.startOffset,
    )
  return characters
}
