import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { COLUMNS, LINES, screenOf } from '../../../../src/api/screen/text-screen.ts'

/** The lines that are not empty, without what is empty behind them. */
const shown = (output: string) =>
  screenOf(output)
    .map((line) => line.trimEnd())
    .filter((line) => line !== '')

it.each([
  ['lines', 'one\r\ntwo', ['one', 'two']],
  ['a line that is written again', 'one\rtwo', ['two']],
  ['a character that is taken back', 'onn\be', ['one']],
  ['colours', '\x1b[1;32mgreen\x1b[0m', ['green']],
  ['a title', '\x1b]0;secret\x07login:', ['login:']],
  ['another character set', '\x1b(Btext', ['text']],
  ['a screen that is cleared', 'old\r\n\x1b[2J\x1b[Hnew', ['new']],
  ['a reset', 'old\x1bcnew', ['new']],
  ['the rest of a line that is cleared', 'abcdef\x1b[3D\x1b[K', ['abc']],
  ['a place', '\x1b[2;3Hx', ['  x']],
  ['tabs', 'a\tb', ['a       b']],
  ['a long line', 'x'.repeat(COLUMNS + 1), ['x'.repeat(COLUMNS), 'x']],
  ['a sequence that is cut off', 'a\x1b[', ['a']],
])('shows %s', (_what, output, lines) => {
  expect(shown(output)).toEqual(lines)
})

it('keeps the last lines', () => {
  const output = Array.from({ length: 100 }, (_, n) => `line ${n}`).join('\r\n')
  const lines = shown(output)
  expect(lines).toHaveLength(LINES)
  expect(lines.at(-1)).toBe('line 99')
})

it('always is a screen', () => {
  const parts = fc.constantFrom(
    '\x1b[',
    '\x1b',
    '9999',
    ';',
    'H',
    'J',
    'A',
    '\n',
    '\r',
    '\t',
    'é',
    '😀',
  )
  fc.assert(
    fc.property(fc.array(fc.oneof(parts, fc.string()), { maxLength: 200 }), (output) => {
      const lines = screenOf(output.join(''))
      expect(lines).toHaveLength(LINES)
      for (const line of lines) expect([...line]).toHaveLength(COLUMNS)
    }),
  )
})
