/** StopInstances. */
import { z } from 'zod'
import { requestStop } from '../../model/lifecycle.ts'
import { changeAction } from '../change.ts'
import { changeInstances, instancesShape } from '../instances/instances.ts'
import { onlySchema, withoutEffect } from '../schemas.ts'

const schema = z.strictObject({
  ...instancesShape,
  // A guest that does not stop in time is killed anyway, so force has no effect.
  Force: withoutEffect(z.boolean().optional()),
  SkipOsShutdown: withoutEffect(z.boolean().optional()),
  Hibernate: onlySchema(false, 'Hibernate is not supported; leave it out'),
})

/** StopInstances. */
export const stopInstances = changeAction({
  name: 'StopInstances',
  input: schema,
  change: changeInstances(requestStop),
  view: (StoppingInstances) => ({ StoppingInstances }),
})
