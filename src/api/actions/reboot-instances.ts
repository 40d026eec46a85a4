/** RebootInstances. */
import { z } from 'zod'
import { requestReboot } from '../../model/lifecycle.ts'
import { changeAction } from '../change.ts'
import { changeInstances, instancesShape } from '../instances/instances.ts'

/** RebootInstances. */
export const rebootInstances = changeAction({
  name: 'RebootInstances',
  input: z.strictObject(instancesShape),
  change: changeInstances(requestReboot),
})
