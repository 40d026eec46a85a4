import { once } from 'node:events'
import { type Duplex, duplexPair } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { createTerminalLink, SOCKET_LIMITS } from '../../../src/lib/terminal-link.ts'
import { TERMINAL_PROTOCOLS, type TerminalMessage } from '../../../src/lib/terminal-protocol.ts'

const NOTHING = Buffer.alloc(0)
const data = (text: string): TerminalMessage => ({ kind: 'data', bytes: Buffer.from(text) })

/** An end of a WebSocket whose handshake is over, as ws makes one of an upgraded connection. */
function socketOf(stream: Duplex, isServer: boolean, head = NOTHING): WebSocket {
  interface Inner {
    new (address: null, protocols: undefined, options: object): WebSocket
  }
  const socket = new (WebSocket as unknown as Inner)(null, undefined, { autoPong: true })
  const inner = socket as unknown as {
    _isServer: boolean
    _protocol: string
    setSocket(stream: Duplex, head: Buffer, options: object): void
  }
  inner._isServer = isServer
  inner._protocol = TERMINAL_PROTOCOLS.v1
  inner.setSocket(stream, head, { ...SOCKET_LIMITS, allowSynchronousEvents: true })
  return socket
}

function pair(pingMs?: number) {
  const [near, far] = duplexPair()
  const options = pingMs === undefined ? {} : { pingMs }
  const nearSocket = socketOf(near, true)
  return {
    ...{ near, far, nearSocket },
    nearLink: createTerminalLink(nearSocket, 'host', options),
    farLink: createTerminalLink(socketOf(far, false), 'client', options),
  }
}

/** What a link says until it ends. */
async function all(messages: AsyncIterable<TerminalMessage>): Promise<readonly TerminalMessage[]> {
  const seen: TerminalMessage[] = []
  for await (const message of messages) seen.push(message)
  return seen
}

test('what one end sends the other receives, up to the last frame', async () => {
  const { nearLink, farLink } = pair()
  const heard = all(farLink.messages())
  await nearLink.send({ kind: 'attached', terminal: 'shell' })
  await nearLink.send(data('one'))
  await nearLink.send(data(''))
  await nearLink.close({ kind: 'exit', exitCode: 3, reason: 'over' })
  expect(await heard).toEqual([
    { kind: 'attached', terminal: 'shell' },
    data('one'),
    { kind: 'exit', exitCode: 3, reason: 'over' },
  ])
  await farLink.close()
  await farLink.close()
})

test('nobody is written to faster than it reads, and who waits learns that it is gone', async () => {
  const { near, far, nearLink, nearSocket } = pair()
  let sent = 0
  const sending = (async () => {
    while (sent < 1000) {
      await nearLink.send(data('x'.repeat(60_000)))
      sent += 1
    }
  })()
  const failed = expect(sending).rejects.toThrow()
  for (let turn = 0; turn < 100; turn += 1) await nextTurn()
  expect(sent).toBeLessThan(10)
  const kept = near.writableLength + far.readableLength + nearSocket.bufferedAmount
  expect(kept).toBeLessThan(1_000_000)
  near.destroy()
  await failed
  await expect(nearLink.send(data('x'))).rejects.toThrow(/lost/)
})

test('nothing is read while nobody takes it', async () => {
  const { farLink, nearLink, nearSocket } = pair()
  let sent = 0
  const sending = (async () => {
    for (; sent < 1000; sent += 1) await farLink.send(data('x'.repeat(60_000)))
  })()
  for (let turn = 0; turn < 100; turn += 1) await nextTurn()
  expect(sent).toBeLessThan(10)
  expect(nearSocket.isPaused).toBe(true)
  // Who closes is heard all the same.
  const failed = expect(sending).rejects.toThrow()
  await nearLink.close()
  await failed
})

test('an end that falls silent is given up; one that answers is not', async () => {
  // A busy machine may keep even a lively end waiting for a while.
  const pingMs = 500
  const lively = pair(pingMs)
  // Reads, but never says anything.
  const mute: Duplex = duplexPair()[0]
  const alone = createTerminalLink(socketOf(mute, true), 'host', { pingMs })
  await expect(all(alone.messages())).rejects.toThrow(/stopped answering/)
  const heard = all(lively.farLink.messages())
  await lively.nearLink.send(data('still here'))
  await lively.nearLink.close()
  expect(await heard).toEqual([data('still here')])
  await lively.farLink.close()
})

test('bytes that are no frames end the connection', async () => {
  const { near, farLink } = pair()
  const heard = all(farLink.messages())
  near.write(Buffer.from([0xff, 0, 0]))
  await expect(heard).rejects.toThrow(/WebSocket frame/)
  await farLink.close()
  expect(farLink.gone.aborted || (await once(farLink.gone, 'abort'))).toBeTruthy()
})
