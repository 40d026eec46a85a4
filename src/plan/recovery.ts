/** Which instances of a host others may start again, in its want. Pure. */
import type { Instance } from '../model/records.ts'
import type { InstanceWant } from '../model/want.ts'

/** Nothing, if only this host may ever start it. */
export function recoverWant({ recovery }: Instance): Pick<InstanceWant, 'recover'> {
  if (recovery?.wanted !== 'recover' && recovery?.acknowledged !== 'recover') return {}
  const { acknowledged, assignment } = recovery
  return { recover: { acknowledged: acknowledged === 'recover', assignment } }
}
