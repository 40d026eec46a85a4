/** What the actions on launch templates have in common. */
import { refused } from '../../model/errors.ts'
import type { AccountId } from '../../model/ids.ts'
import type {
  LaunchTemplate,
  LaunchTemplateData,
  LaunchTemplateVersion,
} from '../../model/launch-template.ts'
import type { ReadTx, Tx } from '../../store/store.ts'
import { callerArn } from '../accounts/caller-arn.ts'
import type { Caller } from '../action.ts'
import type { TemplateReference } from '../launch/template-reference.ts'
import { notFound } from '../schemas.ts'

/** Templates of one account (EC2: 5,000 in a region). */
export const TEMPLATES_MAX = 5000
/**
 * Versions of one template, and of all templates of one account. EC2 allows 10,000 of each
 * template. A version may have 60 KB, and a request may read all of a template.
 */
const VERSIONS_MAX = 1000
const ACCOUNT_VERSIONS_MAX = 10_000

/** `InvalidLaunchTemplateId.NotFound`. */
export function missingTemplates(ids: readonly string[]): Error {
  return notFound(
    'InvalidLaunchTemplateId.NotFound',
    'specified launch template, with template ID',
    ids,
  )
}

/** `InvalidLaunchTemplateName.NotFoundException`. */
export function missingTemplateNames(names: readonly string[]): Error {
  return refused(
    'InvalidLaunchTemplateName.NotFoundException',
    `At least one of the launch templates specified in the request does not exist: ${names.join(', ')}`,
  )
}

/** The template that a request names. Errors: its `NotFound`. */
export async function requireTemplate(
  tx: ReadTx,
  account: AccountId,
  { id, name }: TemplateReference,
): Promise<LaunchTemplate> {
  const all = await tx.launchTemplates({ account })
  const found = all.find((one) => (id === undefined ? one.name === name : one.id === id))
  if (found !== undefined) return found
  throw id === undefined
    ? refused(
        'InvalidLaunchTemplateName.NotFoundException',
        `The specified launch template, with template name ${name}, does not exist.`,
      )
    : refused(
        'InvalidLaunchTemplateId.NotFound',
        `The specified launch template, with template ID ${id}, does not exist.`,
      )
}

/**
 * The number that a version's name means: `$Latest`, `$Default` (also if none is given), or a
 * number.
 */
export function versionNumber(
  { defaultVersion, latestVersion }: LaunchTemplate,
  version = '$Default',
): number {
  if (version === '$Default') return defaultVersion
  return version === '$Latest' ? latestVersion : Number(version)
}

/** One version of a template. Errors: `InvalidLaunchTemplateId.VersionNotFound`. */
export async function requireVersion(
  tx: ReadTx,
  template: LaunchTemplate,
  version: string | undefined,
): Promise<LaunchTemplateVersion> {
  const { id, account } = template
  const number = versionNumber(template, version)
  const [found] = await tx.launchTemplateVersions({ account, templates: [id], versions: [number] })
  if (found === undefined) throw missingVersion(template, number)
  return found
}

/** `InvalidLaunchTemplateId.VersionNotFound`. */
export function missingVersion({ id }: Pick<LaunchTemplate, 'id'>, version: number): Error {
  return refused(
    'InvalidLaunchTemplateId.VersionNotFound',
    `Could not find the specified version ${version} for the launch template with ID ${id}.`,
  )
}

/** What a new version consists of. */
export interface NewVersion {
  /** By which a repetition of the request finds it. */
  readonly request: string
  readonly description: string
  readonly data: LaunchTemplateData
  readonly now: string
  readonly caller: Caller
}

/**
 * Adds the next version. Two requests that do so at once change the template's row, so one of them
 * is run again. Errors: `ResourceLimitExceeded`.
 */
export async function addVersion(
  tx: Tx,
  template: LaunchTemplate,
  { request, description, data, now, caller }: NewVersion,
): Promise<LaunchTemplateVersion> {
  const { id, account } = template
  if ((await tx.launchTemplateNumbers(id)).length >= VERSIONS_MAX)
    throw refused(
      'ResourceLimitExceeded',
      `The launch template '${id}' has ${VERSIONS_MAX} versions, which is the maximum: delete some`,
    )
  await tx.takeTurn(account)
  if ((await tx.countLaunchTemplateVersions(account)) >= ACCOUNT_VERSIONS_MAX)
    throw refused(
      'ResourceLimitExceeded',
      `The launch templates of the account have ${ACCOUNT_VERSIONS_MAX} versions, which is the maximum: delete some`,
    )
  const number = template.lastVersion + 1
  const version = {
    ...{ template: id, version: number, account, request, description, data },
    createdAt: now,
    createdBy: callerArn(caller),
  }
  await tx.updateLaunchTemplate(id, { latestVersion: number, lastVersion: number })
  await tx.insertLaunchTemplateVersion(version)
  return version
}
