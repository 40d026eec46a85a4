/** The limit of lookups: how many work at once, for whom, and who does not even wait. */
import { expect, test } from 'vitest'
import { createAccountLimit } from '../../../src/images/lookups.ts'

const never = new AbortController().signal

/** Work that goes on until it is told to end. */
function work() {
  const begun: string[] = []
  const ends = new Map<string, () => void>()
  const doing = (key: string) => () => {
    begun.push(key)
    const { promise, resolve } = Promise.withResolvers<void>()
    ends.set(key, resolve)
    return promise
  }
  return { begun, doing, end: (key: string) => ends.get(key)?.() }
}

test('so many at once, so many of one owner, and one at a thing', async () => {
  const turns = createAccountLimit(3, 2)
  const { begun, doing, end } = work()
  const all = [
    ['a', 'me'],
    ['a', 'other'],
    ['b', 'me'],
    ['c', 'me'],
    ['d', 'other'],
    ['e', 'other'],
  ].map(([key = '', owner = '']) => turns.run({ key, owner }, doing(`${key} ${owner}`), never))
  await Promise.resolve()
  expect(begun).toEqual(['a me', 'b me', 'd other'])
  // Places go round among the owners, and none to what another works at.
  end('b me')
  await all[2]
  await expect.poll(() => begun).toEqual(['a me', 'b me', 'd other', 'e other'])
  end('a me')
  await expect.poll(() => begun.at(-1)).toBe('c me')
  end('d other')
  await expect.poll(() => begun.at(-1)).toBe('a other')
  for (const key of ['a other', 'c me', 'e other']) end(key)
  await Promise.all(all)
})

test('whoever asks for far too much is refused, and nobody else', async () => {
  const turns = createAccountLimit(1, 1)
  const { begun, doing, end } = work()
  const mine = Array.from({ length: 102 }, (_, n) =>
    turns
      .run({ key: `${n}`, owner: 'me' }, doing(`${n}`), never)
      .catch((error: Error) => error.message),
  )
  expect(await mine[101]).toMatch(/are waiting already/)
  const other = turns.run({ key: 'x', owner: 'other' }, doing('x'), never)
  end('0')
  await expect.poll(() => begun.at(-1)).toBe('1')
  end('1')
  // Nor does the other wait behind all that was asked for before.
  await expect.poll(() => begun.at(-1)).toBe('x')
  end('x')
  for (let n = 2; n < 101; n += 1) {
    await expect.poll(() => begun).toContain(`${n}`)
    end(`${n}`)
  }
  await Promise.all([...mine, other])
})
