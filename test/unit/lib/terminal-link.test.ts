import { once } from 'node:events'
import { type Duplex, duplexPair } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { encodeFrame, type TerminalFrame } from '../../../src/lib/terminal-frames.ts'
import { createTerminalLink } from '../../../src/lib/terminal-link.ts'

const NOTHING = Buffer.alloc(0)
const data = (text: string): TerminalFrame => ({ kind: 'data', bytes: Buffer.from(text) })

function pair(beatMs?: number) {
  const [near, far] = duplexPair()
  const options = beatMs === undefined ? {} : { beatMs }
  return {
    ...{ near, far },
    nearLink: createTerminalLink(near, NOTHING, options),
    farLink: createTerminalLink(far, NOTHING, options),
  }
}

/** What a link says until it ends. */
async function all(frames: AsyncIterable<TerminalFrame>): Promise<readonly TerminalFrame[]> {
  const seen: TerminalFrame[] = []
  for await (const frame of frames) seen.push(frame)
  return seen
}

test('what one end says the other hears, up to the last, and what was read already first', async () => {
  const [near, far] = duplexPair()
  const nearLink = createTerminalLink(near, NOTHING)
  const farLink = createTerminalLink(far, encodeFrame(data('zero')))
  const heard = all(farLink.frames())
  await nearLink.send(data('one'))
  await nearLink.send({ kind: 'eof' })
  await nearLink.close({ kind: 'end', exitCode: 3, reason: 'over' })
  expect(await heard).toEqual([
    data('zero'),
    data('one'),
    { kind: 'eof' },
    { kind: 'end', exitCode: 3, reason: 'over' },
  ])
  await farLink.close()
  await farLink.close()
})

test('nobody is written to faster than it reads, and who waits learns that it is gone', async () => {
  const { near, far, nearLink } = pair()
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
  expect(near.writableLength + far.readableLength).toBeLessThan(1_000_000)
  near.destroy()
  await failed
  await expect(nearLink.send(data('x'))).rejects.toThrow(/lost/)
})

test('an end that falls silent is given up; one that beats is not', async () => {
  const beatMs = 20
  const lively = pair(beatMs)
  // Reads, but never says anything.
  const mute: Duplex = duplexPair()[0]
  const alone = createTerminalLink(mute, NOTHING, { beatMs })
  await expect(all(alone.frames())).rejects.toThrow(/silent/)
  const heard = all(lively.farLink.frames())
  await lively.nearLink.send(data('still here'))
  await lively.nearLink.close()
  expect(await heard).toEqual([data('still here')])
  await lively.farLink.close()
})

test('bytes that are no frames end the connection', async () => {
  const { near, farLink } = pair()
  const heard = all(farLink.frames())
  near.write(Buffer.from([99, 0, 0]))
  await expect(heard).rejects.toThrow(/not understood/)
  expect(farLink.gone.aborted || (await once(farLink.gone, 'abort'))).toBeTruthy()
})
