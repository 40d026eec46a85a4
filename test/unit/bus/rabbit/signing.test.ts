/** Messages between hosts: what is signed arrives as it was written, and nothing else does. */
import { createHmac, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type BusMessage, ENVELOPE_LIMIT_BYTES } from '../../../../src/bus/rabbit/messages.ts'
import { createSigner, QUESTION_AGE_MS } from '../../../../src/bus/rabbit/signing.ts'
import type { Clock } from '../../../../src/lib/clock.ts'
import { systemClock } from '../../../../src/lib/clock.ts'
import type { HostName } from '../../../../src/model/ids.ts'

const KEY = randomBytes(32)
const [ALICE, BOB, CAROL] = ['alice', 'bob', 'carol'] as HostName[] as [
  HostName,
  HostName,
  HostName,
]

const signerOf = (host: HostName, more: { key?: Uint8Array; clock?: Clock } = {}) =>
  createSigner({ host, key: KEY, clock: systemClock, random: randomBytes, ...more })

const ASK: BusMessage = {
  kind: 'ask',
  id: 'question.1',
  question: 'console',
  ask: { instance: 'i-12345678' },
  timeoutMs: 1_000,
}
const ANSWER: BusMessage = { kind: 'answer', re: 'question.1', answer: {} }
const BELL: BusMessage = { kind: 'bell', bell: 'own' }
const json = (...messages: readonly object[]) => messages.map((message) => JSON.stringify(message))

const anyMessage: fc.Arbitrary<BusMessage> = fc.oneof(
  fc.record({ kind: fc.constant('bell' as const), bell: fc.constantFrom('own', 'shared') }),
  fc.record({
    kind: fc.constant('ask' as const),
    id: fc.string({ minLength: 8, maxLength: 64 }),
    question: fc.string({ maxLength: 64 }),
    ask: fc.jsonValue(),
    timeoutMs: fc.nat(600_000),
  }),
  fc.record({
    kind: fc.constant('answer' as const),
    re: fc.string({ minLength: 8, maxLength: 64 }),
    answer: fc.jsonValue(),
  }),
)

it('what one host writes the other reads, in any number and order', () => {
  const [alice, bob] = [signerOf(ALICE), signerOf(BOB)]
  fc.assert(
    fc.property(fc.array(anyMessage, { maxLength: 20 }), (messages) => {
      const verified = bob.verify(alice.sign(BOB, json(...messages)))
      // JSON has no minus zero.
      expect(JSON.stringify(verified.messages)).toBe(JSON.stringify(messages))
      expect(verified).toMatchObject({ from: ALICE })
      expect(verified.drop).toBeUndefined()
    }),
  )
})

it('no changed, shortened or lengthened message is read', () => {
  const [alice, bob] = [signerOf(ALICE), signerOf(BOB)]
  const content = alice.sign(BOB, json(ASK))
  for (let at = 0; at < content.length; at += 1) {
    const changed = Buffer.from(content)
    changed.writeUInt8(changed.readUInt8(at) ^ (1 << (at % 8)), at)
    expect(bob.verify(changed)).toEqual({ messages: [], drop: 'forged' })
    expect(bob.verify(content.subarray(0, at))).toEqual({ messages: [], drop: 'forged' })
  }
  expect(bob.verify(Buffer.concat([content, Buffer.from(' ')])).drop).toBe('forged')
})

it('any bytes are dropped', () => {
  const bob = signerOf(BOB)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1_000 }), (bytes) => {
      expect(bob.verify(Buffer.from(bytes))).toEqual({ messages: [], drop: 'forged' })
    }),
  )
})

it('who has another key writes nothing that is read', () => {
  const mallory = signerOf(ALICE, { key: randomBytes(32) })
  expect(signerOf(BOB).verify(mallory.sign(BOB, json(ASK))).drop).toBe('forged')
})

it('what was written to one host is not read by another; what is to all is', () => {
  const alice = signerOf(ALICE)
  expect(signerOf(CAROL).verify(alice.sign(BOB, json(BELL)))).toEqual({
    messages: [],
    drop: 'misaddressed',
    from: ALICE,
  })
  expect(signerOf(CAROL).verify(alice.sign(null, json(BELL))).messages).toEqual([BELL])
})

