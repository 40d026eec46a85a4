import { beforeEach, expect, it } from 'vitest'
import { createLastLook, type LastLook } from '../../../src/lib/last-look.ts'
import { handClock } from '../../kit/hand-clock.ts'

const clock = handClock(0)
let asked: PromiseWithResolvers<string>[]
let heard: (string | null)[][]
let looks: LastLook<string>

beforeEach(() => {
  asked = []
  heard = []
  looks = createLastLook<string>({
    clock,
    look() {
      const one = Promise.withResolvers<string>()
      asked.push(one)
      return one.promise
    },
    ageMs: (found) => (found === 'well' ? 100 : 10),
    heard: (...answers) => void heard.push(answers),
  })
})

async function answered(answer: string): Promise<void> {
  const looking = looks.lookNow()
  asked.at(-1)?.resolve(answer)
  await looking
}

it('nobody looks before the first call, and one at a time', async () => {
  expect(asked).toHaveLength(0)
  expect([looks.last(), asked.length]).toEqual([null, 0])
  expect(looks.known()).toBeNull()
  const both = [looks.lookNow(), looks.lookNow()]
  expect(asked).toHaveLength(1)
  asked[0]?.resolve('well')
  expect(await Promise.all(both)).toEqual(['well', 'well'])
  expect(looks.known()).toBe('well')
  expect(asked).toHaveLength(1)
})

it('an answer counts for its time, and until the next one is there', async () => {
  await answered('well')
  clock.pass(100)
  expect([looks.known(), asked.length]).toEqual(['well', 1])
  clock.pass(1)
  expect([looks.known(), asked.length]).toEqual(['well', 2])
  await answered('ill')
  clock.pass(11)
  expect([looks.known(), asked.length]).toEqual(['ill', 3])
  expect(looks.last()).toBe('ill')
  expect(heard).toEqual([
    ['well', null],
    ['ill', 'well'],
  ])
})

it('looks anew after a look that has begun before', async () => {
  void looks.lookNow()
  const anew = looks.lookAnew()
  asked[0]?.resolve('old')
  await expect.poll(() => asked.length).toBe(2)
  asked[1]?.resolve('new')
  expect(await anew).toBe('new')
})
