/** StartInstances. */
import { z } from 'zod'
import { requestStart } from '../../model/lifecycle.ts'
import { changeAction } from '../change.ts'
import { changeInstances, instancesShape } from '../instances/instances.ts'
import { textSchema, withoutEffect } from '../schemas.ts'

/** StartInstances. */
export const startInstances = changeAction({
  name: 'StartInstances',
  input: z.strictObject({
    ...instancesShape,
    AdditionalInfo: withoutEffect(textSchema.optional()),
  }),
  change: changeInstances(requestStart),
  view: (StartingInstances) => ({ StartingInstances }),
})
