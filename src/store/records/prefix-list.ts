/**
 * Managed prefix lists and their entries. Entries concern whoever has members of a VPC with a rule
 * that names the list.
 *
 * A rule names a list by its text only. So who makes such a rule, changes entries or deletes a list
 * first takes the account's turn (`takeTurn`): then none of them misses what another has just done.
 */
import type { Kysely } from 'kysely'
import { z } from 'zod'
import type { AccountId, PrefixListId, VpcId } from '../../model/ids.ts'
import {
  ADDRESS_FAMILIES,
  familyOf,
  PREFIX_LIST_ENTRIES_MAX,
  PREFIX_LIST_STATES,
  PREFIX_LIST_TEXT_MAX,
  PREFIX_LIST_VERSIONS_MAX,
  type PrefixList,
  type PrefixListEntry,
} from '../../model/prefix-list.ts'
import { ofVpc } from '../scope.ts'
import { account, count, id, isPrintable, prose } from './columns.ts'
import { inParts, isOf } from './in-parts.ts'
import { always, hasId, nobody, noun, type RowsOf, type Session, table } from './noun.ts'

/** The longest text of a network. */
const CIDR_MAX = 64

const tables = {
  prefixLists: table<PrefixList>({
    name: 'prefixLists',
    schema: z.object({
      id: id('pl'),
      account,
      name: z
        .string()
        .max(2 * PREFIX_LIST_TEXT_MAX)
        .refine(isPrintable, 'is not printable'),
      addressFamily: z.enum(ADDRESS_FAMILIES),
      maxEntries: z.int().min(1).max(PREFIX_LIST_ENTRIES_MAX),
      version: count.min(1),
      state: z.enum(PREFIX_LIST_STATES),
    }),
  }),
  prefixListEntries: table<PrefixListEntry>({
    name: 'prefixListEntries',
    key: ['list', 'cidr', 'addedIn'],
    schema: z
      .object({
        list: id('pl'),
        cidr: z
          .string()
          .max(CIDR_MAX)
          .refine((text) => familyOf(text) !== undefined, 'is not a network'),
        description: prose,
        addedIn: count.min(1),
        removedIn: count.nullable(),
      })
      .refine(
        ({ addedIn, removedIn }) => removedIn === null || removedIn > addedIn,
        'was removed before it was added',
      ),
  }),
}
/** Columns of others. */
interface Others {
  readonly securityGroupRules: { readonly peer: string; readonly vpc: VpcId }
}
type Tables = RowsOf<typeof tables> & Others

/** A new version of a list's entries. */
interface PrefixListChange extends Pick<PrefixList, 'id' | 'version'> {
  /** Networks whose entries the version no longer has, also those that get another description. */
  readonly removed: readonly string[]
  readonly added: readonly Pick<PrefixListEntry, 'cidr' | 'description'>[]
}

