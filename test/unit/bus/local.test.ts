/** What only the bus in the process promises: coalescing and its limit. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { createLocalBus } from '../../../src/bus/local.ts'
import { formatId, type HostName } from '../../../src/model/ids.ts'

const HOST = 'host-1' as HostName
const ASK = { instance: formatId('i', new Uint8Array(9)) }

it('bells of one turn arrive as one', async () => {
  const bus = createLocalBus()
  let heard = 0
  bus.onBell(() => {
    heard += 1
  })
  for (let rung = 0; rung < 1000; rung += 1) bus.ring(HOST)
  await nextTurn()
  await nextTurn()
  expect(heard).toBe(1)
  bus.ring(HOST)
  await nextTurn()
  await nextTurn()
  expect(heard).toBe(2)
  await bus.close()
})

it('turns away questions beyond its limit, and takes new ones when old ones have ended', async () => {
  const bus = createLocalBus()
  const mayAnswer = Promise.withResolvers<void>()
  bus.onAsk('console', async () => {
    await mayAnswer.promise
    return { output: '', at: '' }
  })
  const ask = () => bus.ask(HOST, 'console', ASK, { timeoutMs: 10_000 })
  const open = Array.from({ length: 1000 }, ask)
  await expect(ask()).rejects.toMatchObject({ kind: 'unavailable' })
  mayAnswer.resolve()
  await Promise.all(open)
  await expect(ask()).resolves.toBeDefined()
  await bus.close()
})
