/**
 * Roles, and the instance profiles by which instances get them.
 *
 * Requests with a role's credentials read the role. A change of a profile, or of who may assume the
 * role of one, concerns the hosts of the instances that have the profile. Who makes or removes a
 * role, a profile or a policy takes the account's turn (`takeTurn`), so that no profile names a
 * role that is gone.
 */
import type { Kysely } from 'kysely'
import { z } from 'zod'
import type { InstanceProfile, InstanceProfileRole, Role } from '../../model/account-records.ts'
import { IAM_PATH, PROFILE_ID, ROLE_ID } from '../../model/iam-names.ts'
import type { AccountId } from '../../model/ids.ts'
import type { Instance } from '../../model/records.ts'
import { ofHost, type Scope } from '../scope.ts'
import { account, count, like, prose, TEXT_MAX, time } from './columns.ts'
import { columnsOf, tagsColumn, tagsText, withTags } from './iam-tags.ts'
import { inParts } from './in-parts.ts'
import { insertOr } from './insert.ts'
import { isLive } from './lists.ts'
import { always, nobody, noun, type RowsOf, type Session, table } from './noun.ts'
import type { RowShape } from './rows.ts'

const name = (max: number) => like<string>(new RegExp(`^[\\w+=,.@-]{1,${max}}$`))
const path = like<string>(IAM_PATH)

/** Tags are JSON. */
type RoleRow = Omit<Role, 'tags'> & { readonly tags: string }
type ProfileRow = Omit<InstanceProfile, 'tags'> & { readonly tags: string }

const tables = {
  roles: table<RoleRow>({
    name: 'roles',
    key: ['account', 'name'],
    cached: false,
    schema: z.object({
      ...{ account, name: name(64), id: like<string>(ROLE_ID), path },
      ...{ trust: z.string().max(TEXT_MAX), description: prose, maxSessionSeconds: count },
      ...{ tags: tagsColumn, createdAt: time },
    }),
  }),
  instanceProfiles: table<ProfileRow>({
    name: 'instanceProfiles',
    key: ['account', 'name'],
    cached: false,
    schema: z.object({
      ...{ account, name: name(128), id: like<string>(PROFILE_ID), path },
      ...{ role: name(64).nullable(), tags: tagsColumn, createdAt: time },
    }),
  }),
}

const PROFILE_ROLES: RowShape<InstanceProfileRole> = {
  name: 'instanceProfiles',
  key: ['account', 'name'],
  cached: false,
  schema: z.object({
    ...{ account, name: name(128), id: like<string>(PROFILE_ID), path },
    ...{ role: name(64).nullable(), roleId: like<string>(ROLE_ID).nullable() },
    trust: z.string().max(TEXT_MAX).nullable(),
  }),
}

/** Columns of other nouns. */
interface Others {
  readonly instances: Pick<Instance, 'account' | 'host' | 'state'> & {
    readonly options: string | null
  }
}
type Tables = RowsOf<typeof tables> & Others

type Key = Pick<Role, 'account' | 'name'>
type RoleChange = Partial<Pick<Role, 'trust' | 'description' | 'maxSessionSeconds' | 'tags'>>
type ProfileChange = Partial<Pick<InstanceProfile, 'role' | 'tags'>>

