/** GetManagedPrefixListEntries and GetManagedPrefixListAssociations. */
import { z } from 'zod'
import { prefixListIdSchema, requirePrefixList, requireVersion } from '../networks/prefix-lists.ts'
import { describeAction } from '../read.ts'
import { pagedShape } from '../schemas.ts'

const { Filters: _, ...entriesPages } = pagedShape(1, 100, { larger: 'refused' })
const { Filters: _none, ...associationPages } = pagedShape(5, 255, { larger: 'refused' })

/**
 * The entries of the current version, or of an earlier one.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetManagedPrefixListEntries.html
 */
export const getManagedPrefixListEntries = describeAction({
  name: 'GetManagedPrefixListEntries',
  input: z.strictObject({
    ...entriesPages,
    PrefixListId: prefixListIdSchema,
    TargetVersion: z.int().optional(),
  }),
  rows: ({ PrefixListId: id, TargetVersion }, { account, read }) =>
    read(async (tx) => {
      const list = await requirePrefixList(tx, account, id)
      const version = requireVersion(list, TargetVersion ?? list.version)
      return await tx.prefixListEntriesIn({ id, version })
    }),
  view: ({ cidr, description }) => ({
    Cidr: cidr,
    ...(description === '' ? {} : { Description: description }),
  }),
  key: ({ Cidr }) => Cidr,
  filters: {},
  answer: (Entries) => ({ Entries }),
})

/**
 * The security groups with a rule that names the list.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetManagedPrefixListAssociations.html
 */
export const getManagedPrefixListAssociations = describeAction({
  name: 'GetManagedPrefixListAssociations',
  input: z.strictObject({ ...associationPages, PrefixListId: prefixListIdSchema }),
  rows: ({ PrefixListId: id }, { account, read }) =>
    read(async (tx) => {
      await requirePrefixList(tx, account, id)
      const rules = await tx.groupRulesNamingList(id)
      return [...new Map(rules.map((rule) => [rule.group, rule])).values()]
    }),
  view: ({ group, account }) => ({ ResourceId: group, ResourceOwner: account }),
  key: ({ ResourceId }) => ResourceId,
  filters: {},
  answer: (PrefixListAssociations) => ({ PrefixListAssociations }),
})
