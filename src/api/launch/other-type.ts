/** An instance's type after its launch: a machine that is stopped comes up as another one. */
import { refused } from '../../model/errors.ts'
import { workloadKind } from '../../model/image-location.ts'
import type { InstanceChange } from '../../model/lifecycle.ts'
import type { Instance } from '../../model/records.ts'
import type { Tx } from '../../store/store.ts'

/**
 * Takes what the type needs of the instance's host, and gives back what it had; its disk stays as large as it is. Refuses a type that does
 * not exist, a container, whose limits are those that it was made with, and what the host has no room for.
 */
export async function changeType(
  tx: Tx,
  { id, account, host, image, type: had }: Instance,
  name: string,
): Promise<InstanceChange | undefined> {
  if (name === had) return undefined
  const types = await tx.instanceTypes()
  const type = types.find((one) => one.name === name)
  if (type === undefined)
    throw refused('InvalidParameterValue', `Invalid value '${name}' for InstanceType.`)
  const [origin] = await tx.images({ account, ids: [image] })
  if (origin === undefined || workloadKind(origin.location) !== 'machine')
    throw refused(
      'UnsupportedOperation',
      `InstanceType: '${id}' is a container, whose type is the one that it was launched with`,
    )
  const before = types.find((one) => one.name === had)
  await tx.returnCapacity(host, before?.vcpus ?? 0, before?.memoryMiB ?? 0)
  if ((await tx.takeCapacity(host, type.vcpus, type.memoryMiB)) === 'done') return { type: name }
  throw refused(
    'InsufficientInstanceCapacity',
    `The host of '${id}' has not enough room for ${name}, or takes nothing now; \`atoll hosts\` shows what each has`,
  )
}