/** The noun. */
export const roles = noun({
  tables,
  reads: ({ db, rows }: Session<Tables>) => ({
    /** By name. */
    async roles(account: AccountId): Promise<readonly Role[]> {
      const query = db.selectFrom('roles').selectAll().where('account', '=', account)
      return rows.parse(tables.roles, await query.orderBy('name').execute()).map(withTags)
    },
    async role(account: AccountId, name: string): Promise<Role | undefined> {
      const query = db.selectFrom('roles').selectAll().where('account', '=', account)
      const found = await query.where('name', '=', name).execute()
      return rows.parse(tables.roles, found).map(withTags)[0]
    },
    /** By name. */
    async instanceProfiles(account: AccountId): Promise<readonly InstanceProfile[]> {
      const query = db.selectFrom('instanceProfiles').selectAll().where('account', '=', account)
      const found = await query.orderBy('name').execute()
      return rows.parse(tables.instanceProfiles, found).map(withTags)
    },
    async instanceProfile(account: AccountId, name: string): Promise<InstanceProfile | undefined> {
      const query = db.selectFrom('instanceProfiles').selectAll().where('account', '=', account)
      const found = await query.where('name', '=', name).execute()
      return rows.parse(tables.instanceProfiles, found).map(withTags)[0]
    },
    /** The profiles with these ids (`AIPA…`), and their roles. */
    async profileRoles(ids: readonly string[]): Promise<readonly InstanceProfileRole[]> {
      const query = db
        .selectFrom('instanceProfiles')
        .leftJoin('roles', (join) =>
          join
            .onRef('roles.account', '=', 'instanceProfiles.account')
            .onRef('roles.name', '=', 'instanceProfiles.role'),
        )
        .select(['instanceProfiles.account', 'instanceProfiles.name', 'instanceProfiles.id'])
        .select(['instanceProfiles.path', 'roles.name as role', 'roles.id as roleId'])
        .select('roles.trust')
      const found = await inParts(ids, (some) =>
        some === undefined
          ? query.execute()
          : query.where('instanceProfiles.id', 'in', some).execute(),
      )
      return rows.parse(PROFILE_ROLES, found)
    },
  }),
  writes: ({ db }: Session<Tables>) => ({
    insertRole: (role: Role) =>
      insertOr('exists', db, 'roles', { ...role, tags: tagsText(role.tags) }),
    async updateRole({ account, name }: Key, change: RoleChange): Promise<void> {
      await db
        .updateTable('roles')
        .set(columnsOf(change))
        .where('account', '=', account)
        .where('name', '=', name)
        .execute()
    },
    async deleteRole({ account, name }: Key): Promise<void> {
      await db.deleteFrom('roles').where('account', '=', account).where('name', '=', name).execute()
    },
    insertInstanceProfile: (profile: InstanceProfile) =>
      insertOr('exists', db, 'instanceProfiles', {
        ...profile,
        tags: tagsText(profile.tags),
      }),
    async updateInstanceProfile({ account, name }: Key, change: ProfileChange): Promise<void> {
      await db
        .updateTable('instanceProfiles')
        .set(columnsOf(change))
        .where('account', '=', account)
        .where('name', '=', name)
        .execute()
    },
    async deleteInstanceProfile({ account, name }: Key): Promise<void> {
      await db
        .deleteFrom('instanceProfiles')
        .where('account', '=', account)
        .where('name', '=', name)
        .execute()
    },
  }),
  touches: {
    insertRole: nobody,
    updateRole: ({ db }, { account, name }, { trust }) =>
      trust === undefined ? [] : hostsWith(db, account, { role: name }),
    // No profile has it.
    deleteRole: nobody,
    insertInstanceProfile: nobody,
    updateInstanceProfile: ({ db }, { account, name }, { role }) =>
      role === undefined ? [] : hostsWith(db, account, { name }),
    deleteInstanceProfile: ({ db }, { account, name }) => hostsWith(db, account, { name }),
  },
  inCopy: {
    insertRole: async (tx, { account, name }) => (await tx.role(account, name)) !== undefined,
    updateRole: async (tx, { account, name }) => (await tx.role(account, name)) !== undefined,
    deleteRole: always,
    insertInstanceProfile: async (tx, { account, name }) =>
      (await tx.instanceProfile(account, name)) !== undefined,
    updateInstanceProfile: async (tx, { account, name }) =>
      (await tx.instanceProfile(account, name)) !== undefined,
    deleteInstanceProfile: always,
  },
})

/** The hosts of the instances that have the profile, or any profile of the role. */
async function hostsWith(
  db: Kysely<Tables>,
  account: AccountId,
  of: { readonly name: string } | { readonly role: string },
): Promise<readonly Scope[]> {
  const all = db.selectFrom('instanceProfiles').select('id').where('account', '=', account)
  const profiles = await ('name' in of
    ? all.where('name', '=', of.name)
    : all.where('role', '=', of.role)
  ).execute()
  const scopes: Scope[] = []
  for (const { id } of profiles) {
    // An instance's options are JSON, and no other option has such an id.
    const hosts = await db
      .selectFrom('instances')
      .select('host')
      .distinct()
      .where('account', '=', account)
      .where(isLive('instances.state'))
      .where('options', 'like', `%"${id}"%`)
      .execute()
    scopes.push(...hosts.map(({ host }) => ofHost(host)))
  }
  return scopes
}
