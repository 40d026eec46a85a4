import { describe, expect, it } from 'vitest'
import { createLimit, createQueues, createSingleFlight } from '../../../src/lib/queue.ts'

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

it('does once what is asked for together, and again what is asked for later', async () => {
  const once = createSingleFlight<string, number>()
  let runs = 0
  const ends: (() => void)[] = []
  const work = async () => {
    runs += 1
    await new Promise<void>((resolve) => ends.push(resolve))
    return runs
  }
  const both = [once('a', work), once('a', work)]
  expect(runs).toBe(1)
  ends[0]?.()
  expect(await Promise.all(both)).toEqual([1, 1])
  const failing = once('a', () => Promise.reject(new Error('no')))
  await expect(failing).rejects.toThrow('no')
  const again = once('a', work)
  ends[1]?.()
  expect(await again).toBe(2)
})

describe('a limit', () => {
  it('begins at once where there is a place, and gives places round among owners', async () => {
    const limit = createLimit({ places: 2 })
    const begun: string[] = []
    const ends = new Map<string, () => void>()
    const works = ['a1', 'a2', 'a3', 'a4', 'b1'].map((name) =>
      limit.run({ owner: name.slice(0, 1) }, () => {
        begun.push(name)
        return new Promise<void>((resolve) => ends.set(name, resolve))
      }),
    )
    expect(begun).toEqual(['a1', 'a2'])
    for (const next of ['a3', 'b1', 'a4']) {
      ends.get(begun[begun.length - 2] ?? '')?.()
      await expect.poll(() => begun.at(-1)).toBe(next)
    }
    for (const end of ends.values()) end()
    await Promise.all(works)
  })

  it('passes over whoever has gone, and takes no place for them', async () => {
    const limit = createLimit({ places: 1 })
    const leave = await limit.take({})
    const impatient = new AbortController()
    const left = limit.take({}, impatient.signal)
    const stays = limit.take({})
    impatient.abort(new Error('gone'))
    await expect(left).rejects.toThrow('gone')
    leave()
    leave()
    const second = await stays
    let third = false
    const next = limit.take({}).then((end) => {
      third = true
      return end
    })
    await new Promise(setImmediate)
    expect(third).toBe(false)
    second()
    ;(await next)()
  })
})
