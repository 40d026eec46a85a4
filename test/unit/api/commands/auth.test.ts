/** Who gives a command: only a signature over all that it covers is taken. */
import { createHash, createHmac } from 'node:crypto'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  authenticateCommand,
  COMMAND_SKEW_MS,
  signCommand,
} from '../../../../src/api/commands/auth.ts'
import { KEY } from '../../../kit/api.ts'

const DATE = '20261122T083327Z'
const NOW_MS = Date.UTC(2026, 10, 22, 8, 33, 27)
const COMMAND = { body: Buffer.from('{"id":"1"}'), replyTo: 'a queue', correlationId: '7' }
const findKey = async (id: string) => (id === KEY.id ? KEY : undefined)

const signed = (command = COMMAND, key = KEY, date = DATE) => ({
  ...command,
  headers: {
    'x-atoll-access-key': key.id,
    'x-atoll-date': date,
    'x-atoll-signature': signCommand(command, key, date),
  },
})

/** `OK`, or the code of the refusal. */
async function outcome(message: Parameters<typeof authenticateCommand>[0], nowMs = NOW_MS) {
  try {
    const caller = await authenticateCommand(message, findKey, nowMs)
    const { account, user, id: accessKey } = KEY
    expect(caller).toEqual({ account, user, accessKey, rights: 'all' })
    return 'OK'
  } catch (error) {
    expect(error).toHaveProperty('kind', 'refused')
    return String(Reflect.get(error as Error, 'code'))
  }
}

it('is as the documentation says', async () => {
  const hash = createHash('sha256').update(COMMAND.body).digest('hex')
  const text = `ATOLL-HMAC-SHA256\n${DATE}\n${KEY.id}\na queue\n7\n${hash}`
  const expected = createHmac('sha256', KEY.secret).update(text).digest('hex')
  expect(signCommand(COMMAND, KEY, DATE)).toBe(expected)
  expect(await outcome(signed())).toBe('OK')
})

it('takes what the broker makes of direct reply-to', async () => {
  const direct = signed({ ...COMMAND, replyTo: 'amq.rabbitmq.reply-to' })
  expect(await outcome({ ...direct, replyTo: 'amq.rabbitmq.reply-to.g1h2AA5yZXBseUA' })).toBe('OK')
  expect(await outcome({ ...direct, replyTo: 'amq.rabbitmq.reply-to-other' })).toBe('AuthFailure')
})

it.each([
  ['another body', { body: Buffer.from('{"id":"2"}') }],
  ['another queue for the answer', { replyTo: 'another queue' }],
  ['no queue for the answer', { replyTo: null }],
  ['another correlation id', { correlationId: '8' }],
])('refuses %s under the same signature', async (_name, change) => {
  expect(await outcome({ ...signed(), ...change })).toBe('AuthFailure')
})

it('refuses unknown keys and wrong secrets alike', async () => {
  expect(await outcome(signed(COMMAND, { ...KEY, id: 'UNKNOWN' }))).toBe('AuthFailure')
  expect(await outcome(signed(COMMAND, { ...KEY, secret: 'wrong' }))).toBe('AuthFailure')
})

it.each([
  [0, 'OK'],
  [COMMAND_SKEW_MS, 'OK'],
  [-COMMAND_SKEW_MS, 'OK'],
  [COMMAND_SKEW_MS + 1, 'RequestExpired'],
  [-COMMAND_SKEW_MS - 1, 'RequestExpired'],
])('%d ms after it was signed: %s', async (ms, code) => {
  expect(await outcome(signed(), NOW_MS + ms)).toBe(code)
})

it('takes or refuses any headers', async () => {
  const names = fc.constantFrom('x-atoll-access-key', 'x-atoll-date', 'x-atoll-signature', 'other')
  await fc.assert(
    fc.asyncProperty(fc.dictionary(names, fc.anything()), async (headers) => {
      expect(await outcome({ ...COMMAND, headers })).toMatch(/^IncompleteSignature$/)
    }),
  )
})
