/**
 * What a terminal of 80 columns and 25 lines shows of the output of a serial line. Pure.
 *
 * It moves the cursor, clears, and wraps as ECMA-48 says
 * (https://ecma-international.org/publications-and-standards/standards/ecma-48/). Colours and all
 * other sequences have no effect.
 */

/** Characters in a line. */
export const COLUMNS = 80
/** Lines on the screen. */
export const LINES = 25

const ESC = '\x1b'
/** A control sequence after its ESC: `[`, numbers, and a letter. */
const CONTROL = /^\[(?<numbers>[0-?]*)[ -/]*(?<command>[@-~])/
/** Any other escape sequence after its ESC. */
const ESCAPE = /^[ -/]*[0-~]?/
/** With these begins text for the terminal itself, such as a title. One of `ENDS` ends it. */
const STRINGS = ']PX^_'
const ENDS = ['\x07', `${ESC}\\`]
const TAB = 8

/** The lines of the screen, each with `COLUMNS` characters. */
export function screenOf(output: string): readonly string[] {
  const screen = createScreen()
  for (let at = 0; at < output.length; ) {
    const sequence = output[at] === ESC ? sequenceAt(output.slice(at, at + SEQUENCE_MAX)) : null
    if (sequence === null) {
      const character = String.fromCodePoint(output.codePointAt(at) ?? 0)
      screen.put(character)
      at += character.length
    } else {
      screen.control(sequence)
      at += sequence.text.length
    }
  }
  return screen.lines()
}

/** Longer ones are not sequences. */
const SEQUENCE_MAX = 256

interface Sequence {
  readonly text: string
  /** Empty for a sequence without effect. */
  readonly command: string
  readonly numbers: readonly number[]
}

function sequenceAt(text: string): Sequence {
  const rest = text.slice(1)
  const control = CONTROL.exec(rest)
  if (control === null) {
    const [other = ''] = STRINGS.includes(rest.charAt(0))
      ? [stringIn(rest)]
      : (ESCAPE.exec(rest) ?? [])
    return { text: `${ESC}${other}`, command: other === 'c' ? 'c' : '', numbers: [] }
  }
  const { numbers = '', command = '' } = control.groups ?? {}
  const parsed = numbers.split(';').map((number) => Number.parseInt(number, 10) || 0)
  return { text: `${ESC}${control[0]}`, command, numbers: parsed }
}

/** Up to and including its end, or all of it. */
function stringIn(text: string): string {
  const ends = ENDS.flatMap((end) => {
    const at = text.indexOf(end)
    return at === -1 ? [] : [at + end.length]
  })
  return text.slice(0, Math.min(text.length, ...ends))
}

function createScreen() {
  let rows = blank(LINES)
  let x = 0
  let y = 0

  function move(toColumn: number, toLine: number): void {
    x = Math.max(0, Math.min(COLUMNS - 1, toColumn))
    y = Math.max(0, Math.min(LINES - 1, toLine))
  }
  function newLine(): void {
    if (y < LINES - 1) y += 1
    else rows = [...rows.slice(1), ...blank(1)]
  }
  function clear(from: number, to: number): void {
    for (let place = from; place < to; place += 1) {
      const row = rows[Math.floor(place / COLUMNS)]
      if (row !== undefined) row[place % COLUMNS] = ' '
    }
  }
  const here = () => y * COLUMNS + x
  const size = LINES * COLUMNS
  /** By the last letter of the sequence. `n` is its first number. */
  const commands: Readonly<Record<string, (n: number, second: number) => void>> = {
    A: (n) => move(x, y - (n || 1)),
    B: (n) => move(x, y + (n || 1)),
    C: (n) => move(x + (n || 1), y),
    D: (n) => move(x - (n || 1), y),
    G: (n) => move((n || 1) - 1, y),
    H: (n, second) => move((second || 1) - 1, (n || 1) - 1),
    J: (n) => clear(n === 0 ? here() : 0, n === 1 ? here() + 1 : size),
    K: (n) => clear(n === 0 ? here() : y * COLUMNS, n === 1 ? here() + 1 : (y + 1) * COLUMNS),
    c: () => {
      clear(0, size)
      move(0, 0)
    },
  }
  return {
    control({ command, numbers: [first = 0, second = 0] }: Sequence): void {
      const run = commands[command === 'f' ? 'H' : command]
      run?.(first, second)
    },
    put(character: string): void {
      if (character === '\r') x = 0
      else if (character === '\n') newLine()
      else if (character === '\b') move(x - 1, y)
      else if (character === '\t') move(x - (x % TAB) + TAB, y)
      else if (character >= ' ' && character !== '\x7f') {
        // A line is full only when a further character comes.
        if (x === COLUMNS) {
          x = 0
          newLine()
        }
        const row = rows[y]
        if (row !== undefined) row[x] = character
        x += 1
      }
    },
    lines: () => rows.map((row) => row.join('')),
  }
}

function blank(lines: number): string[][] {
  return Array.from({ length: lines }, () => Array.from({ length: COLUMNS }, () => ' '))
}
