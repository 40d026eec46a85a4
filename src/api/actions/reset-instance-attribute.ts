/** ResetInstanceAttribute: sets an attribute back to what a launch without it gets. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { changeAction } from '../change.ts'
import { requireInstance } from '../instances/instances.ts'
import { setSourceDestCheck } from '../networks/only-nic.ts'
import { idSchema, withCode } from '../schemas.ts'

/** Those that EC2 resets. */
const RESETTABLE = ['kernel', 'ramdisk', 'sourceDestCheck'] as const

/**
 * `sourceDestCheck` becomes true. An instance's kernel is its image's in any case.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ResetInstanceAttribute.html
 */
export const resetInstanceAttribute = changeAction({
  name: 'ResetInstanceAttribute',
  input: z.strictObject({
    InstanceId: idSchema('i', 'InvalidInstanceID.Malformed'),
    Attribute: z.string().refine((name) => RESETTABLE.some((known) => known === name), {
      error: ({ input }) =>
        `Value (${String(input).slice(0, 64)}) for parameter attribute is invalid. It cannot be reset: use one of ${RESETTABLE.join(', ')}`,
      ...withCode('InvalidParameterValue'),
    }),
  }),
  async change(tx, { InstanceId: id, Attribute: attribute }, { account, settings }) {
    const instance = await requireInstance(tx, account, id)
    if (instance.wanted === 'terminate')
      throw refused('IncorrectInstanceState', `The instance '${id}' is being terminated`)
    if (attribute === 'sourceDestCheck') await setSourceDestCheck(tx, instance, true, settings)
    else if (instance.state !== 'stopped')
      throw refused('IncorrectInstanceState', `The instance '${id}' is not in the 'stopped' state.`)
  },
})
