import { once } from 'node:events'
import { createConnection, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { splice } from '../../../src/lib/splice.ts'

const BYTES = 3_000_000
const open: { destroy(): unknown }[] = []
let count = 0

/** Two connected sockets. */
async function pair(): Promise<readonly [Socket, Socket]> {
  const path = join(tmpdir(), `atoll-splice-${process.pid}-${count++}`)
  const server = createServer({ allowHalfOpen: true }).listen(path)
  const [one] = [createConnection({ path, allowHalfOpen: true })]
  const [other]: Socket[] = await once(server, 'connection')
  server.close()
  if (other === undefined) throw new Error('nobody connected')
  one.on('error', () => undefined)
  other.on('error', () => undefined)
  open.push(one, other)
  return [one, other]
}

let left: Socket
let right: Socket
let between: readonly [Socket, Socket]

beforeEach(async () => {
  const [a, b] = await pair()
  const [c, d] = await pair()
  splice(b, c)
  left = a
  right = d
  between = [b, c]
})
afterEach(() => {
  for (const one of open.splice(0)) one.destroy()
})

/** What arrives up to the end. Iterating over the socket would close it. */
async function textOf(socket: Socket): Promise<string> {
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(socket, 'end')
  return Buffer.concat(chunks).toString()
}

test('everything is passed on in both directions before the end is', async () => {
  const [there = '', back = ''] = ['a', 'b'].map((one) => one.repeat(BYTES))
  left.end(there)
  expect((await textOf(right)) === there).toBe(true)
  right.end(back)
  expect((await textOf(left)) === back).toBe(true)
})

test.each([0, 1])('a connection that breaks ends the other one, whichever it is', async (which) => {
  const other = which === 0 ? right : left
  between[which]?.destroy(new Error('broken'))
  other.resume()
  await once(other, 'end')
  expect(between.every(({ destroyed }) => destroyed)).toBe(true)
})
