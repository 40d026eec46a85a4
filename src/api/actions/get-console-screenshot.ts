/**
 * GetConsoleScreenshot. A virtual machine has no graphics adapter, so this is a picture of what a
 * terminal on its serial line shows: PNG, where EC2 has JPEG. A container has no console of its own
 * to show.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetConsoleScreenshot.html
 */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { driverOfInstance } from '../instances/drivers.ts'
import { requireInstance } from '../instances/instances.ts'
import { readAction } from '../read.ts'
import { idSchema, withoutEffect } from '../schemas.ts'
import { pictureOf } from '../screen/picture.ts'
import { screenOf } from '../screen/text-screen.ts'

/** How long a host may take to read an instance's console. */
const CONSOLE_TIMEOUT_MS = 5_000

/** GetConsoleScreenshot. `ImageData` is base64. */
export const getConsoleScreenshot = readAction({
  name: 'GetConsoleScreenshot',
  input: z.strictObject({
    InstanceId: idSchema('i', 'InvalidInstanceID.Malformed'),
    // A serial line does not sleep.
    WakeUp: withoutEffect(z.boolean().optional()),
  }),
  prepare: ({ InstanceId }, { account, read, settings }) =>
    read(async (tx) => {
      const instance = await requireInstance(tx, account, InstanceId)
      const [image] = await tx.images({ ids: [instance.image] })
      const driver = driverOfInstance(instance, image, settings.drivers)
      if (driver?.hasSerialLine !== true)
        throw refused(
          'UnsupportedOperation',
          `The instance '${InstanceId}' is no virtual machine, so it has no screen; GetConsoleOutput has its output`,
        )
      if (instance.state !== 'running')
        throw refused(
          'IncorrectInstanceState',
          `The instance '${InstanceId}' is not in the 'running' state.`,
        )
      return instance
    }),
  async answer({ id, host }, { ask, signal }) {
    const options = { timeoutMs: CONSOLE_TIMEOUT_MS, signal }
    const { output } = await ask(host, 'console', { instance: id }, options)
    const screen = screenOf(Buffer.from(output, 'base64').toString('utf8'))
    return { InstanceId: id, ImageData: pictureOf(screen).toString('base64') }
  },
})
