/** CreateManagedPrefixList: networks under one id, which rules of security groups may name. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { ADDRESS_FAMILIES, type PrefixList } from '../../model/prefix-list.ts'
import { changeAction } from '../change.ts'
import {
  askedNetworks,
  LISTS_VERSION,
  maxEntriesSchema,
  missingPrefixLists,
  newEntriesSchema,
  prefixListNameSchema,
  refuseTooManyEntries,
  withTags,
} from '../networks/prefix-lists.ts'
import { refuseOlderHosts } from '../older-hosts.ts'
import { clientTokenSchema, specifiedTags, tagSpecificationsSchema } from '../schemas.ts'
import { prefixListView } from '../views/prefix-list.ts'
import { tagsView } from '../views/tags.ts'

/**
 * It is there at once.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateManagedPrefixList.html
 */
export const createManagedPrefixList = changeAction({
  name: 'CreateManagedPrefixList',
  input: z.strictObject({
    PrefixListName: prefixListNameSchema,
    AddressFamily: z.enum(ADDRESS_FAMILIES),
    MaxEntries: maxEntriesSchema,
    Entries: newEntriesSchema,
    ClientToken: clientTokenSchema,
    TagSpecifications: tagSpecificationsSchema(['prefix-list']),
  }),
  prepare: (asked, { newId }) => ({ ...asked, id: newId('pl') }),
  once: ({ ClientToken: token = null, id }, { account }) => ({
    token,
    result: id,
    repeat: async (tx, known) => {
      const list = (await tx.prefixLists({ account })).find((one) => one.id === known)
      if (list === undefined) throw missingPrefixLists([known])
      return await withTags(tx, list)
    },
  }),
  async change(tx, asked, { account, settings }) {
    const { id, MaxEntries: maxEntries, AddressFamily: addressFamily } = asked
    const added = askedNetworks({ addressFamily }, asked.Entries)
    refuseTooManyEntries(added.length, maxEntries)
    await refuseOlderHosts(tx, settings, LISTS_VERSION, 'prefix lists')
    await tx.takeTurn(account)
    const limit = settings.quotas.prefixLists
    if ((await tx.prefixLists({ account })).length >= limit)
      throw refused(
        'ResourceLimitExceeded',
        `The account has ${limit} managed prefix lists, which is the maximum: delete some`,
      )
    const list: PrefixList = {
      ...{ id, account, name: asked.PrefixListName, addressFamily, maxEntries },
      ...{ version: 1, state: 'create-complete' },
    }
    await tx.insertPrefixList(list)
    await tx.putPrefixListEntries({ id, version: 1, removed: [], added })
    const of = { account, resource: id, resourceType: 'prefix-list' }
    const tags = specifiedTags(asked.TagSpecifications, of)
    await tx.putTags(tags)
    return { list, tags }
  },
  view: ({ list, tags }, { settings }) => ({
    PrefixList: prefixListView(list, tagsView(tags, list.id), settings),
  }),
})
