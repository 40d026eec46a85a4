/**
 * ModifyImageAttribute and ResetImageAttribute: who may launch from an image, and its description.
 *
 * EC2 has two forms for both: a member of its own, or `Attribute` with `Value` or with
 * `OperationType`, `UserIds` and `UserGroups`. What has been launched stays when an image is no
 * longer shared. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyImageAttribute.html
 */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { parseAccountId } from '../../model/ids.ts'
import { EVERYBODY, type ImagePermission } from '../../model/image-permission.ts'
import type { Image } from '../../model/records.ts'
import type { Tx } from '../../store/store.ts'
import { changeAction } from '../change.ts'
import { requireOwnImage } from '../instances/images.ts'
import { idSchema, onlySchema, textSchema, withCode } from '../schemas.ts'

type Grantee = ImagePermission['grantee']

/** Accounts and groups that one image is shared with. */
const PERMISSIONS_MAX = 1000

const imageId = idSchema('ami', 'InvalidAMIID.Malformed')

const userId = z.string().transform((text, context): Grantee => {
  const account = parseAccountId(text)
  if (account !== undefined) return account
  context.addIssue({
    code: 'custom',
    message: `Invalid attribute item value "${text.slice(0, 64)}" for userId item type: use the twelve digits of an account`,
    ...withCode('InvalidAMIAttributeItemValue'),
  })
  return z.NEVER
})

const group = z
  .string()
  .refine((text) => text === EVERYBODY, {
    error: 'Invalid attribute item value for group item type: the only group is all',
    ...withCode('InvalidAMIAttributeItemValue'),
  })
  .transform((): Grantee => EVERYBODY)

/** One of `LaunchPermission.Add`: an account or the group. */
const permission = z
  .strictObject({ UserId: userId.optional(), Group: group.optional() })
  .refine(({ UserId, Group }) => (UserId === undefined) !== (Group === undefined), {
    error: 'LaunchPermission: each item is either a UserId or a Group',
    ...withCode('InvalidParameterCombination'),
  })
  .transform(({ UserId, Group }): Grantee => UserId ?? Group ?? EVERYBODY)

const permissions = z.array(permission).max(PERMISSIONS_MAX).default([])

const schema = z.strictObject({
  ImageId: imageId,
  Attribute: z.enum(['launchPermission', 'description']).optional(),
  Description: z.strictObject({ Value: textSchema.default('') }).optional(),
  LaunchPermission: z.strictObject({ Add: permissions, Remove: permissions }).optional(),
  OperationType: z.enum(['add', 'remove']).optional(),
  UserIds: z.array(userId).max(PERMISSIONS_MAX).default([]),
  UserGroups: z.array(group).max(PERMISSIONS_MAX).default([]),
  Value: textSchema.optional(),
  ImdsSupport: z
    .strictObject({ Value: onlySchema('', 'ImdsSupport: the options of each launch say it') })
    .optional(),
})
type Asked = z.output<typeof schema>

/** What is to become of an image. */
type Change =
  | { readonly description: string }
  | { readonly add: readonly Grantee[]; readonly remove: readonly Grantee[] }

/** ModifyImageAttribute. */
export const modifyImageAttribute = changeAction({
  name: 'ModifyImageAttribute',
  input: schema,
  prepare: (asked) => ({ id: asked.ImageId, changed: changeOf(asked) }),
  async change(tx, { id, changed }, { account }) {
    const image = await requireOwnImage(tx, account, id)
    if ('description' in changed) await tx.updateImage(id, changed)
    else await share(tx, image, changed)
  },
})

/** The only change that is asked for. */
function changeOf(asked: Asked): Change {
  const { Attribute, Description, LaunchPermission, OperationType, UserIds, UserGroups } = asked
  const named = [...UserIds, ...UserGroups]
  const isShared = LaunchPermission !== undefined || named.length > 0 || OperationType !== undefined
  const description = Description?.Value ?? asked.Value
  const isTwice = Description !== undefined && asked.Value !== undefined
  if (isTwice || isShared === (description !== undefined))
    throw refused(
      'InvalidParameterCombination',
      isTwice || isShared
        ? 'Fields for multiple attribute types specified'
        : 'No attributes specified.',
    )
  const attribute = isShared ? 'launchPermission' : 'description'
  // `Value` alone names no attribute.
  const isNamed = Description !== undefined || isShared || Attribute !== undefined
  if (!isNamed || (Attribute !== undefined && Attribute !== attribute))
    throw refused(
      'InvalidParameterCombination',
      `Attribute: the request changes ${attribute}, and does not say so`,
    )
  if (description !== undefined) return { description }
  if (LaunchPermission !== undefined) {
    // Packer names those whom it adds twice.
    const isAgain = named.every((grantee) => LaunchPermission.Add.includes(grantee))
    if (!isAgain || OperationType !== undefined)
      throw refused(
        'InvalidParameterCombination',
        'LaunchPermission cannot be used with OperationType, or with others as UserId or UserGroup',
      )
    return { add: LaunchPermission.Add, remove: LaunchPermission.Remove }
  }
  if (OperationType === undefined || named.length === 0)
    throw refused(
      'MissingParameter',
      'The request must contain the parameter OperationType with UserId or UserGroup',
    )
  return OperationType === 'add' ? { add: named, remove: [] } : { add: [], remove: named }
}

async function share(
  tx: Tx,
  { id: image, account }: Image,
  { add, remove }: { readonly add: readonly Grantee[]; readonly remove: readonly Grantee[] },
): Promise<void> {
  const both = add.find((grantee) => remove.includes(grantee))
  if (both !== undefined)
    throw refused('InvalidParameterCombination', `LaunchPermission adds and removes '${both}'`)
  for (const grantee of remove) await tx.deleteImagePermission({ image, grantee })
  const known = await tx.imagePermissions({ account, images: [image] })
  const missing = new Set(add).difference(new Set(known.map(({ grantee }) => grantee)))
  if (known.length + missing.size > PERMISSIONS_MAX)
    throw refused(
      'ResourceLimitExceeded',
      `The image '${image}' can be shared with at most ${PERMISSIONS_MAX} accounts`,
    )
  for (const grantee of missing) await tx.insertImagePermission({ image, grantee, account })
}

/**
 * ResetImageAttribute: only the owner may launch from the image.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ResetImageAttribute.html
 */
export const resetImageAttribute = changeAction({
  name: 'ResetImageAttribute',
  input: z.strictObject({ ImageId: imageId, Attribute: z.literal('launchPermission') }),
  async change(tx, { ImageId }, { account }) {
    const { id } = await requireOwnImage(tx, account, ImageId)
    await tx.deleteImagePermissionsOf(id)
  },
})
