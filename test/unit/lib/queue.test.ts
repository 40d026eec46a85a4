import { expect, it } from 'vitest'
import { createQueues } from '../../../src/lib/queue.ts'

it('does what has one key in turn, whatever fails, and what has another meanwhile', async () => {
  const inTurn = createQueues<string>()
  const told: string[] = []
  const first = Promise.withResolvers<void>()
  const failing = inTurn('a', async () => {
    told.push('a begins')
    await first.promise
    throw new Error('the first failed')
  })
  const second = inTurn('a', async () => told.push('a goes on'))
  await inTurn('b', async () => told.push('b'))
  expect(told).toEqual(['a begins', 'b'])
  first.resolve()
  await expect(failing).rejects.toThrow('the first failed')
  await second
  expect(told).toEqual(['a begins', 'b', 'a goes on'])
})
