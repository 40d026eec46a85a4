import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  createTickets,
  TICKET_LIFE_MS,
  TICKETS_LIMIT,
} from '../../../../src/api/console/tickets.ts'
import { formatId } from '../../../../src/model/ids.ts'

const instance = (n: number) => formatId('i', new Uint8Array(9).fill(n))

function fixture() {
  const time = { ms: 0 }
  return { time, tickets: createTickets({ monotonic: () => time.ms }, randomBytes) }
}

describe('a ticket', () => {
  test('is good for its instance, once, in any order, and only while it is young', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: TICKETS_LIMIT }),
        fc.integer({ min: 0, max: 2 * TICKET_LIFE_MS }),
        fc.infiniteStream(fc.nat()),
        (wanted, ageMs, order) => {
          const { time, tickets } = fixture()
          const issued = wanted.map((n) => ({ n, ticket: tickets.issue(instance(n)) }))
          time.ms = ageMs
          const shuffled = issued
            .map((one) => ({ ...one, place: order.next().value }))
            .sort((a, b) => a.place - b.place)
          for (const { n, ticket } of shuffled) {
            expect(tickets.redeem(ticket)).toBe(ageMs < TICKET_LIFE_MS ? instance(n) : null)
            expect(tickets.redeem(ticket)).toBeNull()
          }
        },
      ),
    )
  })

  test('is not to be guessed, nor made of another', () => {
    const { tickets } = fixture()
    const ticket = tickets.issue(instance(1))
    expect(Buffer.from(ticket, 'base64url')).toHaveLength(32)
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.constantFrom(ticket.slice(1), `${ticket}A`, ticket.toUpperCase())),
        (text) => text === ticket || tickets.redeem(text) === null,
      ),
    )
    expect(tickets.redeem(ticket)).toBe(instance(1))
  })

  test('is one of few', () => {
    const { time, tickets } = fixture()
    const all = Array.from({ length: TICKETS_LIMIT }, () => tickets.issue(instance(1)))
    expect(() => tickets.issue(instance(1))).toThrow(/Too many consoles/)
    tickets.redeem(all[0] ?? '')
    tickets.issue(instance(2))
    expect(() => tickets.issue(instance(1))).toThrow(/Too many consoles/)
    time.ms = TICKET_LIFE_MS
    expect(tickets.redeem(tickets.issue(instance(3)))).toBe(instance(3))
  })
})
