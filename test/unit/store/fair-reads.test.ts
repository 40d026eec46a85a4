import { expect, it } from 'vitest'
import { shareReads } from '../../../src/store/fair-reads.ts'
import { withoutReplica } from '../../../src/store/replica-reads.ts'
import { known, parts } from '../../kit/api.ts'

/** A store whose reads are under way until they are told to end. */
function heldStore() {
  const under: { readonly end: () => void }[] = []
  const store = withoutReplica({
    ...parts().store,
    async read(work) {
      const held = Promise.withResolvers<void>()
      under.push({ end: held.resolve })
      await held.promise
      return await work({} as never)
    },
  })
  return { store, under }
}

/** Until everything that can go on has gone on. */
const settled = () => new Promise(setImmediate)

it('one owner’s reads leave places for the others', async () => {
  const { store, under } = heldStore()
  const storeOf = shareReads(store)
  const many = Array.from({ length: 20 }, () => storeOf('many').read(async () => 'many'))
  await settled()
  expect(under).toHaveLength(2)
  const few = storeOf('few').read(async () => 'few')
  await settled()
  expect(under).toHaveLength(3)
  known(under[2]).end()
  expect((await few).value).toBe('few')
  for (let ended = 0; ended < 21; ended += 1) {
    known(under[ended]).end()
    await settled()
  }
  expect((await Promise.all(many)).map(({ value }) => value)).toStrictEqual(
    Array.from({ length: 20 }, () => 'many'),
  )
})

it('gives its place back when a read fails', async () => {
  const { store, under } = heldStore()
  const storeOf = shareReads(store)
  for (let again = 0; again < 10; again += 1) {
    const failing = storeOf('one').read(() => Promise.reject(new Error('broken')))
    await settled()
    known(under[again]).end()
    await expect(failing).rejects.toThrow('broken')
  }
})
