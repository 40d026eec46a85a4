/** Messages between hosts: what is signed arrives as it was written, and nothing else does. */
import { createHmac, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type Letter, MESSAGE_LIMIT_BYTES } from '../../../../src/bus/rabbit/messages.ts'
import { createSeal, MESSAGE_AGE_MS } from '../../../../src/bus/rabbit/signing.ts'
import type { Clock } from '../../../../src/lib/clock.ts'
import { systemClock } from '../../../../src/lib/clock.ts'
import type { HostName } from '../../../../src/model/ids.ts'

const KEY = randomBytes(32)
const [ALICE, BOB, CAROL] = ['alice', 'bob', 'carol'] as HostName[] as [
  HostName,
  HostName,
  HostName,
]

const sealOf = (host: HostName, more: { key?: Uint8Array; clock?: Clock } = {}) =>
  createSeal({ host, key: KEY, clock: systemClock, random: randomBytes, ...more })

const ASK: Letter = {
  kind: 'ask',
  id: 'question.1',
  question: 'console',
  ask: { instance: 'i-12345678' },
  timeoutMs: 1_000,
}
const ANSWER: Letter = { kind: 'answer', re: 'question.1', answer: {} }
const BELL: Letter = { kind: 'bell', bell: 'own' }
const json = (...letters: readonly object[]) => letters.map((letter) => JSON.stringify(letter))

const anyLetter: fc.Arbitrary<Letter> = fc.oneof(
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
  const [alice, bob] = [sealOf(ALICE), sealOf(BOB)]
  fc.assert(
    fc.property(fc.array(anyLetter, { maxLength: 20 }), (letters) => {
      const opened = bob.open(alice.close(BOB, json(...letters)))
      // JSON has no minus zero.
      expect(JSON.stringify(opened.letters)).toBe(JSON.stringify(letters))
      expect(opened).toMatchObject({ from: ALICE })
      expect(opened.drop).toBeUndefined()
    }),
  )
})

it('no changed, shortened or lengthened message is read', () => {
  const [alice, bob] = [sealOf(ALICE), sealOf(BOB)]
  const content = alice.close(BOB, json(ASK))
  for (let at = 0; at < content.length; at += 1) {
    const changed = Buffer.from(content)
    changed.writeUInt8(changed.readUInt8(at) ^ (1 << (at % 8)), at)
    expect(bob.open(changed)).toEqual({ letters: [], drop: 'forged' })
    expect(bob.open(content.subarray(0, at))).toEqual({ letters: [], drop: 'forged' })
  }
  expect(bob.open(Buffer.concat([content, Buffer.from(' ')])).drop).toBe('forged')
})

it('any bytes are dropped', () => {
  const bob = sealOf(BOB)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1_000 }), (bytes) => {
      expect(bob.open(Buffer.from(bytes))).toEqual({ letters: [], drop: 'forged' })
    }),
  )
})

it('who has another key writes nothing that is read', () => {
  const mallory = sealOf(ALICE, { key: randomBytes(32) })
  expect(sealOf(BOB).open(mallory.close(BOB, json(ASK))).drop).toBe('forged')
})

it('what was written to one host is not read by another; what is to all is', () => {
  const alice = sealOf(ALICE)
  expect(sealOf(CAROL).open(alice.close(BOB, json(BELL)))).toEqual({
    letters: [],
    drop: 'misaddressed',
    from: ALICE,
  })
  expect(sealOf(CAROL).open(alice.close(null, json(BELL))).letters).toEqual([BELL])
})

it('a question is read once, a bell any time', () => {
  const [alice, bob] = [sealOf(ALICE), sealOf(BOB)]
  const contents = Array.from({ length: 100 }, () => alice.close(BOB, json(ASK)))
  for (const content of contents.toReversed()) expect(bob.open(content).letters).toEqual([ASK])
  for (const content of contents) expect(bob.open(content).drop).toBe('repeated')
  const bell = alice.close(BOB, json(BELL))
  for (let time = 0; time < 3; time += 1) expect(bob.open(bell).letters).toEqual([BELL])
})

it.each([-3_600_000, -MESSAGE_AGE_MS - 1, MESSAGE_AGE_MS + 1, 3_600_000])(
  'a question is not read when the clocks differ by %d ms, and a bell is',
  (skewMs) => {
    const now = Date.now()
    const at = (ms: number): Clock => ({ ...systemClock, now: () => ms })
    const alice = sealOf(ALICE, { clock: at(now + skewMs) })
    const bob = sealOf(BOB, { clock: at(now) })
    expect(bob.open(alice.close(BOB, json(ASK)))).toMatchObject({
      drop: 'stale',
      ageMs: -skewMs,
      letters: [],
      late: [ASK],
    })
    // An answer is known by the question that is open.
    expect(bob.open(alice.close(BOB, json(ANSWER))).letters).toEqual([ANSWER])
    alice.learn(BOB, now)
    expect(bob.open(alice.close(BOB, json(ASK))).letters).toEqual([ASK])
    expect(bob.open(alice.close(BOB, json(BELL))).letters).toEqual([BELL])
  },
)

it('an old question is not read again when it has been forgotten that it was', () => {
  let now = 1_000_000
  const clock: Clock = { ...systemClock, now: () => now, monotonic: () => now }
  const [alice, bob] = [sealOf(ALICE, { clock }), sealOf(BOB, { clock })]
  const content = alice.close(BOB, json(ASK))
  expect(bob.open(content).drop).toBeUndefined()
  for (let step = 0; step < 40; step += 1) {
    now += MESSAGE_AGE_MS / 10
    expect(bob.open(content).drop).toMatch(/repeated|stale/)
    bob.open(alice.close(BOB, json(ASK)))
  }
})

it('a message that is too long is not even verified', () => {
  const bob = sealOf(BOB)
  expect(bob.open(Buffer.alloc(MESSAGE_LIMIT_BYTES + 33)).drop).toBe('oversized')
})

it('letters that a younger version may write are left out, the others are read', () => {
  const [alice, bob] = [sealOf(ALICE), sealOf(BOB)]
  const younger = { kind: 'poem', text: 'a letter' }
  const more = { ...ASK, urgent: true }
  const opened = bob.open(alice.close(BOB, json(younger, more)))
  expect(opened).toMatchObject({ letters: [ASK], from: ALICE, drop: 'unknown' })
})

it.each([
  ['not JSON', '{'],
  ['not an object', '1'],
  ['no sender', '{"to":"bob","at":1,"id":"12345678","letters":[]}'],
  ['a sender that is no host', '{"from":"A b","to":"bob","at":1,"id":"12345678","letters":[]}'],
  [
    'too many letters',
    `{"from":"alice","to":"bob","at":1,"id":"12345678","letters":[${Array(101).fill(1)}]}`,
  ],
])('even a host of the cluster cannot write %s', (_name, body) => {
  const mac = createHmac('sha256', KEY).update(body).digest()
  const content = Buffer.concat([mac, Buffer.from(body)])
  expect(sealOf(BOB).open(content)).toEqual({ letters: [], drop: 'malformed' })
})

it('a returned message is known again', () => {
  const alice = sealOf(ALICE)
  expect(alice.reopen(alice.close(BOB, json(ASK)))).toEqual([ASK])
  expect(alice.reopen(Buffer.from('anything'))).toEqual([])
})
