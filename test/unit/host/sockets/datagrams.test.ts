import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type Libc, loadLibc } from '../../../../src/host/libc.ts'
import { BATCH, createDatagrams } from '../../../../src/host/sockets/datagrams.ts'
import { ipv4, ipv4FromNumber, ipv4ToNumber } from '../../../../src/model/addr.ts'
import { eventually } from '../../../../tools/kit/netns.ts'

const CLIENT = ipv4('127.0.0.1')
/** An address of loopback that no other test has. */
const SERVER = ipv4FromNumber(ipv4ToNumber(ipv4('127.64.0.0')) + (process.pid % 2 ** 20))
const PORT = 5300
const MAX_BYTES = 100

let libc: Libc
let server: number
let client: Socket
let heard: string[]

beforeEach(async () => {
  libc = loadLibc()
  server = libc.udpSocket()
  libc.bind(server, SERVER, PORT)
  client = createSocket('udp4').bind(0, CLIENT)
  await once(client, 'listening')
  heard = []
  client.on('message', (bytes) => heard.push(bytes.toString()))
})
afterEach(() => {
  libc.close(server)
  client.close()
})

/** Sends these; they wait at the server's socket when it returns. */
async function send(texts: readonly string[]): Promise<void> {
  for (const text of texts)
    await new Promise<void>((done) => client.send(text, PORT, SERVER, () => done()))
}

const numbered = (count: number) => Array.from({ length: count }, (_, at) => `question ${at}`)

it('reads a batch, then the rest, then nothing, and says who sent what', async () => {
  const datagrams = createDatagrams(MAX_BYTES)
  const texts = numbered(BATCH + 3)
  await send(texts)
  const read: string[] = []
  for (const expected of [BATCH, 3, 0]) {
    const count = datagrams.receive(server)
    expect(count).toBe(expected)
    for (let at = 0; at < count; at += 1) {
      read.push(datagrams.bytes(at).toString())
      expect(datagrams.sender(at)).toBe(ipv4ToNumber(CLIENT))
      expect(datagrams.port(at)).toBe(client.address().port)
    }
  }
  expect(read).toEqual(texts)
})

it('sends each answer to its sender, in any order, and keeps none for the next time', async () => {
  const datagrams = createDatagrams(MAX_BYTES)
  await send(numbered(5))
  expect(datagrams.receive(server)).toBe(5)
  for (const at of [3, 0, 4]) datagrams.answer(at, Buffer.from(`answer ${at}`))
  expect(datagrams.send(server)).toBe(0)
  expect(datagrams.send(server)).toBe(0)
  await eventually('the answers', () => heard.length === 3)
  expect(heard).toEqual(['answer 3', 'answer 0', 'answer 4'])
})

it('cuts what is longer than it has room for', async () => {
  const datagrams = createDatagrams(MAX_BYTES)
  await send(['x'.repeat(300), 'short'])
  expect(datagrams.receive(server)).toBe(2)
  expect([0, 1].map((at) => datagrams.bytes(at).length)).toEqual([MAX_BYTES, 5])
})

it('refuses an answer that no frame holds', async () => {
  const datagrams = createDatagrams(MAX_BYTES)
  await send(['one'])
  datagrams.receive(server)
  expect(datagrams.answer(0, Buffer.alloc(1501))).toBe(false)
  expect(datagrams.answer(0, Buffer.from('ok'))).toBe(true)
  datagrams.send(server)
  await eventually('the answer', () => heard.length === 1)
})

it('counts the answers that the kernel refuses, and reads nothing of a closed descriptor', async () => {
  const datagrams = createDatagrams(MAX_BYTES)
  await send(numbered(3))
  datagrams.receive(server)
  for (const at of [0, 1, 2]) datagrams.answer(at, Buffer.from('answer'))
  expect(datagrams.send(-1)).toBe(3)
  expect(datagrams.receive(-1)).toBe(0)
})
