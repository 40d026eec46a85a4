/** ModifyLaunchTemplate: sets the default version. */
import { z } from 'zod'
import { changeAction } from '../change.ts'
import { requireTemplate, requireVersion } from '../instances/launch-templates.ts'
import { templateReference, templateShape, versionSchema } from '../launch/template-reference.ts'
import { clientTokenSchema } from '../schemas.ts'
import { templateView } from '../views/launch-template.ts'
import { tagsView } from '../views/tags.ts'

const schema = z.strictObject({
  ...templateShape,
  DefaultVersion: versionSchema.optional(),
  ClientToken: clientTokenSchema,
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyLaunchTemplate.html */
export const modifyLaunchTemplate = changeAction({
  name: 'ModifyLaunchTemplate',
  input: schema,
  prepare: (asked) => ({ asked, reference: templateReference(asked) }),
  once: ({ asked, reference }, { account }) => ({
    token: asked.ClientToken ?? null,
    result: '',
    async repeat(tx) {
      const template = await requireTemplate(tx, account, reference)
      return { template, tags: await tx.tags({ account, resources: [template.id] }) }
    },
  }),
  async change(tx, { asked, reference }, { account }) {
    const template = await requireTemplate(tx, account, reference)
    const { id, defaultVersion } = template
    const { version } = await requireVersion(tx, template, asked.DefaultVersion)
    if (version !== defaultVersion) await tx.updateLaunchTemplate(id, { defaultVersion: version })
    const tags = await tx.tags({ account, resources: [id] })
    return { template: { ...template, defaultVersion: version }, tags }
  },
  view: ({ template, tags }) => ({
    LaunchTemplate: templateView(template, tagsView(tags, template.id)),
  }),
})
