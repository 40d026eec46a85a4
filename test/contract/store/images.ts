/** The `Store` contract: when the record of a deregistered image goes. */
import { describe, expect, it } from 'vitest'
import { parseHostName } from '../../../src/model/ids.ts'
import type { Image, Instance } from '../../../src/model/records.ts'
import { type StoreFixture, storeFixture } from './fixture.ts'
import * as given from './records.ts'

const ELSEWHERE = parseHostName('elsewhere') ?? given.image(1).host

/** Which images go: deregistered, of this host, and no instance needs them. */
export function describeUnusedImages(begin: () => Promise<StoreFixture>): void {
  describe('an image that nobody needs', () => {
    const fixture = storeFixture(begin)

    it('goes, and no other', async () => {
      const states: readonly Image['state'][] = ['pending', 'available', 'failed', 'deregistered']
      const users: readonly (Instance['state'] | null)[] = [
        null,
        'terminated',
        'stopped',
        'running',
      ]
      const cases = states.flatMap((state) =>
        users.flatMap((user) =>
          [given.image(1).host, ELSEWHERE].map((host, index) => ({ state, user, host, index })),
        ),
      )
      const left = await fixture.store.change(async (tx) => {
        for (const [n, { state, user, host }] of cases.entries()) {
          const image = given.image(n + 1, { state, host })
          await tx.insertImage(image)
          if (user !== null)
            await tx.insertInstance(given.instance(n + 1, { image: image.id, state: user }))
        }
        await tx.deleteUnusedImages(given.image(1).host, given.NOW)
        return await tx.images({})
      })
      const expected = cases.flatMap(({ state, user, index }, n) => {
        const isUnused = user === null || user === 'terminated'
        return state === 'deregistered' && isUnused && index === 0 ? [] : [given.image(n + 1).id]
      })
      expect(left.map(({ id }) => id)).toEqual([...expected].sort())
      expect(left.length).toBe(cases.length - 2)
    })
  })
}
