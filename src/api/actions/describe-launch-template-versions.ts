/** DescribeLaunchTemplateVersions. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import type { AccountId } from '../../model/ids.ts'
import type { LaunchTemplate, LaunchTemplateVersion } from '../../model/launch-template.ts'
import type { ReadTx } from '../../store/store.ts'
import { missingVersion, requireTemplate, versionNumber } from '../instances/launch-templates.ts'
import { templateReference, templateShape, versionSchema } from '../launch/template-reference.ts'
import { describeAction } from '../read.ts'
import { pagedShape, withoutEffect } from '../schemas.ts'
import { templateVersionView, VERSION_FILTERS } from '../views/launch-template.ts'

/** EC2: the largest `MaxResults`, and the most versions in a request. */
const RESULTS_MAX = 200
/** One more than any version number, for keys in descending order. */
const KEY_BASE = 1_000_000_000

const limit = z
  .string()
  .regex(/^\d{1,9}$/, 'a version number')
  .transform(Number)

const schema = z.strictObject({
  ...pagedShape(1, RESULTS_MAX, { larger: 'refused' }),
  ...templateShape,
  Versions: z.array(versionSchema).max(RESULTS_MAX).default([]),
  MinVersion: limit.optional(),
  MaxVersion: limit.optional(),
  // No parameter is looked up elsewhere.
  ResolveAlias: withoutEffect(z.boolean().optional()),
  IncludeManagedResources: withoutEffect(z.boolean().optional()),
})
type Asked = z.output<typeof schema>

/** One version with its template. */
interface Row {
  readonly template: LaunchTemplate
  readonly version: LaunchTemplateVersion
}

/**
 * Versions of one template, the newest first, or the latest or default version of every template.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeLaunchTemplateVersions.html
 */
export const describeLaunchTemplateVersions = describeAction({
  name: 'DescribeLaunchTemplateVersions',
  input: schema,
  check: refuseMixture,
  rows: (asked, { account, read }) => read((tx) => rowsOf(tx, account, asked)),
  view: ({ template, version }) => templateVersionView(template, version),
  key: ({ LaunchTemplateId, VersionNumber = 0 }) =>
    `${LaunchTemplateId} ${String(KEY_BASE - VersionNumber).padStart(10, '0')}`,
  filters: VERSION_FILTERS,
  answer: (LaunchTemplateVersions) => ({ LaunchTemplateVersions }),
})

function isOfAll({ LaunchTemplateId, LaunchTemplateName }: Asked): boolean {
  return LaunchTemplateId === undefined && LaunchTemplateName === undefined
}

function refuseMixture(asked: Asked): void {
  const { Versions, MinVersion, MaxVersion } = asked
  const isRange = MinVersion !== undefined || MaxVersion !== undefined
  if (isRange && Versions.length > 0)
    throw refused(
      'InvalidParameterCombination',
      'Versions and MinVersion or MaxVersion cannot be used together',
    )
  if (!isOfAll(asked)) return
  const isNamed = Versions.length > 0 && Versions.every((version) => version.startsWith('$'))
  if (isNamed && !isRange) return
  // Without a template, only these are the same in all.
  throw refused(
    Versions.length === 0 ? 'MissingParameter' : 'InvalidParameterValue',
    'To describe the launch template data for all your launch templates, for versions specify $Latest, $Default, or both, and omit launch template ID, launch template name, and version numbers. To describe the launch template data for a specific launch template, specify launch template ID or launch template name.',
  )
}

async function rowsOf(tx: ReadTx, account: AccountId, asked: Asked): Promise<readonly Row[]> {
  const { Versions, MinVersion = 0, MaxVersion = KEY_BASE } = asked
  const templates = isOfAll(asked)
    ? await tx.launchTemplates({ account })
    : [await requireTemplate(tx, account, templateReference(asked))]
  const wanted = new Set(
    templates.flatMap((one) => Versions.map((version) => versionNumber(one, version))),
  )
  const versions = await tx.launchTemplateVersions({
    ...{ account, templates: templates.map(({ id }) => id) },
    ...(wanted.size === 0 ? {} : { versions: [...wanted] }),
  })
  const byTemplate = Map.groupBy(versions, ({ template }) => template)
  return templates.flatMap((template) => {
    const own = byTemplate.get(template.id) ?? []
    const numbers = new Set(Versions.map((version) => versionNumber(template, version)))
    for (const number of numbers)
      if (!own.some(({ version }) => version === number)) throw missingVersion(template, number)
    return own
      .filter(({ version }) => numbers.size === 0 || numbers.has(version))
      .filter(({ version }) => version >= MinVersion && version <= MaxVersion)
      .map((version) => ({ template, version }))
  })
}
