/** Bells for what a change has touched: exactly the hosts that it concerns are rung. */
import type { AccountId, HostName, VpcId } from '../model/ids.ts'
import type { Bus } from './bus.ts'

/** Whom a change concerns, as the store's scopes say. */
type Concerned =
  | { readonly kind: 'host'; readonly host: HostName }
  | { readonly kind: 'vpc'; readonly vpc: VpcId }
  | { readonly kind: 'account'; readonly account: AccountId }
  | { readonly kind: 'all' }

/**
 * Rings each host once for what is its own, those that follow a VPC once for that VPC, and all once
 * for what all share. What belongs to an account is read when it is needed: no host holds it.
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