it('a question is read once, a bell any time', () => {
  const [alice, bob] = [signerOf(ALICE), signerOf(BOB)]
  const contents = Array.from({ length: 100 }, () => alice.sign(BOB, json(ASK)))
  for (const content of contents.toReversed()) expect(bob.verify(content).messages).toEqual([ASK])
  for (const content of contents) expect(bob.verify(content).drop).toBe('repeated')
  const bell = alice.sign(BOB, json(BELL))
  for (let time = 0; time < 3; time += 1) expect(bob.verify(bell).messages).toEqual([BELL])
})

it.each([-3_600_000, -QUESTION_AGE_MS - 1, QUESTION_AGE_MS + 1, 3_600_000])(
  'a question is not read when the clocks differ by %d ms, and a bell is',
  (skewMs) => {
    const now = Date.now()
    const at = (ms: number): Clock => ({ ...systemClock, now: () => ms })
    const alice = signerOf(ALICE, { clock: at(now + skewMs) })
    const bob = signerOf(BOB, { clock: at(now) })
    expect(bob.verify(alice.sign(BOB, json(ASK)))).toMatchObject({
      drop: 'stale',
      ageMs: -skewMs,
      messages: [],
      late: [ASK],
    })
    // An answer is known by the question that is open.
    expect(bob.verify(alice.sign(BOB, json(ANSWER))).messages).toEqual([ANSWER])
    alice.learn(BOB, now)
    expect(bob.verify(alice.sign(BOB, json(ASK))).messages).toEqual([ASK])
    expect(bob.verify(alice.sign(BOB, json(BELL))).messages).toEqual([BELL])
  },
)

it('an old question is not read again when it has been forgotten that it was', () => {
  let now = 1_000_000
  const clock: Clock = { ...systemClock, now: () => now, monotonic: () => now }
  const [alice, bob] = [signerOf(ALICE, { clock }), signerOf(BOB, { clock })]
  const content = alice.sign(BOB, json(ASK))
  expect(bob.verify(content).drop).toBeUndefined()
  for (let step = 0; step < 40; step += 1) {
    now += QUESTION_AGE_MS / 10
    expect(bob.verify(content).drop).toMatch(/repeated|stale/)
    bob.verify(alice.sign(BOB, json(ASK)))
  }
})

it('a message that is too long is not even verified', () => {
  const bob = signerOf(BOB)
  expect(bob.verify(Buffer.alloc(ENVELOPE_LIMIT_BYTES + 33)).drop).toBe('oversized')
})

it('messages that a younger version may write are left out, the others are read', () => {
  const [alice, bob] = [signerOf(ALICE), signerOf(BOB)]
  const younger = { kind: 'poem', text: 'a message' }
  const more = { ...ASK, urgent: true }
  const verified = bob.verify(alice.sign(BOB, json(younger, more)))
  expect(verified).toMatchObject({ messages: [ASK], from: ALICE, drop: 'unknown' })
})

it.each([
  ['not JSON', '{'],
  ['not an object', '1'],
  ['no sender', '{"to":"bob","at":1,"id":"12345678","letters":[]}'],
  ['a sender that is no host', '{"from":"A b","to":"bob","at":1,"id":"12345678","letters":[]}'],
  [
    'too many messages',
    `{"from":"alice","to":"bob","at":1,"id":"12345678","letters":[${Array(101).fill(1)}]}`,
  ],
])('even a host of the cluster cannot write %s', (_name, body) => {
  const mac = createHmac('sha256', KEY).update(body).digest()
  const content = Buffer.concat([mac, Buffer.from(body)])
  expect(signerOf(BOB).verify(content)).toEqual({ messages: [], drop: 'malformed' })
})

it('a returned message is known again', () => {
  const alice = signerOf(ALICE)
  expect(alice.readOwn(alice.sign(BOB, json(ASK)))).toEqual([ASK])
  expect(alice.readOwn(Buffer.from('anything'))).toEqual([])
})
