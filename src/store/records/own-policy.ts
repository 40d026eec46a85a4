/**
 * Managed policies that accounts have made, with their versions.
 *
 * They concern no host: they are read with each request of who has one. Who makes or removes a
 * policy, or attaches one, takes the account's turn (`takeTurn`), so that nobody has one that is
 * gone.
 */
import { z } from 'zod'
import type { OwnPolicy, OwnPolicyVersion } from '../../model/account-records.ts'
import { IAM_PATH, POLICY_ID } from '../../model/iam-names.ts'
import type { AccountId } from '../../model/ids.ts'
import { account, count, like, prose, TEXT_MAX, time } from './columns.ts'
import { columnsOf, tagsColumn, tagsText, withTags } from './iam-tags.ts'
import { inParts } from './in-parts.ts'
import { insertOr } from './insert.ts'
import { always, nobody, noun, type RowsOf, type Session, table } from './noun.ts'
import type { RowShape } from './rows.ts'

/** Tags are JSON. */
type PolicyRow = Omit<OwnPolicy, 'tags'> & { readonly tags: string }

const name = like<string>(/^[\w+=,.@-]{1,128}$/)
const document = z.string().max(TEXT_MAX)

const tables = {
  ownPolicies: table<PolicyRow>({
    name: 'ownPolicies',
    key: ['account', 'name'],
    cached: false,
    schema: z.object({
      ...{ account, name, id: like<string>(POLICY_ID), path: like<string>(IAM_PATH) },
      ...{ description: prose, tags: tagsColumn, defaultVersion: count, lastVersion: count },
      ...{ createdAt: time, updatedAt: time },
    }),
  }),
  ownPolicyVersions: table<OwnPolicyVersion>({
    name: 'ownPolicyVersions',
    key: ['account', 'policy', 'version'],
    cached: false,
    schema: z.object({ account, policy: name, version: count, document, createdAt: time }),
  }),
}

/** The document of a policy's default version. */
type PolicyDocument = Pick<OwnPolicy, 'name' | 'path'> & Pick<OwnPolicyVersion, 'document'>
const DOCUMENTS: RowShape<PolicyDocument> = {
  name: 'ownPolicyVersions',
  cached: false,
  schema: z.object({ name, path: like<string>(IAM_PATH), document }),
}

type Tables = RowsOf<typeof tables>
type Key = Pick<OwnPolicy, 'account' | 'name'>
type VersionKey = Pick<OwnPolicyVersion, 'account' | 'policy' | 'version'>
type Change = Partial<Pick<OwnPolicy, 'tags' | 'defaultVersion' | 'lastVersion' | 'updatedAt'>>

/** The noun. */
export const ownPolicies = noun({
  tables,
  reads: ({ db, rows }: Session<Tables>) => ({
    /** By name. */
    async ownPolicies(account: AccountId): Promise<readonly OwnPolicy[]> {
      const query = db.selectFrom('ownPolicies').selectAll().where('account', '=', account)
      return rows.parse(tables.ownPolicies, await query.orderBy('name').execute()).map(withTags)
    },
    async ownPolicy(account: AccountId, name: string): Promise<OwnPolicy | undefined> {
      const query = db.selectFrom('ownPolicies').selectAll().where('account', '=', account)
      const found = await query.where('name', '=', name).execute()
      return rows.parse(tables.ownPolicies, found).map(withTags)[0]
    },
    /** The oldest first. */
    async ownPolicyVersions({ account, name }: Key): Promise<readonly OwnPolicyVersion[]> {
      const query = db.selectFrom('ownPolicyVersions').selectAll().where('account', '=', account)
      const found = await query.where('policy', '=', name).orderBy('version').execute()
      return rows.parse(tables.ownPolicyVersions, found)
    },
    /** What these policies say; without those that do not exist. */
    async ownPolicyDocuments(
      account: AccountId,
      names: readonly string[],
    ): Promise<readonly PolicyDocument[]> {
      const query = db
        .selectFrom('ownPolicies')
        .innerJoin('ownPolicyVersions', (join) =>
          join
            .onRef('ownPolicyVersions.account', '=', 'ownPolicies.account')
            .onRef('ownPolicyVersions.policy', '=', 'ownPolicies.name')
            .onRef('ownPolicyVersions.version', '=', 'ownPolicies.defaultVersion'),
        )
        .select(['ownPolicies.name', 'ownPolicies.path', 'ownPolicyVersions.document'])
        .where('ownPolicies.account', '=', account)
      const found = await inParts(names, (some) =>
        query.where('ownPolicies.name', 'in', some ?? []).execute(),
      )
      return rows.parse(DOCUMENTS, found)
    },
  }),
  writes: ({ db }: Session<Tables>) => ({
    /** A policy; its first version is a write of its own. */
    insertOwnPolicy: (policy: OwnPolicy) =>
      insertOr('exists', db, 'ownPolicies', { ...policy, tags: tagsText(policy.tags) }),
    async updateOwnPolicy({ account, name }: Key, change: Change): Promise<void> {
      await db
        .updateTable('ownPolicies')
        .set(columnsOf(change))
        .where('account', '=', account)
        .where('name', '=', name)
        .execute()
    },
    insertOwnPolicyVersion: (version: OwnPolicyVersion) =>
      insertOr('exists', db, 'ownPolicyVersions', version),
    async deleteOwnPolicyVersion({ account, policy, version }: VersionKey): Promise<void> {
      await db
        .deleteFrom('ownPolicyVersions')
        .where('account', '=', account)
        .where('policy', '=', policy)
        .where('version', '=', version)
        .execute()
    },
    /** With all its versions. */
    async deleteOwnPolicy({ account, name }: Key): Promise<void> {
      await db
        .deleteFrom('ownPolicyVersions')
        .where('account', '=', account)
        .where('policy', '=', name)
        .execute()
      await db
        .deleteFrom('ownPolicies')
        .where('account', '=', account)
        .where('name', '=', name)
        .execute()
    },
  }),
  touches: {
    insertOwnPolicy: nobody,
    updateOwnPolicy: nobody,
    insertOwnPolicyVersion: nobody,
    deleteOwnPolicyVersion: nobody,
    deleteOwnPolicy: nobody,
  },
  inCopy: {
    insertOwnPolicy: async (tx, { account, name }) =>
      (await tx.ownPolicy(account, name)) !== undefined,
    updateOwnPolicy: async (tx, { account, name }) =>
      (await tx.ownPolicy(account, name)) !== undefined,
    insertOwnPolicyVersion: async (tx, { account, policy: name, version }) =>
      (await tx.ownPolicyVersions({ account, name })).some((one) => one.version === version),
    deleteOwnPolicyVersion: always,
    deleteOwnPolicy: always,
  },
})
