/** Descriptors that are watched without being read, on real sockets. */
import { createSocket, type Socket } from 'node:dgram'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { loadLibc } from '../../../../src/host/libc.ts'
import { createDatagrams } from '../../../../src/host/sockets/datagrams.ts'
import { loadSocketInspector } from '../../../../src/host/sockets/inspect.ts'
import { createReadability } from '../../../../src/host/sockets/readable.ts'
import { nextTurn } from '../../../../src/lib/clock.ts'
import { ipv4 } from '../../../../src/model/addr.ts'

const LOOPBACK = ipv4('127.0.0.1')
const libc = loadLibc()
const readability = createReadability()
const datagrams = createDatagrams(100)
let sender: Socket
beforeAll(() => {
  sender = createSocket('udp4')
})
afterAll(() => sender.close())

/** A socket of its own, and what sends to it. */
function open() {
  const fd = libc.udpSocket()
  libc.bind(fd, LOOPBACK, 0)
  const port = loadSocketInspector().inspect(fd)?.port ?? 0
  const send = (text: string) =>
    new Promise<void>((resolve, reject) =>
      sender.send(text, port, LOOPBACK, (error) => (error === null ? resolve() : reject(error))),
    )
  return { fd, send }
}

it('says that datagrams wait, as long as they do', async () => {
  const { fd, send } = open()
  const heard: string[] = []
  const all = Promise.withResolvers<void>()
  let turns = 0
  const unwatch = readability.watch(fd, {
    readable() {
      turns += 1
      // Nobody reads in the first turn.
      const count = turns === 1 ? 0 : datagrams.receive(fd)
      for (let at = 0; at < count; at += 1) heard.push(String(datagrams.bytes(at)))
      if (heard.includes('two')) all.resolve()
    },
    failed: all.reject,
  })
  await send('one')
  await send('two')
  await all.promise
  expect(heard).toEqual(['one', 'two'])
  unwatch()
  libc.close(fd)
})

it('says of many descriptors which one it is, and nothing once it is not watched', async () => {
  const sockets = Array.from({ length: 50 }, open)
  const heard: number[] = []
  let waiting = Promise.withResolvers<void>()
  const unwatch = sockets.map(({ fd }, at) =>
    readability.watch(fd, {
      readable() {
        datagrams.receive(fd)
        heard.push(at)
        waiting.resolve()
      },
      failed: waiting.reject,
    }),
  )
  for (const at of [7, 49, 0, 7]) {
    waiting = Promise.withResolvers()
    await sockets[at]?.send('hello')
    await waiting.promise
  }
  expect(heard).toEqual([7, 49, 0, 7])

  // It was readable before it was not watched any more.
  await sockets[3]?.send('hello')
  unwatch[3]?.()
  expect(() => unwatch[3]?.()).toThrow('not watched any more')
  waiting = Promise.withResolvers()
  await sockets[4]?.send('hello')
  await waiting.promise
  expect(heard.slice(4)).toEqual([4])
  // What it was read by is as before, and another one may be watched by the same number.
  expect(datagrams.receive(sockets[3]?.fd ?? 0)).toBe(1)
  for (const [at, { fd }] of sockets.entries()) {
    if (at !== 3) unwatch[at]?.()
    libc.close(fd)
  }
  await nextTurn()
  const next = open()
  waiting = Promise.withResolvers()
  const stop = readability.watch(next.fd, {
    readable: waiting.resolve,
    failed: waiting.reject,
  })
  await next.send('hello')
  await waiting.promise
  stop()
  libc.close(next.fd)
})

it('refuses what cannot be watched', () => {
  expect(() =>
    readability.watch(1_000_000, { readable: () => undefined, failed: () => undefined }),
  ).toThrow('cannot be watched')
})
