/** The instance profile of an instance: which one a request names, and how it is shown. */
import type { IamInstanceProfileAssociation as AssociationView } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import type { InstanceProfile } from '../../model/account-records.ts'
import { refused } from '../../model/errors.ts'
import { iamArn, type ProfileAssociation, parseIamArn } from '../../model/iam-names.ts'
import type { NewId, ProfileAssociationId } from '../../model/ids.ts'
import { INSTANCE_OPTIONS } from '../../model/instance-options.ts'
import type { Instance } from '../../model/records.ts'
import type { ReadTx, Tx } from '../../store/store.ts'
import { requirePassRole } from '../accounts/role-rights.ts'
import { ROLES_VERSION } from '../accounts/roles.ts'
import type { Changing } from '../change.ts'
import { refuseOlderHosts } from '../older-hosts.ts'
import { notFound } from '../schemas.ts'

/** `IamInstanceProfile`. */
export const profileReferenceSchema = z.strictObject({
  Arn: z.string().max(2048).optional(),
  Name: z.string().max(256).optional(),
})

/** A profile as a request names it. */
export type ProfileReference = z.output<typeof profileReferenceSchema>

/** What a request that gives a role to an instance needs to be decided. */
type Passing = Pick<Changing, 'account' | 'caller' | 'now' | 'sourceIp' | 'settings' | 'parts'>

/** A profile, without the association. */
export type GivenProfile = Omit<ProfileAssociation, 'association'>

/**
 * The profile that a request names, if the caller may pass its role to instances. Null when it
 * names none. Errors: `InvalidParameterValue` for one that the account does not have, or that has
 * no role; `UnauthorizedOperation`.
 */
export async function givenProfile(
  tx: ReadTx,
  reference: ProfileReference | null,
  passing: Passing,
): Promise<GivenProfile | null> {
  if (reference === null || (reference.Arn ?? reference.Name) === undefined) return null
  const { account, now, settings } = passing
  await refuseOlderHosts(tx, settings, ROLES_VERSION, 'instance profiles')
  const profile = await namedProfile(tx, reference, account)
  const { id, role: name } = profile
  const arn = iamArn('instance-profile', profile)
  const role = name === null ? undefined : await tx.role(account, name)
  if (role === undefined)
    throw refused(
      'InvalidParameterValue',
      `IAM Instance Profile "${arn}" has no associated IAM Roles`,
    )
  await requirePassRole(tx, role, 'ec2', passing)
  return { id, arn, since: now }
}

async function namedProfile(
  tx: ReadTx,
  { Arn, Name }: ProfileReference,
  account: InstanceProfile['account'],
): Promise<InstanceProfile> {
  if (Arn !== undefined && Name !== undefined)
    throw refused(
      'InvalidParameterCombination',
      "The parameter 'iamInstanceProfile.name' may not be used in combination with 'iamInstanceProfile.arn'",
    )
  const named = Arn === undefined ? { account, name: Name ?? '' } : parseIamArn(PROFILE, Arn)
  const isOwn = named?.account === account
  const profile = isOwn ? await tx.instanceProfile(account, named.name) : undefined
  if (profile !== undefined && (Arn === undefined || iamArn(PROFILE, profile) === Arn))
    return profile
  const [member, what] = Arn === undefined ? ['name', 'name'] : ['arn', 'ARN']
  throw refused(
    'InvalidParameterValue',
    `Value (${Arn ?? Name}) for parameter iamInstanceProfile.${member} is invalid. Invalid IAM Instance Profile ${what}`,
  )
}

const PROFILE = 'instance-profile'

/** Gives an instance a profile, or none. Its host is told. */
export async function setProfile(
  tx: Tx,
  { id, options = INSTANCE_OPTIONS }: Instance,
  given: GivenProfile | null,
  newId: NewId,
): Promise<ProfileAssociation | null> {
  const profile = given && { association: newId('iip-assoc'), ...given }
  await tx.associateProfile(id, { ...options, profile })
  return profile
}

/** The association of an instance that is not terminated. */
export function profileOf({ state, options }: Instance): ProfileAssociation | null {
  return state === 'terminated' ? null : (options?.profile ?? null)
}

/** The account's instance that has the association. Errors: `InvalidAssociationID.NotFound`. */
export async function requireProfileAssociation(
  tx: ReadTx,
  account: Instance['account'],
  id: ProfileAssociationId,
): Promise<{ readonly instance: Instance; readonly profile: ProfileAssociation }> {
  for (const instance of await tx.instances({ account, live: true })) {
    const profile = profileOf(instance)
    if (profile?.association === id) return { instance, profile }
  }
  throw missingAssociations([id])
}

/** `InvalidAssociationID.NotFound`. */
export function missingAssociations(ids: readonly string[]): Error {
  return notFound('InvalidAssociationID.NotFound', 'association ID', ids)
}

/** An association. */
export function associationView(
  instance: string,
  { association, arn, id, since }: ProfileAssociation,
  state: 'associating' | 'associated' | 'disassociating' = 'associated',
): AssociationView {
  return {
    ...{ AssociationId: association, InstanceId: instance, State: state },
    IamInstanceProfile: { Arn: arn, Id: id },
    Timestamp: new Date(since),
  }
}
