/**
 * CreateLaunchTemplate and CreateLaunchTemplateVersion.
 *
 * The data are checked as far as a template can be: each parameter by itself. Whether what they
 * name exists, and whether they fit together, is decided by each launch.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateLaunchTemplate.html
 */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import type { LaunchTemplateId } from '../../model/ids.ts'
import {
  type LaunchTemplate,
  type LaunchTemplateData,
  TEMPLATE_NAME,
} from '../../model/launch-template.ts'
import type { ReadTx } from '../../store/store.ts'
import { callerArn } from '../accounts/caller-arn.ts'
import { changeAction } from '../change.ts'
import {
  addVersion,
  missingTemplates,
  requireTemplate,
  requireVersion,
  TEMPLATES_MAX,
} from '../instances/launch-templates.ts'
import { refuseLargeData, templateDataSchema } from '../launch/template-data.ts'
import { templateReference, templateShape, versionSchema } from '../launch/template-reference.ts'
import { parseInput } from '../parameters.ts'
import {
  clientTokenSchema,
  specifiedTags,
  tagSpecificationsSchema,
  textSchema,
  withCode,
  withoutEffect,
} from '../schemas.ts'
import { templateVersionView, templateView } from '../views/launch-template.ts'
import { tagsView } from '../views/tags.ts'

const createSchema = z.strictObject({
  LaunchTemplateName: z.string().refine((name) => TEMPLATE_NAME.test(name), {
    error:
      'Launch template names must be between 3 and 128 characters, and may contain letters, numbers, and the following characters: ( ) . / _ -',
    ...withCode('InvalidLaunchTemplateName.MalformedException'),
  }),
  VersionDescription: textSchema.default(''),
  LaunchTemplateData: templateDataSchema,
  TagSpecifications: tagSpecificationsSchema(['launch-template']),
  ClientToken: clientTokenSchema,
})

/** The data stay as they were given, so the request is parsed in `prepare`. */
function asGiven(schema: z.ZodType) {
  return z.looseObject({ LaunchTemplateData: z.unknown().optional() }).meta({ parsedBy: schema })
}

/** The data as a version keeps them: as given. */
function dataOf(given: { readonly LaunchTemplateData?: unknown }): LaunchTemplateData {
  // The schema of the action has found an object.
  const data = (given.LaunchTemplateData ?? {}) as LaunchTemplateData
  refuseLargeData(data)
  return data
}

/** CreateLaunchTemplate: a template with its version 1. */
export const createLaunchTemplate = changeAction({
  name: 'CreateLaunchTemplate',
  input: asGiven(createSchema),
  prepare: (given, { newId }) => ({
    asked: parseInput(createSchema, given),
    data: dataOf(given),
    id: newId('lt'),
  }),
  once: ({ asked, id }, { account }) => ({
    token: asked.ClientToken ?? null,
    result: id,
    repeat: (tx, result) => shown(tx, account, result as LaunchTemplateId),
  }),
  async change(tx, { asked, data, id }, { account, caller, now }) {
    await tx.takeTurn(account)
    if ((await tx.launchTemplates({ account })).length >= TEMPLATES_MAX)
      throw refused(
        'ResourceLimitExceeded',
        `The account has ${TEMPLATES_MAX} launch templates, which is the maximum: delete some`,
      )
    const name = asked.LaunchTemplateName
    const versions = { defaultVersion: 1, latestVersion: 0, lastVersion: 0 }
    const template = {
      id,
      account,
      name,
      createdAt: now,
      createdBy: callerArn(caller),
      ...versions,
    }
    // Version 1 follows at once.
    if ((await tx.insertLaunchTemplate({ ...template, latestVersion: 1 })) === 'exists')
      throw refused(
        'InvalidLaunchTemplateName.AlreadyExistsException',
        `Launch template name already in use: ${name}`,
      )
    const description = asked.VersionDescription
    await addVersion(tx, template, { request: id, description, data, now, caller })
    const resource = { account, resource: id, resourceType: 'launch-template' }
    await tx.putTags(specifiedTags(asked.TagSpecifications, resource))
    return await shown(tx, account, id)
  },
  view: (LaunchTemplate) => ({ LaunchTemplate }),
})

async function shown(tx: ReadTx, account: LaunchTemplate['account'], id: LaunchTemplateId) {
  const template = (await tx.launchTemplates({ account })).find((one) => one.id === id)
  if (template === undefined) throw missingTemplates([id])
  return templateView(template, tagsView(await tx.tags({ account, resources: [id] }), id))
}

const versionInput = z.strictObject({
  ...templateShape,
  SourceVersion: versionSchema.optional(),
  VersionDescription: textSchema.default(''),
  // With a source, none need be given.
  LaunchTemplateData: templateDataSchema.optional(),
  // No parameter is looked up elsewhere.
  ResolveAlias: withoutEffect(z.boolean().optional()),
  ClientToken: clientTokenSchema,
})

/**
 * CreateLaunchTemplateVersion: the next version, with the parameters of the source version where
 * the request has none.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateLaunchTemplateVersion.html
 */
export const createLaunchTemplateVersion = changeAction({
  name: 'CreateLaunchTemplateVersion',
  input: asGiven(versionInput),
  prepare(given, { newId }) {
    const asked = parseInput(versionInput, given)
    if (asked.LaunchTemplateData === undefined && asked.SourceVersion === undefined)
      throw refused('MissingParameter', 'The request must contain the parameter LaunchTemplateData')
    return {
      asked,
      reference: templateReference(asked),
      given: dataOf(given),
      request: newId('lt'),
    }
  },
  once: ({ asked, reference, request }, { account }) => ({
    token: asked.ClientToken ?? null,
    result: request,
    async repeat(tx, result) {
      const template = await requireTemplate(tx, account, reference)
      const query = { account, templates: [template.id], request: result }
      const [version] = await tx.launchTemplateVersions(query)
      if (version === undefined) throw missingTemplates([template.id])
      return templateVersionView(template, version)
    },
  }),
  async change(tx, { asked, reference, given, request }, { account, caller, now }) {
    const template = await requireTemplate(tx, account, reference)
    const source =
      asked.SourceVersion === undefined
        ? undefined
        : await requireVersion(tx, template, asked.SourceVersion)
    const data = { ...source?.data, ...given }
    refuseLargeData(data)
    const description = asked.VersionDescription
    const version = await addVersion(tx, template, { request, description, data, now, caller })
    return templateVersionView(template, version)
  },
  view: (LaunchTemplateVersion) => ({ LaunchTemplateVersion }),
})
