/**
 * What actions of IAM share: users, their keys and policies, pages.
 *
 * A user is a record. Keys of older daemons, and those that `atoll keys create` makes for a name
 * without a record, have all rights; whoever has such a key is shown as a user, too.
 */
import { createHash } from 'node:crypto'
import type { User as UserView } from '@aws-sdk/client-iam'
import { z } from 'zod'
import type { AccessKeyRecord, Account, User } from '../../model/account-records.ts'
import { type ErrorCode, refused } from '../../model/errors.ts'
import { IAM_PATH, iamArn, iamId, PROFILE_NAME_MAX } from '../../model/iam-names.ts'
import type { AccountId } from '../../model/ids.ts'
import type { Version } from '../../model/version.ts'
import type { ReadTx } from '../../store/store.ts'
import type { Caller } from '../action.ts'
import { withCode } from '../schemas.ts'

/** Older hosts refuse keys that have their user's rights. */
export const USERS_VERSION: Version = [0, 4]
/** Most users of an account. */
export const USERS_MAX = 500
/** As in IAM: one that is used, and one that takes its place. */
export const KEYS_OF_USER_MAX = 2
/** For accounts and keys of daemons that did not note it. */
const FIRST_RELEASE = '2026-11-22T00:00:00.000Z'
const PAGE_MAX = 1000
const MARKER_MAX = 256

/** Characters of a name in IAM. */
const nameSchema = (max: number) =>
  z.string().refine((text) => new RegExp(`^[\\w+=,.@-]{1,${max}}$`).test(text), {
    error: `The specified value is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_- and be at most ${max} characters long`,
    ...withCode('ValidationError'),
  })

/** `Path`. */
export const pathSchema = z.string().refine((text) => IAM_PATH.test(text), {
  error:
    'The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.',
  ...withCode('ValidationError'),
})

/** `PathPrefix`. */
export const pathPrefixSchema = z
  .string()
  .regex(/^\/[\x21-\x7e]{0,511}$/)
  .default('/')

/** Refuses a session of a role that means itself as a user. Errors: `ValidationError`. */
export function userNameOf(asked: string | undefined, { user, role }: Caller): string {
  if (asked !== undefined) return asked
  if (role === undefined) return user
  throw refused('ValidationError', 'Must specify userName when calling with non-User credentials')
}

/** `UserName`. */
export const userNameSchema = nameSchema(64)
/** `RoleName`. */
export const roleNameSchema = nameSchema(64)
/** `GroupName` of a group of users. */
export const groupNameSchema = nameSchema(128)
/** `InstanceProfileName`. */
export const profileNameSchema = nameSchema(PROFILE_NAME_MAX)
/** `PolicyName`. */
export const policyNameSchema = nameSchema(128)
/** `PolicyArn`. */
export const policyArnSchema = z.string().max(2048)

/** Members of every list of IAM. */
export const pageShape = {
  Marker: z.string().max(MARKER_MAX).optional(),
  MaxItems: z.int().min(1).max(PAGE_MAX).optional(),
}

/** Whether one of them has the name. As in IAM, names that differ in case only are the same. */
export function hasName(all: readonly { readonly name: string }[], name: string): boolean {
  return all.some((one) => one.name.toLowerCase() === name.toLowerCase())
}

/** A page of items in ascending order of their names, with the members that IAM shows of it. */
export function pageOf<T>(
  items: readonly T[],
  nameOf: (item: T) => string,
  {
    Marker,
    MaxItems = 100,
  }: { readonly Marker?: string | undefined; readonly MaxItems?: number | undefined },
): {
  readonly items: T[]
  readonly more: { readonly IsTruncated: boolean; readonly Marker?: string }
} {
  const after = Marker === undefined ? '' : Buffer.from(Marker, 'base64url').toString('utf8')
  const rest = items
    .filter((item) => nameOf(item) > after)
    .toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
  const page = rest.slice(0, MaxItems)
  const last = page.at(-1)
  if (last === undefined || page.length === rest.length)
    return { items: page, more: { IsTruncated: false } }
  const marker = Buffer.from(nameOf(last)).toString('base64url')
  return { items: page, more: { IsTruncated: true, Marker: marker } }
}

/** A user, and whether its keys have all rights. */
export interface FoundUser extends User {
  readonly hasAllRights: boolean
}

/** The account's users, by name. */
export async function listUsers(tx: ReadTx, account: AccountId): Promise<readonly FoundUser[]> {
  const records = (await tx.users(account)).map((user) => ({ ...user, hasAllRights: false }))
  const named = new Set(records.map(({ name }) => name))
  const keys = (await tx.accessKeys(account)).filter(
    ({ user, rights }) => rights !== 'policies' && !named.has(user),
  )
  const owner = keys.length === 0 ? undefined : await tx.account(account)
  const others = [...Map.groupBy(keys, ({ user }) => user)].map(([name, own]) =>
    withoutRecord(owner ?? { id: account, createdAt: null }, name, own),
  )
  return [...records, ...others].toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

/** One user. Errors: `NoSuchEntity`. */
export async function requireUser(
  tx: ReadTx,
  account: AccountId,
  name: string,
): Promise<FoundUser> {
  const record = await tx.user(account, name)
  if (record !== undefined) return { ...record, hasAllRights: false }
  const own = (await tx.accessKeys(account)).filter(
    ({ user, rights }) => user === name && rights !== 'policies',
  )
  if (own.length === 0) throw noSuchEntity(`The user with name ${name} cannot be found.`)
  const owner = await tx.account(account)
  return withoutRecord(owner ?? { id: account, createdAt: null }, name, own)
}

/** Like `requireUser`. Errors: `UnmodifiableEntity` for one whose keys have all rights. */
export async function requireLimitedUser(
  tx: ReadTx,
  account: AccountId,
  name: string,
): Promise<User> {
  const { hasAllRights, ...user } = await requireUser(tx, account, name)
  if (!hasAllRights) return user
  throw refused(
    'UnmodifiableEntity',
    `The keys of the user ${name} have all rights, which no policy changes: it was made by the operator (atoll keys create)`,
  )
}

function withoutRecord(
  { id: account, createdAt: made }: Pick<Account, 'id' | 'createdAt'>,
  name: string,
  keys: readonly AccessKeyRecord[],
): FoundUser {
  const bytes = createHash('sha256').update(`${account}/${name}`).digest()
  const [first] = keys.flatMap((key) => key.createdAt ?? []).sort()
  const createdAt = first ?? made ?? FIRST_RELEASE
  const id = iamId('AIDA', bytes)
  return { account, name, id, path: null, tags: [], createdAt, hasAllRights: true }
}

/** A user as IAM shows it. */
export function userView({ account, name, id, path, createdAt }: User): UserView {
  return {
    ...{ Path: path ?? '/', UserName: name, UserId: id },
    Arn: iamArn('user', { account, path, name }),
    CreateDate: new Date(createdAt),
  }
}

/** `NoSuchEntity`. */
export function noSuchEntity(message: string): Error {
  return refused('NoSuchEntity', message)
}

/** A refusal because there would be too many. */
export function limitExceeded(what: string, most: number): Error {
  const code: ErrorCode = 'LimitExceeded'
  return refused(code, `Cannot exceed quota for ${what}: ${most}`)
}
