/**
 * Images of virtual machines from a web server that misbehaves: what the log says, and what a
 * client is told.
 */
import type { ServerResponse } from 'node:http'
import { describe, expect, test } from 'vitest'
import type { Log } from '../../../src/lib/log.ts'
import { explain } from '../../../src/model/errors.ts'
import { parseAccountId } from '../../../src/model/ids.ts'
import { MIB } from '../../../src/model/sizes.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { fastClock } from '../../kit/fast-clock.ts'
import { type FileServer, serveFile, startFileServer } from '../../kit/file-server.ts'
import { failure, image, imageFixtureOfEachTest, noise, settled } from '../../kit/machine-images.ts'

/**
 * Where somebody must fall silent, half a minute is a second: a request of ours must have arrived
 * within it.
 */
const fast = fastClock(30)

const fixture = imageFixtureOfEachTest()

describe('a web server', () => {
  const content = noise(3 * MIB)
  const tag = '"one"'

  test.each<readonly [string, number | null, RegExp, (response: ServerResponse) => void]>([
    [
      'sends less than it says',
      6,
      /aborted|ended after/,
      (response) => {
        response.writeHead(200, { 'content-length': 2 * 4096 })
        response.write(Buffer.alloc(4096), () => response.destroy())
      },
    ],
    [
      'says that it is too long',
      1,
      /images\.maxGiB/,
      (response) => {
        response.writeHead(200, { 'content-length': 17 * MIB })
        response.flushHeaders()
      },
    ],
    [
      'sends too much',
      1,
      /images\.maxGiB/,
      (response) => {
        const more = (): void => {
          while (response.write(Buffer.alloc(MIB)));
          response.once('drain', more)
        }
        more()
      },
    ],
    [
      'falls silent',
      // It begins again each time instead of going on where it was, which is put up with three
      // times.
      5,
      /silent for 30 seconds/,
      (response) => {
        response.writeHead(200, { 'content-length': 4096, etag: tag })
        response.write(Buffer.alloc(1024))
      },
    ],
    ['says nothing at all', null, /silent for 30 seconds|not begun in time/, () => undefined],
    [
      'redirects for ever',
      36,
      /redirects more than 5 times/,
      (response) => {
        response.writeHead(302, { location: '/image.img' }).end()
      },
    ],
    [
      'redirects to a file',
      6,
      /redirects to file:/,
      (response) => {
        response.writeHead(302, { location: 'file:///etc/shadow' }).end()
      },
    ],
    [
      'redirects to nowhere',
      6,
      /where to/,
      (response) => {
        response.writeHead(302).end()
      },
    ],
    [
      'redirects with a password',
      6,
      /password/,
      (response) => {
        response.writeHead(302, { location: 'http://a:b@127.0.0.1/x.img' }).end()
      },
    ],
    [
      'packs what it sends',
      6,
      /content encoding \(gzip\)/,
      (response) => {
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(Buffer.alloc(512))
      },
    ],
    [
      'does not have it',
      6,
      /status 404/,
      (response) => {
        response.writeHead(404).end('<html>')
      },
    ],
    [
      'is overloaded',
      6,
      /status 503/,
      (response) => {
        response.writeHead(503).end()
      },
    ],
    [
      'sends nothing',
      1,
      /is empty/,
      (response) => {
        response.end()
      },
    ],
    [
      'sends an error page',
      1,
      /is a web page/,
      (response) => {
        response.end(`<!DOCTYPE html>${' '.repeat(512)}`)
      },
    ],
  ])('that %s', async (_what, requests, why, answer) => {
    await using server = await startFileServer((_request, response) => answer(response))
    const { log, reasons } = reasonsLog()
    const clocks = why.source.includes('silent') ? { clock: fast } : {}
    await using images = fixture().open({ log, ...clocks })
    const message = await failure(images, server.url)
    // What it says of itself when it has sent something is told; all else is for the log.
    if (/maxGiB|web page|empty/.test(why.source)) expect(message).toMatch(why)
    else expect(message).toBe(`${server.url} cannot be fetched from this host`)
    expect(reasons()).toMatch(why)
    if (requests !== null) expect(server.ranges).toHaveLength(requests)
  })

  test('that cannot be reached', async () => {
    const server: FileServer = await startFileServer(() => undefined)
    await server[Symbol.asyncDispose]()
    const { log, reasons } = reasonsLog()
    await using images = fixture().open({ log })
    expect(await failure(images, server.url)).toBe(`${server.url} cannot be fetched from this host`)
    expect(reasons()).toMatch(/ECONNREFUSED/)
  })

  test('that sends a byte now and then is given up, and others of the account wait no longer than that', async () => {
    await using slow = await startFileServer((_request, response) => {
      response.writeHead(200, { 'content-length': MIB, etag: tag })
      const timer = setInterval(() => response.write('x'), 100)
      response.on('close', () => clearInterval(timer))
    })
    await using good = await startFileServer((request, response) =>
      serveFile(request, response, { content, tag }),
    )
    const { log, reasons } = reasonsLog()
    await using images = fixture().open({ log, clock: fastClock(60) })
    const wants = [1, 2, 3].map((n) => image(`${slow.url}?${n}`, null, n))
    for (const want of wants) images.look(want)
    const other = { ...image(good.url, null, 9), account: parseAccountId('123456789012') }
    // Another account's is not behind them.
    expect(await settled(images, other)).toMatchObject({ kind: 'ready' })
    for (const want of wants) expect(await settled(images, want)).toMatchObject({ kind: 'failed' })
    expect(reasons()).toMatch(/less than 491520 bytes in a minute|silent/)
  })
})

/** A log that keeps why images failed. */
function reasonsLog() {
  const errors: unknown[] = []
  const log: Log = {
    ...silentLog,
    warn: (fields) => errors.push(Reflect.get(fields, 'error')),
  }
  return { log, reasons: () => errors.map((error) => explain(error)).join('\n') }
}
