/** RestoreManagedPrefixListVersion: a new version of a list, with the entries of an earlier one. */
import { z } from 'zod'
import { unavailable } from '../../model/errors.ts'
import type { PrefixList, PrefixListEntry } from '../../model/prefix-list.ts'
import { changeAction } from '../change.ts'
import {
  prefixListIdSchema,
  refuseOtherVersion,
  refuseTooManyEntries,
  requirePrefixList,
  requireVersion,
  withTags,
} from '../networks/prefix-lists.ts'
import { prefixListView } from '../views/prefix-list.ts'
import { tagsView } from '../views/tags.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RestoreManagedPrefixListVersion.html */
export const restoreManagedPrefixListVersion = changeAction({
  name: 'RestoreManagedPrefixListVersion',
  input: z.strictObject({
    PrefixListId: prefixListIdSchema,
    PreviousVersion: z.int(),
    CurrentVersion: z.int(),
  }),
  async change(tx, { PrefixListId, PreviousVersion, CurrentVersion }, { account }) {
    await tx.takeTurn(account)
    const before = await requirePrefixList(tx, account, PrefixListId)
    refuseOtherVersion(before, CurrentVersion)
    const { id } = before
    const version = requireVersion(before, PreviousVersion)
    const wanted = await tx.prefixListEntriesIn({ id, version })
    const current = await tx.prefixListEntries({ lists: [id] })
    // What cannot be read would be missing in the new version.
    if (
      tx.unreadable().some(({ table, key }) => table === 'prefixListEntries' && key.startsWith(id))
    )
      throw unavailable(
        'An entry of the prefix list cannot be read, so no version is restored; `atoll status` names it',
      )
    refuseTooManyEntries(wanted.length, before.maxEntries)
    const list: PrefixList = {
      ...{ ...before, version: before.version + 1 },
      state: 'restore-complete',
    }
    const added = wanted.filter(isNotAmong(current))
    const removed = current.filter(isNotAmong(wanted))
    await tx.putPrefixListEntries({
      ...{ id, version: list.version },
      removed: removed.map(({ cidr }) => cidr),
      added: added.map(({ cidr, description }) => ({ cidr, description })),
    })
    await tx.updatePrefixList(list)
    return await withTags(tx, list)
  },
  view: ({ list, tags }, { settings }) => ({
    PrefixList: prefixListView(list, tagsView(tags, list.id), settings),
  }),
})

/** Whether none of these is for the same network with the same description. */
function isNotAmong(entries: readonly PrefixListEntry[]): (entry: PrefixListEntry) => boolean {
  const known = new Map(entries.map(({ cidr, description }) => [cidr, description]))
  return ({ cidr, description }) => known.get(cidr) !== description
}
