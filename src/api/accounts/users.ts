/**
 * What actions of IAM share: users, their keys and policies, pages.
 *
 * A user is a record. Keys of older daemons, and those that `atoll keys create` makes for a name
 * without a record, have all rights; whoever has such a key is shown as a user, too.
 */
import { createHash } from 'node:crypto'
import type { User as UserView } from '@aws-sdk/client-iam'
import { z } from 'zod'
import type { AccessKeyRecord, User } from '../../model/account-records.ts'
import { type ErrorCode, refused } from '../../model/errors.ts'
import type { AccountId } from '../../model/ids.ts'
import type { Version } from '../../model/version.ts'
import type { ReadTx } from '../../store/store.ts'
import { withCode } from '../schemas.ts'
import { userArn } from './request-resources.ts'

/** Older hosts refuse keys that have their user's rights. */
export const USERS_VERSION: Version = [0, 4]
/** Most users of an account. */
export const USERS_MAX = 500
/** Random bytes for `userId`. */
export const USER_ID_BYTES = 17
const PAGE_MAX = 1000
const MARKER_MAX = 256

/** Characters of a name in IAM. */
const nameSchema = (max: number) =>
  z.string().refine((text) => new RegExp(`^[\\w+=,.@-]{1,${max}}$`).test(text), {
    error: `The specified value is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_- and be at most ${max} characters long`,
    ...withCode('ValidationError'),
  })

/** `UserName`. */
export const userNameSchema = nameSchema(64)
/** `PolicyName`. */
export const policyNameSchema = nameSchema(128)

/** Members of every list of IAM. */
export const pageShape = {
  Marker: z.string().max(MARKER_MAX).optional(),
  MaxItems: z.int().min(1).max(PAGE_MAX).optional(),
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
  const others = [...Map.groupBy(keys, ({ user }) => user)].map(([name, own]) =>
    withoutRecord(account, name, own),
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
  return withoutRecord(account, name, own)
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
  account: AccountId,
  name: string,
  keys: readonly AccessKeyRecord[],
): FoundUser {
  const bytes = createHash('sha256').update(`${account}/${name}`).digest()
  const [createdAt = '1970-01-01T00:00:00.000Z'] = keys.flatMap((key) => key.createdAt ?? []).sort()
  return { account, name, id: userId(bytes), createdAt, hasAllRights: true }
}

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

/** A user's id from at least `USER_ID_BYTES` bytes. */
export function userId(bytes: Uint8Array): string {
  return `AIDA${Array.from(bytes.slice(0, USER_ID_BYTES), (byte) => BASE32.charAt(byte % 32)).join('')}`
}

/** A user as IAM shows it. */
export function userView({ account, name, id, createdAt }: User): UserView {
  return {
    ...{ Path: '/', UserName: name, UserId: id, Arn: userArn(account, name) },
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
