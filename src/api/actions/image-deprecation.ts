/**
 * EnableImageDeprecation and DisableImageDeprecation. A deprecated image can be used as before;
 * other accounts find it by its id only (`describe-images.ts`).
 *
 * Unlike EC2's, public images are deprecated by nobody but their owner, and may have a date as late
 * as others. https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ami-deprecate.html
 */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { changeAction } from '../change.ts'
import { requireOwnImage } from '../instances/images.ts'
import { idSchema } from '../schemas.ts'

const MINUTE_MS = 60_000
/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_EnableImageDeprecation.html */
const YEARS_MAX = 10

const ImageId = idSchema('ami', 'InvalidAMIID.Malformed')

/** EnableImageDeprecation: at a time, which is rounded to the minute as in EC2. */
export const enableImageDeprecation = changeAction({
  name: 'EnableImageDeprecation',
  input: z.strictObject({ ImageId, DeprecateAt: z.date() }),
  async change(tx, { ImageId: id, DeprecateAt }, { account, now }) {
    await requireOwnImage(tx, account, id)
    const latest = new Date(now)
    latest.setUTCFullYear(latest.getUTCFullYear() + YEARS_MAX)
    if (DeprecateAt < new Date(now) || DeprecateAt > latest)
      throw refused(
        'InvalidParameterValue',
        `DeprecateAt must be a time from now, ${now}, until ${latest.toISOString()}`,
      )
    const minute = Math.round(DeprecateAt.getTime() / MINUTE_MS) * MINUTE_MS
    await tx.updateImage(id, { deprecatedAt: new Date(minute).toISOString() })
  },
  view: () => ({ Return: true }),
})

/** DisableImageDeprecation: it is no longer deprecated, or will not be. */
export const disableImageDeprecation = changeAction({
  name: 'DisableImageDeprecation',
  input: z.strictObject({ ImageId }),
  async change(tx, { ImageId: id }, { account }) {
    await requireOwnImage(tx, account, id)
    await tx.updateImage(id, { deprecatedAt: null })
  },
  view: () => ({ Return: true }),
})
