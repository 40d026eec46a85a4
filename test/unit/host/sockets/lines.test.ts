/**
 * However a stream of the engine's ends, its reader ends too, and nobody is left to hear an error.
 */
import { once } from 'node:events'
import {
  createServer,
  get,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { linesOf } from '../../../../src/host/sockets/lines.ts'

const never = new AbortController().signal

async function all(lines: AsyncIterable<string>): Promise<readonly string[]> {
  return await Array.fromAsync(lines)
}

test('however the bytes are cut, the lines are the same', async () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'ä', '😀', '"', ' '), maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(
      fc.array(text, { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 1, max: 5 }),
      async (lines, size) => {
        const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''))
        const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
          bytes.subarray(index * size, (index + 1) * size),
        )
        expect(await all(linesOf(Readable.from(chunks), never))).toEqual(lines)
      },
    ),
  )
})

test('a last line without an end is a line', async () => {
  expect(await all(linesOf(Readable.from([Buffer.from('a\nb')]), never))).toEqual(['a', 'b'])
})

test('a line that never ends is given up', async () => {
  const endless = Readable.from(
    (function* () {
      for (;;) yield Buffer.alloc(1024, 'x')
    })(),
  )
  await expect(all(linesOf(endless, never))).rejects.toMatchObject({ kind: 'unavailable' })
  expect(endless.destroyed).toBe(true)
})

describe('a response', () => {
  let server: Server
  let response: ServerResponse
  let stream: IncomingMessage

  beforeEach(async () => {
    server = createServer((_request, outgoing) => {
      response = outgoing
      outgoing.write('first\n')
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const request = get({ host: '127.0.0.1', port })
    ;[stream] = await once(request, 'response')
    // As the engine's client does: a response that is destroyed is an error of its request, too.
    request.on('error', () => {})
  })
  afterEach(() => {
    server.closeAllConnections()
    server.close()
  })

  test('that is cut off rejects', async () => {
    const read = all(linesOf(stream, never))
    response.destroy()
    await expect(read).rejects.toMatchObject({ code: 'ECONNRESET' })
  })

  test('that is aborted rejects at once', async () => {
    const abort = new AbortController()
    const read = all(linesOf(stream, abort.signal))
    abort.abort()
    await expect(read).rejects.toMatchObject({ name: 'AbortError' })
  })

  test('whose reader leaves early is destroyed, and its later end reaches nobody', async () => {
    for await (const line of linesOf(stream, never)) {
      expect(line).toBe('first')
      break
    }
    expect(stream.destroyed).toBe(true)
    // An uncaught exception would fail this run.
    response.destroy()
    if (!stream.closed) await once(stream, 'close')
  })
})
