/** DescribeManagedPrefixLists. */
import { z } from 'zod'
import { isAmong, refuseMissing } from '../describe.ts'
import { missingPrefixLists, prefixListIdSchema } from '../networks/prefix-lists.ts'
import { describeAction } from '../read.ts'
import { IDS_MAX, pagedShape } from '../schemas.ts'
import { PREFIX_LIST_FILTERS, prefixListView } from '../views/prefix-list.ts'
import { tagsIndex } from '../views/tags.ts'

/** The account's prefix lists. Unlike in EC2 there are none of services. */
export const describeManagedPrefixLists = describeAction({
  name: 'DescribeManagedPrefixLists',
  input: z.strictObject({
    ...pagedShape(1, 100, { larger: 'refused' }),
    PrefixListIds: z.array(prefixListIdSchema).max(IDS_MAX).default([]),
  }),
  rows: ({ PrefixListIds: ids }, { account, read }) =>
    read(async (tx) => {
      const lists = await tx.prefixLists({ account })
      refuseMissing(ids, new Set(lists.map(({ id }) => id)), missingPrefixLists)
      const resources = lists.map(({ id }) => id)
      const tagsOf = tagsIndex(await tx.tags({ account, resources }))
      const isWanted = isAmong(ids)
      return lists.filter(({ id }) => isWanted(id)).map((list) => ({ list, tags: tagsOf(list.id) }))
    }),
  view: ({ list, tags }, _asked, { settings }) => prefixListView(list, tags, settings),
  key: (list) => list.PrefixListId ?? '',
  filters: PREFIX_LIST_FILTERS,
  tags: (list) => list.Tags ?? [],
  answer: (PrefixLists) => ({ PrefixLists }),
})
