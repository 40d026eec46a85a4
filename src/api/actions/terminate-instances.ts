/**
 * TerminateInstances. Address and capacity become free when the host reports that nothing is left.
 */
import { z } from 'zod'
import { requestTerminate } from '../../model/lifecycle.ts'
import { changeAction } from '../change.ts'
import { changeInstances, instanceIdsSchema } from '../instances/instances.ts'
import { withCode, withoutEffect } from '../schemas.ts'

const schema = z.strictObject({
  InstanceIds: instanceIdsSchema.default([]).refine((ids) => ids.length > 0, {
    error: 'No instances specified',
    ...withCode('InvalidParameterCombination'),
  }),
  Force: withoutEffect(z.boolean().optional()),
  SkipOsShutdown: withoutEffect(z.boolean().optional()),
})

/** TerminateInstances. */
export const terminateInstances = changeAction({
  name: 'TerminateInstances',
  input: schema,
  change: changeInstances(requestTerminate),
  view: (TerminatingInstances) => ({ TerminatingInstances }),
})
