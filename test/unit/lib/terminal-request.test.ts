import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatScreen, parseScreen } from '../../../src/lib/terminal-request.ts'

const size = fc.integer({ min: 0, max: 0xffff })

test('a screen comes back as it was', () => {
  const term = fc.stringMatching(/^[\w.+-]{1,64}$/)
  fc.assert(
    fc.property(fc.record({ term, columns: size, rows: size }), (screen) => {
      expect(parseScreen(formatScreen(screen))).toEqual(screen)
    }),
  )
})

test('what is no screen is none', () => {
  const hostile = ['', 'xterm', 'xterm 80', 'xterm 80x', 'x\ny 80x24', 'x=y 80x24', 'xterm -1x24']
  for (const text of [...hostile, 'xterm 65536x24', 'xterm 80x24 ', `${'x'.repeat(65)} 80x24`])
    expect(parseScreen(text)).toBeNull()
})
