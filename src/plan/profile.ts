/** What an instance's want says of its instance profile. Pure. */
import type { InstanceProfileRole } from '../model/account-records.ts'
import type { Instance } from '../model/records.ts'
import { trustsInstances } from '../model/trust.ts'
import type { InstanceWant } from '../model/want.ts'

/** Nothing for an instance without a profile, or whose profile is gone. */
export function profileWant(
  { options }: Pick<Instance, 'options'>,
  profiles: ReadonlyMap<string, InstanceProfileRole>,
): Pick<InstanceWant, 'profile'> {
  const { id, arn } = options?.profile ?? {}
  const known = id === undefined ? undefined : profiles.get(id)
  if (id === undefined || arn === undefined || known === undefined) return {}
  const { role: name, roleId, trust } = known
  if (name === null || roleId === null || trust === null) return { profile: { id, arn } }
  const role = { name, id: roleId, isTrusting: trustsInstances(trust) }
  return { profile: { id, arn, role } }
}
