/**
 * Matches EC2's filter patterns, in time that is linear even for hostile patterns. Pure.
 *
 * `*` is any run of characters, `?` any single one, and a backslash makes the next character
 * literal. The pattern is split at each `*` into segments. The first must match at the start, the
 * last at the end. Each segment between is searched from left to right after the previous one. Its
 * leftmost match leaves the most for the rest, so there is no backtracking.
 *
 * The search is Shift-And (Baeza-Yates and Gonnet, 1992) with one bit for each character of the
 * segment. So a character of the text costs one step for each 32 characters of the segment.
 */

/** A parsed pattern. */
export interface Glob {
  /** The only matching text, if the pattern has no wildcard. */
  readonly plain: string | undefined
  /**
   * Whether the whole text matches. `spend` gets the number of steps before they are done, and may
   * throw.
   */
  matches(text: ArrayLike<string>, spend: (steps: number) => void): boolean
}

/** Characters of a segment. Null matches any character. */
type Segment = readonly (string | null)[]

/** Parses a pattern. The number of steps is proportional to its length. */
export function parseGlob(pattern: string): Glob {
  const segments = splitPattern(pattern)
  const [first = [], ...rest] = segments
  const last = rest.pop()
  if (last === undefined) {
    return {
      plain: first.includes(null) ? undefined : first.join(''),
      matches(text, spend) {
        spend(1)
        return text.length === first.length && standsAt(first, text, 0, spend)
      },
    }
  }
  const middles = rest.filter((segment) => segment.length > 0).map(createSearch)
  const least = segments.reduce((sum, segment) => sum + segment.length, 0)
  return {
    plain: undefined,
    matches(text, spend) {
      spend(1)
      if (text.length < least) return false
      const end = text.length - last.length
      if (!standsAt(first, text, 0, spend) || !standsAt(last, text, end, spend)) return false
      let at = first.length
      for (const search of middles) {
        const behind = search(text, at, end, spend)
        if (behind === undefined) return false
        at = behind
      }
      return true
    },
  }
}

/** The segments between the `*`s. */
function splitPattern(pattern: string): readonly Segment[] {
  let segment: (string | null)[] = []
  const segments = [segment]
  let escaped = false
  for (const character of pattern) {
    if (escaped) {
      segment.push(character)
      escaped = false
    } else if (character === '\\') escaped = true
    else if (character === '*') {
      segment = []
      segments.push(segment)
    } else segment.push(character === '?' ? null : character)
  }
  // A backslash at the end stands for itself.
  if (escaped) segment.push('\\')
  return segments
}

function standsAt(
  segment: Segment,
  text: ArrayLike<string>,
  at: number,
  spend: (steps: number) => void,
): boolean {
  spend(segment.length)
  return segment.every((character, index) => character === null || character === text[at + index])
}

/**
 * Searches a segment in `text` between `from` and `end`. Returns the position after its first
 * match.
 */
type Search = (
  text: ArrayLike<string>,
  from: number,
  end: number,
  spend: (steps: number) => void,
) => number | undefined

const WORD_BITS = 32

function createSearch(segment: Segment): Search {
  const words = Math.ceil(segment.length / WORD_BITS)
  const { rowOf, masks } = masksOf(segment, words)
  const lastWord = words - 1
  const lastBit = 1 << ((segment.length - 1) % WORD_BITS)
  return (text, from, end, spend) => {
    spend(Math.max(0, end - from) * words)
    const state = new Int32Array(words)
    for (let at = from; at < end; at += 1) {
      const row = (rowOf.get(text[at] ?? '') ?? 0) * words
      let carry = 1
      for (let word = 0; word < words; word += 1) {
        const before = state[word] ?? 0
        state[word] = ((before << 1) | carry) & (masks[row + word] ?? 0)
        carry = before >>> (WORD_BITS - 1)
      }
      if (((state[lastWord] ?? 0) & lastBit) !== 0) return at + 1
    }
    return undefined
  }
}

/**
 * For each character of the segment, and in row 0 for all others: a bit mask of the positions where
 * it may be.
 */
function masksOf(segment: Segment, words: number) {
  const rowOf = new Map<string, number>()
  for (const character of segment)
    if (character !== null && !rowOf.has(character)) rowOf.set(character, rowOf.size + 1)
  const masks = new Int32Array((rowOf.size + 1) * words)
  const allow = (row: number, position: number): void => {
    const index = row * words + Math.floor(position / WORD_BITS)
    masks[index] = (masks[index] ?? 0) | (1 << (position % WORD_BITS))
  }
  for (const [position, character] of segment.entries()) {
    if (character !== null) allow(rowOf.get(character) ?? 0, position)
    else for (let row = 0; row <= rowOf.size; row += 1) allow(row, position)
  }
  return { rowOf, masks }
}
