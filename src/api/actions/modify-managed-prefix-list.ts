/**
 * ModifyManagedPrefixList: another version of the entries, another size, another name. Hosts follow
 * the current version.
 */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import type { PrefixList } from '../../model/prefix-list.ts'
import type { Tx } from '../../store/store.ts'
import type { ApiSettings } from '../action.ts'
import { changeAction } from '../change.ts'
import {
  askedNetworks,
  maxEntriesSchema,
  newEntriesSchema,
  oldEntriesSchema,
  prefixListIdSchema,
  prefixListNameSchema,
  refuseOtherVersion,
  refuseTooManyEntries,
  requirePrefixList,
  withTags,
} from '../networks/prefix-lists.ts'
import { refuseTooManyRules } from '../networks/security-groups.ts'
import { withCode } from '../schemas.ts'
import { prefixListView } from '../views/prefix-list.ts'
import { tagsView } from '../views/tags.ts'

interface Entries {
  readonly AddEntries: z.output<typeof newEntriesSchema>
  readonly RemoveEntries: z.output<typeof oldEntriesSchema>
}

const input = z
  .strictObject({
    PrefixListId: prefixListIdSchema,
    CurrentVersion: z.int().optional(),
    PrefixListName: prefixListNameSchema.optional(),
    AddEntries: newEntriesSchema,
    RemoveEntries: oldEntriesSchema,
    MaxEntries: maxEntriesSchema.optional(),
  })
  .refine((asked) => asked.MaxEntries === undefined || !isOfEntries(asked), {
    error:
      'You cannot modify the entries and the maximum entries for the prefix list in the same request.',
    ...withCode('InvalidParameterCombination'),
  })
  .refine(
    (asked) =>
      isOfEntries(asked) || asked.MaxEntries !== undefined || asked.PrefixListName !== undefined,
    {
      error: 'Give AddEntries, RemoveEntries, MaxEntries or PrefixListName',
      ...withCode('MissingParameter'),
    },
  )
function isOfEntries({ AddEntries, RemoveEntries }: Entries): boolean {
  return AddEntries.length + RemoveEntries.length > 0
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyManagedPrefixList.html */
export const modifyManagedPrefixList = changeAction({
  name: 'ModifyManagedPrefixList',
  input,
  async change(tx, asked, { account, settings }) {
    await tx.takeTurn(account)
    const before = await requirePrefixList(tx, account, asked.PrefixListId)
    refuseOtherVersion(before, asked.CurrentVersion)
    const list: PrefixList = {
      ...before,
      name: asked.PrefixListName ?? before.name,
      maxEntries: asked.MaxEntries ?? before.maxEntries,
      version: isOfEntries(asked) ? before.version + 1 : before.version,
      state: 'modify-complete',
    }
    if (isOfEntries(asked)) await changeEntries(tx, list, asked)
    await tx.updatePrefixList(list)
    if (list.maxEntries !== before.maxEntries) await refuseSize(tx, list, settings)
    return await withTags(tx, list)
  },
  view: ({ list, tags }, { settings }) => ({
    PrefixList: prefixListView(list, tagsView(tags, list.id), settings),
  }),
})

/** Writes the entries of the list's new version. */
async function changeEntries(tx: Tx, list: PrefixList, asked: Entries): Promise<void> {
  const added = askedNetworks(list, asked.AddEntries)
  const removed = askedNetworks(list, asked.RemoveEntries).map(({ cidr }) => cidr)
  const there = new Set((await tx.prefixListEntries({ lists: [list.id] })).map(({ cidr }) => cidr))
  for (const { cidr } of added) {
    if (removed.includes(cidr))
      throw refused(
        'InvalidParameterValue',
        `Request cannot contain Cidr ${cidr} in both AddPrefixListEntries and RemovePrefixListEntries`,
      )
    if (there.has(cidr))
      throw refused(
        'InvalidRequest',
        `The prefix list has an entry for ${cidr} already: remove it first`,
      )
  }
  const absent = removed.find((cidr) => !there.has(cidr))
  if (absent !== undefined)
    throw refused(
      'InvalidPrefixListModification',
      `The prefix list has no entry for ${absent}: leave it out of RemoveEntries`,
    )
  refuseTooManyEntries(there.size - removed.length + added.length, list.maxEntries)
  await tx.putPrefixListEntries({ id: list.id, version: list.version, removed, added })
}

/** Refuses a size that the entries exceed, or that a group whose rule names it cannot take. */
async function refuseSize(
  tx: Tx,
  { id, account, maxEntries }: PrefixList,
  settings: Pick<ApiSettings, 'quotas'>,
): Promise<void> {
  refuseTooManyEntries((await tx.prefixListEntries({ lists: [id] })).length, maxEntries)
  const groups = new Set((await tx.groupRulesNamingList(id)).map(({ group }) => group))
  for (const group of groups) await refuseTooManyRules(tx, { id: group, account }, settings)
}
