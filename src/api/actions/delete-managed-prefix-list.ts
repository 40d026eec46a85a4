/** DeleteManagedPrefixList: only a list that no rule of a security group names. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { changeAction } from '../change.ts'
import { prefixListIdSchema, requirePrefixList, withTags } from '../networks/prefix-lists.ts'
import { prefixListView } from '../views/prefix-list.ts'
import { tagsView } from '../views/tags.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteManagedPrefixList.html */
export const deleteManagedPrefixList = changeAction({
  name: 'DeleteManagedPrefixList',
  input: z.strictObject({ PrefixListId: prefixListIdSchema }),
  async change(tx, { PrefixListId: id }, { account }) {
    await tx.takeTurn(account)
    const shown = await withTags(tx, await requirePrefixList(tx, account, id))
    if ((await tx.deletePrefixList({ id })) === 'in-use')
      throw refused(
        'DependencyViolation',
        `The prefixList '${id}' has dependencies and cannot be deleted: rules of security groups name it`,
      )
    await tx.deleteTagsOf(id)
    return shown
  },
  view: ({ list, tags }, { settings }) => ({
    PrefixList: prefixListView(
      { ...list, state: 'delete-complete' },
      tagsView(tags, list.id),
      settings,
    ),
  }),
})