/** The noun. */
export const prefixLists = noun({
  tables,
  reads: ({ db, rows }: Session<Tables>) => ({
    /** By id in ascending order. */
    async prefixLists({
      account,
      ids,
    }: {
      readonly account?: AccountId
      readonly ids?: readonly PrefixListId[]
    }): Promise<readonly PrefixList[]> {
      let query = db.selectFrom('prefixLists').selectAll().orderBy('id')
      if (account !== undefined)
        query = query.where(isOf('prefixLists.account', account, ids !== undefined))
      const found = await inParts(ids, (part) =>
        part === undefined ? query.execute() : query.where('id', 'in', part).execute(),
      )
      return rows.parse(tables.prefixLists, found)
    },
    /** The current entries of these lists, or of all, by list and network. */
    async prefixListEntries({
      lists,
    }: {
      readonly lists?: readonly PrefixListId[]
    }): Promise<readonly PrefixListEntry[]> {
      const query = db
        .selectFrom('prefixListEntries')
        .selectAll()
        .where('removedIn', 'is', null)
        .orderBy('list')
        .orderBy('cidr')
      const found = await inParts(lists, (part) =>
        part === undefined ? query.execute() : query.where('list', 'in', part).execute(),
      )
      return rows.parseLong(tables.prefixListEntries, found)
    },
    /** The entries of a version of a list, by network. */
    async prefixListEntriesIn({
      id,
      version,
    }: Pick<PrefixList, 'id' | 'version'>): Promise<readonly PrefixListEntry[]> {
      const found = await db
        .selectFrom('prefixListEntries')
        .selectAll()
        .where('list', '=', id)
        .where('addedIn', '<=', version)
        .where((where) =>
          where.or([where('removedIn', 'is', null), where('removedIn', '>', version)]),
        )
        .orderBy('cidr')
        .execute()
      return rows.parseLong(tables.prefixListEntries, found)
    },
  }),
  writes: ({ db }: Session<Tables>) => ({
    async insertPrefixList(list: PrefixList): Promise<void> {
      await db.insertInto('prefixLists').values(list).execute()
    },
    /** Everything of a list but its entries. */
    async updatePrefixList({
      id,
      name,
      maxEntries,
      version,
      state,
    }: Pick<PrefixList, 'id' | 'name' | 'maxEntries' | 'version' | 'state'>): Promise<void> {
      await db
        .updateTable('prefixLists')
        .set({ name, maxEntries, version, state })
        .where('id', '=', id)
        .execute()
    },
    /** Makes a version of a list's entries, and forgets the oldest. Safe to repeat. */
    putPrefixListEntries: (change: PrefixListChange) => putEntries(db, change),
    /** With its entries. `in-use` when a rule names it, also one that cannot be read. */
    async deletePrefixList({ id }: Pick<PrefixList, 'id'>): Promise<'done' | 'in-use'> {
      if ((await vpcsNaming(db, id)).length > 0) return 'in-use'
      await db.deleteFrom('prefixListEntries').where('list', '=', id).execute()
      await db.deleteFrom('prefixLists').where('id', '=', id).execute()
      return 'done'
    },
  }),
  touches: {
    // No host reads a list itself, and a new one is named by no rule.
    insertPrefixList: nobody,
    updatePrefixList: nobody,
    async putPrefixListEntries({ db }, { id }) {
      return (await vpcsNaming(db, id)).map((vpc) => ofVpc(vpc))
    },
    // No rule names it.
    deletePrefixList: nobody,
  },
  inCopy: {
    insertPrefixList: async (tx, { id, account }) => hasId(tx.prefixLists({ account }), id),
    updatePrefixList: always,
    putPrefixListEntries: always,
    deletePrefixList: always,
  },
})

/** The VPCs with a rule that names a list, also with one that cannot be read. */
async function vpcsNaming(db: Kysely<Tables>, list: PrefixListId): Promise<readonly VpcId[]> {
  const found = await db
    .selectFrom('securityGroupRules')
    .select('vpc')
    .distinct()
    .where('peer', '=', list)
    .execute()
  return found.map(({ vpc }) => vpc)
}

async function putEntries(
  db: Kysely<Tables>,
  { id, version, removed, added }: PrefixListChange,
): Promise<void> {
  await inParts(removed, async (part) => {
    await db
      .updateTable('prefixListEntries')
      .set({ removedIn: version })
      .where('list', '=', id)
      .where('cidr', 'in', part ?? [])
      .where('removedIn', 'is', null)
      .where('addedIn', '<', version)
      .execute()
    return []
  })
  const ofVersion = db.deleteFrom('prefixListEntries').where('list', '=', id)
  await ofVersion.where('addedIn', '=', version).execute()
  await ofVersion.where('removedIn', '<=', version - PREFIX_LIST_VERSIONS_MAX + 1).execute()
  if (added.length === 0) return
  const rows = added.map((entry) => ({ ...entry, list: id, addedIn: version, removedIn: null }))
  await db.insertInto('prefixListEntries').values(rows).execute()
}
