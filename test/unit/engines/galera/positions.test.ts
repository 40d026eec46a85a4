/**
 * What stopped nodes tell each other: true, fresh, and from one that knows the secret, or not heard
 * at all.
 */
import { connect } from 'node:net'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Position } from '../../../../engines/galera/decide.ts'
import {
  askPosition,
  formatAnswer,
  parseAnswer,
  servePosition,
} from '../../../../engines/galera/positions.ts'
import { freePort } from '../../../../tools/kit/mariadb.ts'

const NODE = '127.0.0.1'
const NONCE = '0123456789abcdef0123456789abcdef'
const POSITION: Position = {
  history: '00239b8a-e68b-11f1-b18a-4fc9145004e4',
  commit: 935,
  leftLast: false,
  view: { id: '3 x 5', me: 'a', members: ['a', 'b'] },
}

const tell = (port: number) =>
  servePosition({ node: NODE, address: NODE, port, position: POSITION, secret: 'secret' })

test('a position arrives as it was told, over TCP; from nobody, and from one with another secret, nothing does', async () => {
  const port = await freePort()
  expect(await askPosition(NODE, port, 'secret')).toBeNull()
  using _told = await tell(port)
  const answers = await Promise.all([...'ab'].map(() => askPosition(NODE, port, 'secret')))
  for (const answer of answers) expect(answer).toEqual({ kind: 'waiting', position: POSITION })
  expect(await askPosition(NODE, port, 'another')).toBeNull()
})

test('whoever asks in another form is hung up on', async () => {
  const port = await freePort()
  using _told = await tell(port)
  for (const question of ['\n', 'GET / HTTP/1.0\r\n', `${NONCE}0\n`, 'x'.repeat(100_000)]) {
    const socket = connect({ host: NODE, port })
    let said = ''
    socket.on('data', (chunk) => {
      said += String(chunk)
    })
    socket.on('error', () => {})
    socket.write(question)
    await new Promise((resolve) => socket.once('close', resolve))
    expect(said).toBe('')
  }
})

test('an answer to another question, of another node, or with one character changed is not taken', () => {
  const line = formatAnswer(NODE, POSITION, NONCE, 'secret').trim()
  expect(parseAnswer(line, NODE, NONCE, 'secret')).toEqual(POSITION)
  expect(parseAnswer(line, '10.0.0.9', NONCE, 'secret')).toBeNull()
  expect(parseAnswer(line, NODE, NONCE.replace('0', '1'), 'secret')).toBeNull()
  expect(parseAnswer(line, NODE, NONCE, 'Secret')).toBeNull()
  fc.assert(
    fc.property(fc.nat(line.length - 1), fc.constantFrom(...'0a"x}'), (at, character) => {
      const changed = line.slice(0, at) + character + line.slice(at + 1)
      fc.pre(changed !== line)
      expect(parseAnswer(changed, NODE, NONCE, 'secret')).toBeNull()
    }),
  )
})

test('any text is no answer', () => {
  fc.assert(fc.property(fc.string(), (line) => parseAnswer(line, NODE, NONCE, 'secret') === null))
})
