/** GetPasswordData. */
import { z } from 'zod'
import { requireInstance } from '../instances/instances.ts'
import { readAction } from '../read.ts'
import { idSchema } from '../schemas.ts'

/** Empty, as for every instance without Windows. */
export const getPasswordData = readAction({
  name: 'GetPasswordData',
  input: z.strictObject({ InstanceId: idSchema('i', 'InvalidInstanceID.Malformed') }),
  async answer({ InstanceId }, { account, read }) {
    const { id, launchedAt } = await read((tx) => requireInstance(tx, account, InstanceId))
    return { InstanceId: id, Timestamp: new Date(launchedAt), PasswordData: '' }
  },
})
