/** DeleteLaunchTemplate and DeleteLaunchTemplateVersions. Instances of a template go on. */
import type { DeleteLaunchTemplateVersionsResponseErrorItem } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import { changeAction } from '../change.ts'
import { requireTemplate } from '../instances/launch-templates.ts'
import { templateReference, templateShape } from '../launch/template-reference.ts'
import { required } from '../schemas.ts'
import { templateView } from '../views/launch-template.ts'
import { tagsView } from '../views/tags.ts'

/** EC2: the most versions in one request. */
const VERSIONS_MAX = 200

/**
 * DeleteLaunchTemplate: with all its versions.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteLaunchTemplate.html
 */
export const deleteLaunchTemplate = changeAction({
  name: 'DeleteLaunchTemplate',
  input: z.strictObject(templateShape),
  prepare: templateReference,
  async change(tx, reference, { account }) {
    const template = await requireTemplate(tx, account, reference)
    const { id } = template
    const tags = tagsView(await tx.tags({ account, resources: [id] }), id)
    await tx.deleteLaunchTemplate(id)
    await tx.deleteTagsOf(id)
    return templateView(template, tags)
  },
  view: (LaunchTemplate) => ({ LaunchTemplate }),
})

const versionsSchema = z.strictObject({
  ...templateShape,
  Versions: required(
    z.array(z.string().regex(/^\d{1,9}$/, 'a version number')).max(VERSIONS_MAX),
    'Versions',
  ),
})

/**
 * DeleteLaunchTemplateVersions: all of these but the default one and those that there are not,
 * which are listed with the reason.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteLaunchTemplateVersions.html
 */
export const deleteLaunchTemplateVersions = changeAction({
  name: 'DeleteLaunchTemplateVersions',
  input: versionsSchema,
  prepare: (asked) => ({ asked, reference: templateReference(asked) }),
  async change(tx, { asked, reference }, { account }) {
    const template = await requireTemplate(tx, account, reference)
    const { id, name, defaultVersion } = template
    const left = new Set(await tx.launchTemplateNumbers(id))
    const deleted: object[] = []
    const failed: DeleteLaunchTemplateVersionsResponseErrorItem[] = []
    for (const number of new Set(asked.Versions.map(Number))) {
      const item = { LaunchTemplateId: id, LaunchTemplateName: name, VersionNumber: number }
      const refusal = refusalOf(number, left.has(number), defaultVersion)
      if (refusal === null) {
        await tx.deleteLaunchTemplateVersion(id, number)
        left.delete(number)
        deleted.push(item)
      } else failed.push({ ...item, ResponseError: refusal })
    }
    // The default version is always left.
    const latestVersion = Math.max(defaultVersion, ...left)
    if (deleted.length > 0) await tx.updateLaunchTemplate(id, { latestVersion })
    return { deleted, failed }
  },
  view: ({ deleted, failed }) => ({
    SuccessfullyDeletedLaunchTemplateVersions: deleted,
    UnsuccessfullyDeletedLaunchTemplateVersions: failed,
  }),
})

function refusalOf(
  version: number,
  isThere: boolean,
  defaultVersion: number,
): DeleteLaunchTemplateVersionsResponseErrorItem['ResponseError'] | null {
  if (!isThere)
    return {
      Code: 'launchTemplateVersionDoesNotExist',
      Message: `The specified launch template version ${version} does not exist`,
    }
  if (version !== defaultVersion) return null
  return {
    Code: 'unexpectedError',
    Message: `Version ${version} is the default version of the launch template, which cannot be deleted; make another one the default first`,
  }
}
