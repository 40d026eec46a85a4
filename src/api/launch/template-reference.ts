/** How a request names a launch template and one of its versions. Pure. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import type { LaunchTemplateId } from '../../model/ids.ts'
import { idSchema, textSchema, withCode } from '../schemas.ts'

/** `LaunchTemplateId`. */
export const templateIdSchema = idSchema('lt', 'InvalidLaunchTemplateId.Malformed')

/** Members that name a template. */
export const templateShape = {
  LaunchTemplateId: templateIdSchema.optional(),
  LaunchTemplateName: textSchema.optional(),
}

/** `Version`, `$Latest` and `$Default`, or a number. */
export const versionSchema = z
  .string()
  .refine((text) => /^(?:\$Latest|\$Default|\d{1,9})$/.test(text), {
    error: ({ input }) =>
      `Invalid launch template version: '${String(input).slice(0, 64)}'. Use a version number, $Latest or $Default`,
    ...withCode('InvalidParameterValue'),
  })

/** A template by its id or by its name. */
export type TemplateReference =
  | { readonly id: LaunchTemplateId; readonly name?: undefined }
  | { readonly id?: undefined; readonly name: string }

/**
 * The template that a request names. Errors: `MissingParameter` without one,
 * `InvalidParameterCombination` with an id and a name.
 */
export function templateReference({
  LaunchTemplateId: id,
  LaunchTemplateName: name,
}: {
  readonly LaunchTemplateId?: LaunchTemplateId | undefined
  readonly LaunchTemplateName?: string | undefined
}): TemplateReference {
  if (id !== undefined && name !== undefined)
    throw refused(
      'InvalidParameterCombination',
      'Either provide launch template ID or launch template name, not both.',
    )
  if (id !== undefined) return { id }
  if (name !== undefined) return { name }
  throw refused(
    'MissingParameter',
    'The request must contain the parameter launch template ID or launch template name',
  )
}

/** `LaunchTemplate` of RunInstances. */
export const templateSchema = z.strictObject({
  ...templateShape,
  Version: versionSchema.optional(),
})
