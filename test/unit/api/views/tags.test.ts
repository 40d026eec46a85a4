/** Tags as a client reads them. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { tagged, tagsIndex, tagsView } from '../../../../src/api/views/tags.ts'
import type { Tag } from '../../../../src/model/records.ts'
import { account } from '../../../kit/records.ts'
import { oddText, RUNS, seenBySdk } from '../../../kit/views.ts'

const tag: fc.Arbitrary<Tag> = fc.record({
  account: fc.constant(account),
  resource: fc.constantFrom('i-1', 'i-2', 'vol-1'),
  resourceType: fc.constant('instance'),
  key: oddText,
  value: oddText,
})

it('are those of the resource, in their order, however they are looked up', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(tag, { maxLength: 6 }), async (tags) => {
      for (const resource of ['i-1', 'i-2', 'vol-1', 'i-3']) {
        const own = tags.filter((one) => one.resource === resource)
        const expected = own.map(({ key, value }) => ({ Key: key, Value: value }))
        expect(tagsView(tags, resource)).toStrictEqual(expected)
        expect(tagsIndex(tags)(resource)).toStrictEqual(expected)
        expect(await seenBySdk('DescribeTags', { Tags: tagsView(tags, resource) })).toStrictEqual({
          Tags: expected,
        })
      }
    }),
    RUNS,
  )
})

it('are left out of what has none', () => {
  expect(tagged([])).toStrictEqual({})
  expect(tagged([{ Key: 'a', Value: '' }])).toStrictEqual({ Tags: [{ Key: 'a', Value: '' }] })
})
