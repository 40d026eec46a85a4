import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type ControlMessage,
  closeReason,
  formatControl,
  formatScreen,
  parseControl,
  parseOffer,
  parseScreen,
} from '../../../src/lib/terminal-protocol.ts'

const size = fc.integer({ min: 1, max: 0xffff })
const reason = fc.string({ unit: 'grapheme', maxLength: 100 })
const fromClient: fc.Arbitrary<ControlMessage> = fc.oneof(
  fc.record({ kind: fc.constant('resize' as const), columns: size, rows: size }),
  fc.constant({ kind: 'eof' as const }),
)
const fromHost: fc.Arbitrary<ControlMessage> = fc.oneof(
  fc.record({
    kind: fc.constant('attached' as const),
    terminal: fc.constantFrom('shell' as const, 'serial' as const),
  }),
  fc.record({
    kind: fc.constant('exit' as const),
    exitCode: fc.option(fc.integer({ min: 0, max: 255 })),
    reason,
  }),
  fc.record({ kind: fc.constant('error' as const), reason }),
)

describe('control messages', () => {
  test('come back as they were, and only from the side that says them', () => {
    for (const [said, other, messages] of [
      ['client', 'host', fromClient],
      ['host', 'client', fromHost],
    ] as const)
      fc.assert(
        fc.property(messages, (message) => {
          expect(parseControl(formatControl(message), said)).toEqual(message)
          expect(() => parseControl(formatControl(message), other)).toThrow(/control message: type/)
        }),
      )
  })

  test('of a hostile end are an error in words that fits into a close, and a long reason is cut', () => {
    const hostile = fc.oneof(
      fc.string(),
      fc.json(),
      fc.json().map((text) => `{"type":${text}}`),
    )
    fc.assert(
      fc.property(hostile, (text) => {
        expect(() => parseControl(text, 'host')).toThrow(/control/)
      }),
    )
    const more = '{"type":"eof","more":1}'
    for (const text of ['', 'null', '[]', '{"type":"__proto__"}', more, '9'.repeat(5000)])
      expect(() => parseControl(text, 'client')).toThrow(/control/)
    const long = formatControl({ kind: 'error', reason: '€'.repeat(100_000) })
    expect(parseControl(long, 'host')).toEqual({ kind: 'error', reason: '€'.repeat(1000) })
  })
})

/** Lone surrogates, too, as a program may print them. */
const codePoint = fc.oneof(
  fc.integer({ min: 0, max: 0xffff }),
  fc.integer({ min: 0, max: 0x10ffff }),
)

test('the reason of a close is whole characters of at most 123 bytes', () => {
  fc.assert(
    fc.property(fc.array(codePoint, { maxLength: 200 }), (points) => {
      const text = String.fromCodePoint(...points)
      const cut = closeReason(text)
      expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(123)
      expect(text.toWellFormed().startsWith(cut)).toBe(true)
      if (Buffer.byteLength(text) <= 123) expect(cut).toBe(text.toWellFormed())
    }),
  )
})

describe('a screen', () => {
  test('comes back as it was', () => {
    const term = fc.stringMatching(/^[\w.+-]{1,64}$/)
    fc.assert(
      fc.property(fc.record({ term, columns: size, rows: size }), (screen) => {
        expect(parseScreen(`/console${formatScreen(screen)}`)).toEqual(screen)
      }),
    )
    expect(parseScreen(`/console${formatScreen(null)}`)).toBeNull()
    expect(parseScreen('/console?columns=80&rows=24')).toMatchObject({ term: 'xterm-256color' })
    expect(parseScreen('/console?other=1')).toBeNull()
  })

  test.each([
    ['term=xterm', 'columns'],
    ['columns=80', 'rows'],
    ['columns=80&rows=', 'rows'],
    ['columns=0&rows=24', 'columns'],
    ['columns=65536&rows=24', 'columns'],
    ['columns=-1&rows=24', 'columns'],
    ['columns=80&rows=2.5', 'rows'],
    ['columns=80&rows=24&term=', 'term'],
    ['columns=80&rows=24&term=x%3dy', 'term'],
    ['columns=80&rows=24&term=x%0ay', 'term'],
    [`columns=80&rows=24&term=${'x'.repeat(65)}`, 'term'],
  ])('that is none is an error which names the parameter: %s', (query, name) => {
    expect(() => parseScreen(`/console?${query}`)).toThrow(new RegExp(`^${name}: give the screen`))
  })
})

test('an offer is one ticket and the first protocol that is ours', () => {
  expect(parseOffer('atoll.console.v1, ticket.a_-9')).toEqual({
    ticket: 'a_-9',
    protocol: 'atoll.console.v1',
  })
  expect(parseOffer('ticket.x,soap,atoll.console.text.v1,atoll.console.v1')).toEqual({
    ticket: 'x',
    protocol: 'atoll.console.text.v1',
  })
  for (const none of [undefined, '', ',', 'atoll.console.v2', 'ticket', 'Ticket.x'])
    expect(parseOffer(none)).toEqual({ ticket: null, protocol: null })
  expect(parseOffer('ticket.a,ticket.b').ticket).toBeNull()
  fc.assert(fc.property(fc.string(), (text) => void parseOffer(text)))
})
