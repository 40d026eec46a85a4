/** ModifyInstanceMetadataDefaults: for later launches. Options that are not named do not change. */
import { z } from 'zod'
import { HOP_LIMIT_MAX, metadataFields } from '../../model/metadata-options.ts'
import { changeAction } from '../change.ts'
import { metadataDefaultsOf } from '../instances/metadata-options.ts'
import { onlySchema } from '../schemas.ts'

/** The values with which a client removes a setting. */
const NONE = 'no-preference'
const NO_LIMIT = -1

const schema = z.strictObject({
  HttpTokens: z.enum([...metadataFields.tokens.options, NONE]).optional(),
  HttpEndpoint: z.enum([...metadataFields.endpoint.options, NONE]).optional(),
  HttpPutResponseHopLimit: z
    .int()
    .refine((limit) => limit === NO_LIMIT || (limit >= 1 && limit <= HOP_LIMIT_MAX), {
      error: `from 1 to ${HOP_LIMIT_MAX}, or ${NO_LIMIT} for no preference`,
    })
    .optional(),
  InstanceMetadataTags: z.enum([...metadataFields.tags.options, NONE]).optional(),
  HttpTokensEnforced: onlySchema(
    'disabled',
    'HttpTokensEnforced: a launch may always ask for less than the default; use disabled',
  ),
})

/** ModifyInstanceMetadataDefaults. */
export const modifyInstanceMetadataDefaults = changeAction({
  name: 'ModifyInstanceMetadataDefaults',
  input: schema,
  async change(tx, asked, { account }) {
    const before = await metadataDefaultsOf(tx, account)
    await tx.updateAccount(account, {
      tokens: setTo(asked.HttpTokens, NONE, before.tokens),
      endpoint: setTo(asked.HttpEndpoint, NONE, before.endpoint),
      hopLimit: setTo(asked.HttpPutResponseHopLimit, NO_LIMIT, before.hopLimit),
      tags: setTo(asked.InstanceMetadataTags, NONE, before.tags),
    })
  },
  view: () => ({ Return: true }),
})

function setTo<Value, None>(
  given: Value | None | undefined,
  none: None,
  before: Value | null,
): Value | null {
  if (given === undefined) return before
  return given === none ? null : (given as Value)
}
