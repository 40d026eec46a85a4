/**
 * The QMP client against peers that do not keep to the protocol: a guest may have taken its QEMU
 * over.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectQmp, type QmpEvent } from '../../../src/machines/qmp.ts'

const GREETING = '{"QMP": {"version": {}, "capabilities": []}}\r\n'
let dir: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'atoll-qmp-'))
})
afterAll(() => rm(dir, { recursive: true }))

let sockets = 0

/**
 * A peer that greets, agrees on capabilities, and then does as `answer` says with each question.
 */
async function peer(answer: (socket: Socket, question: { id: number; execute: string }) => void) {
  const path = join(dir, String(sockets++))
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.write(GREETING)
    socket.on('data', (bytes) => {
      for (const line of bytes.toString().trim().split('\n')) {
        const question = JSON.parse(line)
        if (question.execute === 'qmp_capabilities')
          socket.write(`{"return": {}, "id": ${question.id}}\r\n`)
        else answer(socket, question)
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  return { path, close: () => server.close() }
}

describe('a QMP connection', () => {
  test('matches answers by id, whatever their order, and passes events on', async () => {
    const asked: number[] = []
    const { path, close } = await peer((socket, { id }) => {
      asked.push(id)
      if (asked.length < 3) return
      socket.write('{"event": "SHUTDOWN", "data": {"guest": true}, "timestamp": {}}\r\n')
      for (const each of asked.toReversed()) socket.write(`{"return": ${each}, "id": ${each}}\r\n`)
    })
    const events: QmpEvent[] = []
    const qmp = await connectQmp(path, (event) => events.push(event))
    const answers = await Promise.all(['a', 'b', 'c'].map((each) => qmp.execute(each)))
    expect(answers).toEqual(asked)
    expect(events).toEqual([{ name: 'SHUTDOWN', data: { guest: true } }])
    qmp.close()
    await qmp.closed
    close()
  })

  test('an error is told with its words, and what is asked after the end is refused', async () => {
    const { path, close } = await peer((socket, { id }) =>
      socket.write(`{"error": {"class": "GenericError", "desc": "no such disk"}, "id": ${id}}\r\n`),
    )
    const qmp = await connectQmp(path, () => undefined)
    await expect(qmp.execute('eject')).rejects.toThrow('no such disk')
    qmp.close()
    await qmp.closed
    await expect(qmp.execute('quit')).rejects.toMatchObject({ kind: 'unavailable' })
    close()
  })

  test('nobody there is unavailable', async () => {
    await expect(connectQmp(join(dir, 'none'), () => undefined)).rejects.toMatchObject({
      kind: 'unavailable',
    })
  })

  test('whatever else comes ends the connection, and every question with it', async () => {
    const noise = fc.oneof(
      fc.string({ minLength: 1 }).map((text) => `${text.replaceAll('\n', ' ')}x\n`),
      fc.json().map((json) => `${json}\n`),
      fc.constant('x'.repeat(100_000)),
    )
    await fc.assert(
      fc.asyncProperty(noise, async (text) => {
        const { path, close } = await peer((socket) => {
          socket.end(text)
        })
        const qmp = await connectQmp(path, () => undefined)
        await expect(qmp.execute('query-status')).rejects.toMatchObject({ kind: 'unavailable' })
        await qmp.closed
        close()
      }),
      { numRuns: 50 },
    )
  })
})
