/**
 * Actions of IAM on what Atoll does not have: passwords and other credentials of users, identity
 * providers, certificates.
 * Clients that remove a user ask for all of it first. What names a user checks that it exists.
 * https://docs.aws.amazon.com/IAM/latest/APIReference/
 */
import { z } from 'zod'
import {
  noSuchEntity,
  pageShape,
  pathPrefixSchema,
  requireUser,
  userNameOf,
  userNameSchema,
} from '../accounts/users.ts'
import type { Action, ActionName } from '../action.ts'
import { type Reading, readAction } from '../read.ts'
import { textSchema } from '../schemas.ts'

const optionalUser = { UserName: userNameSchema.optional() }

/** ListMFADevices: of the named user, or of the caller. */
export const listMfaDevices = noneOf('ListMFADevices', 'MFADevices')

/** ListVirtualMFADevices. */
export const listVirtualMfaDevices = none('ListVirtualMFADevices', 'VirtualMFADevices', {
  AssignmentStatus: z.enum(['Any', 'Assigned', 'Unassigned']).optional(),
})

/** ListSSHPublicKeys: of the named user, or of the caller. */
export const listSshPublicKeys = noneOf('ListSSHPublicKeys', 'SSHPublicKeys')

/** ListSigningCertificates: of the named user, or of the caller. */
export const listSigningCertificates = noneOf('ListSigningCertificates', 'Certificates')

/** ListServiceSpecificCredentials: of the named user, or of the caller. */
export const listServiceSpecificCredentials = noneOf(
  'ListServiceSpecificCredentials',
  'ServiceSpecificCredentials',
  { ...optionalUser, ServiceName: textSchema.optional() },
)

/** ListServerCertificates. */
export const listServerCertificates = none(
  'ListServerCertificates',
  'ServerCertificateMetadataList',
  { PathPrefix: pathPrefixSchema },
)

/** ListSAMLProviders: has no pages. */
export const listSamlProviders = readAction({
  name: 'ListSAMLProviders',
  input: z.strictObject({}),
  answer: () => ({ SAMLProviderList: [] }),
})

/** ListOpenIDConnectProviders: has no pages. */
export const listOpenIdConnectProviders = readAction({
  name: 'ListOpenIDConnectProviders',
  input: z.strictObject({}),
  answer: () => ({ OpenIDConnectProviderList: [] }),
})

/** GetLoginProfile: refused with `NoSuchEntity`, because no user has a password. */
export const getLoginProfile = withoutPassword('GetLoginProfile')

/** DeleteLoginProfile: as GetLoginProfile. */
export const deleteLoginProfile = withoutPassword('DeleteLoginProfile')

/** A list of the account. */
function none(name: ActionName, list: string, shape: z.ZodRawShape = {}): Action {
  return readAction({
    name,
    input: z.strictObject({ ...pageShape, ...shape }),
    answer: () => ({ [list]: [], IsTruncated: false }),
  })
}

/** A list of one user. */
function noneOf(name: ActionName, list: string, shape: z.ZodRawShape = optionalUser): Action {
  return readAction({
    name,
    input: z.strictObject({ ...pageShape, ...shape }),
    async answer(asked, reading) {
      await requireNamed(asked, reading)
      return { [list]: [], IsTruncated: false }
    },
  })
}

function withoutPassword(name: ActionName): Action {
  return readAction({
    name,
    input: z.strictObject(optionalUser),
    async answer(asked, reading) {
      const user = await requireNamed(asked, reading)
      throw noSuchEntity(`Login Profile for User ${user} cannot be found.`)
    },
  })
}

/** The name of the user that a request means. Errors: `NoSuchEntity`. */
async function requireNamed(asked: object, { account, caller, read }: Reading): Promise<string> {
  const { UserName } = z.object(optionalUser).parse(asked)
  const name = userNameOf(UserName, caller)
  await read((tx) => requireUser(tx, account, name))
  return name
}
