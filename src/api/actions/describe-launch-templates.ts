/** DescribeLaunchTemplates. */
import { z } from 'zod'
import { isAmong, refuseMissing } from '../describe.ts'
import { missingTemplateNames, missingTemplates } from '../instances/launch-templates.ts'
import { templateIdSchema } from '../launch/template-reference.ts'
import { describeAction } from '../read.ts'
import { namesSchema, pagedShape, withoutEffect } from '../schemas.ts'
import { TEMPLATE_FILTERS, templateView } from '../views/launch-template.ts'
import { tagsIndex } from '../views/tags.ts'

/** EC2: the largest `MaxResults`, and the most ids and names in a request. */
const RESULTS_MAX = 200

/**
 * The account's launch templates.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeLaunchTemplates.html
 */
export const describeLaunchTemplates = describeAction({
  name: 'DescribeLaunchTemplates',
  input: z.strictObject({
    ...pagedShape(1, RESULTS_MAX, { larger: 'refused' }),
    LaunchTemplateIds: z.array(templateIdSchema).max(RESULTS_MAX).default([]),
    LaunchTemplateNames: namesSchema,
    IncludeManagedResources: withoutEffect(z.boolean().optional()),
  }),
  rows: ({ LaunchTemplateIds: ids, LaunchTemplateNames: names }, { account, read }) =>
    read(async (tx) => {
      const templates = await tx.launchTemplates({ account })
      refuseMissing(ids, new Set(templates.map(({ id }) => id)), missingTemplates)
      refuseMissing(names, new Set(templates.map(({ name }) => name)), missingTemplateNames)
      const resources = templates.map(({ id }) => id)
      const tagsOf = tagsIndex(await tx.tags({ account, resources }))
      const isWanted = isAmong(ids)
      const isNamed = isAmong(names)
      return templates
        .filter(({ id, name }) => isWanted(id) && isNamed(name))
        .map((template) => ({ template, tags: tagsOf(template.id) }))
    }),
  view: ({ template, tags }) => templateView(template, tags),
  key: (template) => template.LaunchTemplateId ?? '',
  filters: TEMPLATE_FILTERS,
  tags: (template) => template.Tags ?? [],
  answer: (LaunchTemplates) => ({ LaunchTemplates }),
})
