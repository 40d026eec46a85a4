/** Rings exactly the hosts that a change concerns. */
import type { AccountId, HostName, VpcId } from '../model/ids.ts'
import type { Bus } from './bus.ts'

/** Whom a change concerns, as the store's scopes. */
type Concerned =
  | { readonly kind: 'host'; readonly host: HostName }
  | { readonly kind: 'vpc'; readonly vpc: VpcId }
  | { readonly kind: 'account'; readonly account: AccountId }
  | { readonly kind: 'all' }

/**
 * Rings each host once for its own part, the followers of a VPC once for the VPC, and all hosts
 * once for what all share. No host holds what belongs to an account; it is read when needed.
 */
export function ringConcerned(
  bus: Pick<Bus, 'ring' | 'ringVpc' | 'ringAll'>,
  scopes: readonly Concerned[],
): void {
  for (const host of new Set(scopes.flatMap((one) => (one.kind === 'host' ? one.host : []))))
    bus.ring(host)
  for (const vpc of new Set(scopes.flatMap((one) => (one.kind === 'vpc' ? one.vpc : []))))
    bus.ringVpc(vpc)
  if (scopes.some(({ kind }) => kind === 'all')) bus.ringAll()
}
