/** Actions of IAM on access keys: https://docs.aws.amazon.com/IAM/latest/APIReference/ */
import { z } from 'zod'
import type { AccessKeyRecord } from '../../model/account-records.ts'
import type { AccountId } from '../../model/ids.ts'
import { activeStatus } from '../../model/key-secret.ts'
import type { ReadTx } from '../../store/store.ts'
import { createKey } from '../accounts/access-keys.ts'
import {
  KEYS_OF_USER_MAX,
  limitExceeded,
  noSuchEntity,
  pageOf,
  pageShape,
  requireUser,
  USERS_VERSION,
  userNameOf,
  userNameSchema,
} from '../accounts/users.ts'
import { changeAction } from '../change.ts'
import { refuseOlderHosts } from '../older-hosts.ts'
import { readAction } from '../read.ts'

const REGION_OF_KEYS = 'N/A'

const keyIdSchema = z.string().max(128)
const optionalUser = { UserName: userNameSchema.optional() }

/** ListAccessKeys: of the named user, or of the caller. */
export const listAccessKeys = readAction({
  name: 'ListAccessKeys',
  input: z.strictObject({ ...pageShape, ...optionalUser }),
  async answer(asked, { account, caller, read }) {
    const name = userNameOf(asked.UserName, caller)
    const keys = await read(async (tx) => {
      await requireUser(tx, account, name)
      return (await tx.accessKeys(account)).filter(({ user }) => user === name)
    })
    const { items, more } = pageOf(keys, ({ id }) => id, asked)
    return { AccessKeyMetadata: items.map(metadataOf), ...more }
  },
})

/** CreateAccessKey: its secret is shown once. */
export const createAccessKey = changeAction({
  name: 'CreateAccessKey',
  input: z.strictObject(optionalUser),
  async change(tx, { UserName }, { account, caller, now, settings, parts }) {
    const user = await requireUser(tx, account, userNameOf(UserName, caller))
    await tx.takeTurn(account)
    const keys = (await tx.accessKeys(account)).filter((key) => key.user === user.name)
    if (keys.length >= KEYS_OF_USER_MAX) throw limitExceeded('AccessKeysPerUser', KEYS_OF_USER_MAX)
    if (!user.hasAllRights)
      await refuseOlderHosts(tx, settings, USERS_VERSION, 'users with policies')
    const { random, keepKey } = parts
    const rights = user.hasAllRights ? ('all' as const) : ('policies' as const)
    return await createKey(tx, { random, now, keep: keepKey }, { user: user.name, account, rights })
  },
  view: ({ id, user, secret, createdAt }, { now }) => ({
    AccessKey: {
      ...{ UserName: user, AccessKeyId: id, Status: 'Active', SecretAccessKey: secret },
      CreateDate: new Date(createdAt ?? now),
    },
  }),
})

/** UpdateAccessKey. */
export const updateAccessKey = changeAction({
  name: 'UpdateAccessKey',
  input: z.strictObject({
    ...optionalUser,
    AccessKeyId: keyIdSchema,
    Status: z.enum(['Active', 'Inactive']),
  }),
  async change(tx, { UserName, AccessKeyId, Status }, { account, caller }) {
    const key = await requireKey(tx, account, AccessKeyId, userNameOf(UserName, caller))
    await tx.updateAccessKey(key.id, {
      status: Status === 'Inactive' ? 'disabled' : activeStatus(key),
    })
  },
})

/** DeleteAccessKey. */
export const deleteAccessKey = changeAction({
  name: 'DeleteAccessKey',
  input: z.strictObject({ ...optionalUser, AccessKeyId: keyIdSchema }),
  async change(tx, { UserName, AccessKeyId }, { account, caller }) {
    const key = await requireKey(tx, account, AccessKeyId, userNameOf(UserName, caller))
    await tx.deleteAccessKey(key.id)
  },
})

/** GetAccessKeyLastUsed: to the hour. Of keys of the account only. */
export const getAccessKeyLastUsed = readAction({
  name: 'GetAccessKeyLastUsed',
  input: z.strictObject({ AccessKeyId: keyIdSchema }),
  async answer({ AccessKeyId }, { account, read, settings: { region } }) {
    const { user, lastUsedAt } = await read((tx) => requireKey(tx, account, AccessKeyId))
    return {
      UserName: user,
      AccessKeyLastUsed:
        lastUsedAt === null
          ? { ServiceName: REGION_OF_KEYS, Region: REGION_OF_KEYS }
          : { LastUsedDate: new Date(lastUsedAt), ServiceName: 'ec2', Region: region },
    }
  },
})

/** A key of the account, and of the user if one is named. Errors: `NoSuchEntity`. */
async function requireKey(
  tx: ReadTx,
  account: AccountId,
  id: string,
  user?: string,
): Promise<AccessKeyRecord> {
  const key = (await tx.accessKeys(account)).find((one) => one.id === id)
  if (key === undefined || (user !== undefined && key.user !== user))
    throw noSuchEntity(`The Access Key with id ${id} cannot be found.`)
  return key
}

function metadataOf({ id, user, status, createdAt }: AccessKeyRecord) {
  return {
    ...{ UserName: user, AccessKeyId: id },
    Status: status === 'disabled' ? 'Inactive' : 'Active',
    ...(createdAt === null ? {} : { CreateDate: new Date(createdAt) }),
  }
}
