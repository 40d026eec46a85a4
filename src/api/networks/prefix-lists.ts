/** What actions on managed prefix lists have in common. */
import { z } from 'zod'
import { formatCidr, maskedCidr } from '../../model/addr.ts'
import { canonicalIpv6Cidr } from '../../model/addr6.ts'
import { refused } from '../../model/errors.ts'
import type { AccountId, PrefixListId } from '../../model/ids.ts'
import {
  familyOf,
  PREFIX_LIST_ENTRIES_MAX,
  PREFIX_LIST_TEXT_MAX,
  PREFIX_LIST_VERSIONS_MAX,
  type PrefixList,
  type PrefixListEntry,
} from '../../model/prefix-list.ts'
import type { Tag } from '../../model/records.ts'
import type { Version } from '../../model/version.ts'
import type { ReadTx } from '../../store/store.ts'
import { refuseMissing } from '../describe.ts'
import { idSchema, notFound, printable, textSchema, withCode } from '../schemas.ts'

/** The first version whose hosts can read rules that name prefix lists. */
export const LISTS_VERSION: Version = [0, 4]
/** Most entries that one request adds or removes, as in EC2. */
const ENTRIES_PER_REQUEST = 100

/** `PrefixListId`. */
export const prefixListIdSchema = idSchema('pl', 'InvalidPrefixListId.Malformed')

/** `PrefixListName`. */
export const prefixListNameSchema = printable(PREFIX_LIST_TEXT_MAX)
  .min(1)
  .refine((name) => !name.startsWith('com.amazonaws'), {
    error: "The name of a prefix list cannot start with 'com.amazonaws'",
    ...withCode('InvalidParameterValue'),
  })

/** `MaxEntries`. */
export const maxEntriesSchema = z.int().min(1).max(PREFIX_LIST_ENTRIES_MAX)

/** `Entries` and `AddEntries`. */
export const newEntriesSchema = z
  .array(z.strictObject({ Cidr: textSchema, Description: textSchema.default('') }))
  .max(ENTRIES_PER_REQUEST)
  .default([])

/** `RemoveEntries`. */
export const oldEntriesSchema = z
  .array(z.strictObject({ Cidr: textSchema }))
  .max(ENTRIES_PER_REQUEST)
  .default([])

/** `InvalidPrefixListID.NotFound`. */
export function missingPrefixLists(ids: readonly string[]): Error {
  return notFound('InvalidPrefixListID.NotFound', 'prefix list ID', ids)
}

/** The account's lists with these ids. Errors: `InvalidPrefixListID.NotFound`. */
export async function requirePrefixLists(
  tx: ReadTx,
  account: AccountId,
  ids: readonly PrefixListId[],
): Promise<readonly PrefixList[]> {
  const lists = await tx.prefixLists({ account, ids })
  refuseMissing(ids, new Set(lists.map(({ id }) => id)), missingPrefixLists)
  return lists
}

/** One of the account's lists. Errors: `InvalidPrefixListID.NotFound`. */
export async function requirePrefixList(
  tx: ReadTx,
  account: AccountId,
  id: PrefixListId,
): Promise<PrefixList> {
  const [list] = await requirePrefixLists(tx, account, [id])
  if (list === undefined) throw missingPrefixLists([id])
  return list
}

/** A list with its tags, for its view. */
export async function withTags(
  tx: ReadTx,
  list: PrefixList,
): Promise<{ readonly list: PrefixList; readonly tags: readonly Tag[] }> {
  return { list, tags: await tx.tags({ account: list.account, resources: [list.id] }) }
}

/**
 * The networks that a request names, in canonical form. Errors: `InvalidParameterValue` for one
 * that is malformed, of another address family, or named twice.
 */
export function askedNetworks(
  { addressFamily }: Pick<PrefixList, 'addressFamily'>,
  asked: readonly { readonly Cidr: string; readonly Description?: string }[],
): readonly Pick<PrefixListEntry, 'cidr' | 'description'>[] {
  const entries = asked.map(({ Cidr, Description: description = '' }) => {
    const ipv4 = maskedCidr(Cidr)
    const cidr = ipv4 === undefined ? canonicalIpv6Cidr(Cidr) : formatCidr(ipv4)
    if (cidr === undefined) throw invalid(`The CIDR '${Cidr}' is not valid`)
    if (familyOf(cidr) !== addressFamily)
      throw invalid(
        `The CIDR '${Cidr}' is not of the prefix list's address family ${addressFamily}`,
      )
    return { cidr, description }
  })
  const known = new Set<string>()
  for (const { cidr } of entries) {
    if (known.has(cidr)) throw invalid(`The CIDR '${cidr}' must not appear multiple times`)
    known.add(cidr)
  }
  return entries
}

/** Errors: `PrefixListMaxEntriesExceeded`. */
export function refuseTooManyEntries(entries: number, maxEntries: number): void {
  if (entries <= maxEntries) return
  throw refused(
    'PrefixListMaxEntriesExceeded',
    `The prefix list would have ${entries} entries, and its maximum is ${maxEntries}: change MaxEntries or remove entries`,
  )
}

/** Errors: `PrefixListVersionMismatch`. */
export function refuseOtherVersion(
  { version }: Pick<PrefixList, 'version'>,
  asked: number | undefined,
): void {
  if (asked === undefined || asked === version) return
  throw refused('PrefixListVersionMismatch', 'The prefix list has the incorrect version number.')
}

/** A version of the list that is kept. Errors: `InvalidParameterValue`. */
export function requireVersion({ version }: Pick<PrefixList, 'version'>, asked: number): number {
  const oldest = Math.max(1, version - PREFIX_LIST_VERSIONS_MAX + 1)
  if (asked >= oldest && asked <= version) return asked
  throw invalid(`The prefix list has no version ${asked}: give one from ${oldest} to ${version}`)
}

function invalid(message: string): Error {
  return refused('InvalidParameterValue', message)
}
