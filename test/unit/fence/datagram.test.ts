import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  encodeMessage,
  MAX_DATAGRAM_BYTES,
  type Message,
  NONCE_BYTES,
  parseMessage,
} from '../../../src/fence/datagram.ts'
import { type HostName, parseHostName } from '../../../src/model/ids.ts'

const KEY = Buffer.alloc(32, 7)

function hostName(text: string): HostName {
  const name = parseHostName(text)
  if (name === undefined) throw new Error(`${text} is no name`)
  return name
}

const LONGEST = hostName('h'.repeat(63))
const nonce = fc.uint8Array({ minLength: NONCE_BYTES, maxLength: NONCE_BYTES })
const messages: fc.Arbitrary<Message> = fc.record({
  type: fc.constantFrom('grant', 'consent', 'yes', 'no', 'again'),
  version: fc.nat(),
  round: nonce.map((bytes) => Buffer.from(bytes).toString('hex')),
  ticket: nonce.map((bytes) => Buffer.from(bytes).toString('hex')),
  by: fc.constantFrom(hostName('a'), hostName('host-b'), LONGEST),
  about: fc.constantFrom(hostName('a'), hostName('host-b'), LONGEST),
})

it('reads what it has written, and nothing that was made with another key', () => {
  fc.assert(
    fc.property(messages, (message) => {
      const bytes = encodeMessage(message, KEY)
      expect(bytes.length).toBeLessThanOrEqual(MAX_DATAGRAM_BYTES)
      expect(parseMessage(bytes, KEY)).toEqual(message)
      expect(parseMessage(bytes, Buffer.alloc(32, 8))).toBe(null)
    }),
  )
})

it('reads no datagram of which a bit was changed, or that was cut or made longer', () => {
  fc.assert(
    fc.property(messages, fc.nat(), (message, where) => {
      const bytes = encodeMessage(message, KEY)
      const changed = Buffer.from(bytes)
      changed[where % bytes.length] = (changed[where % bytes.length] ?? 0) ^ (1 << (where % 8))
      expect(parseMessage(changed, KEY)).toBe(null)
      expect(parseMessage(bytes.subarray(0, where % bytes.length), KEY)).toBe(null)
      expect(parseMessage(Buffer.concat([bytes, Buffer.of(0)]), KEY)).toBe(null)
    }),
  )
})

it('survives whatever a host with the key sends', () => {
  const head = Buffer.from('AF1')
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, isOurs) => {
      const body = isOurs ? Buffer.concat([head, bytes]) : Buffer.from(bytes)
      const mac = createHmac('sha256', KEY).update(body).digest()
      const parsed = parseMessage(Buffer.concat([body, mac]), KEY)
      if (parsed !== null) expect(encodeMessage(parsed, KEY)).toEqual(Buffer.concat([body, mac]))
    }),
  )
})
