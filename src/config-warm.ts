/** The setting of instances that are started before anybody asks for them. */
import { z } from 'zod'
import { parseId } from './model/ids.ts'
import { WARM_MAX } from './model/warm-instance.ts'

const SETTINGS_MAX = 16

const imageId = z.string().transform((text, context) => {
  const id = parseId('ami', text)
  if (id !== undefined) return id
  context.addIssue('must be the id of an image, such as ami-0123456789abcdef0')
  return z.NEVER
})

/** `warmInstances`. */
export const warmInstances = z
  .array(
    z.strictObject({
      image: imageId,
      type: z.string().regex(/^[\w.-]{1,64}$/, 'must be an instance type, such as at1.nano'),
      count: z.int().min(1).max(WARM_MAX),
    }),
  )
  .max(SETTINGS_MAX)
  .default([])
  .superRefine((all, context) => {
    for (const [at, { image, type }] of all.entries())
      if (all.slice(0, at).some((one) => one.image === image && one.type === type))
        context.addIssue({ code: 'custom', path: [at], message: `${image} ${type} is there twice` })
    const count = all.reduce((sum, one) => sum + one.count, 0)
    if (count > WARM_MAX)
      context.addIssue({ code: 'custom', message: `names ${count} instances; at most ${WARM_MAX}` })
  })
  .describe(
    'Containers that this host starts before anybody asks for them, so that launches take less: [{image: ami-0123456789abcdef0, type: at1.nano, count: 4}] (docs/warm-instances.md)',
  )
