/** What actions on peering connections have in common. */
import { refused } from '../../model/errors.ts'
import type { AccountId, VpcId } from '../../model/ids.ts'
import type { PeeringState, VpcPeering } from '../../model/peering.ts'
import type { ReadTx, Tx } from '../../store/store.ts'
import { idSchema, notFound } from '../schemas.ts'

/** `VpcPeeringConnectionId`. */
export const peeringIdSchema = idSchema('pcx', 'InvalidVpcPeeringConnectionId.Malformed')

const HOUR_MS = 3600 * 1000
/**
 * How long one that has ended is listed (VPC peering guide, "VPC peering connection lifecycle").
 */
const LISTED_MS: Readonly<Record<'rejected' | 'deleted' | 'failed' | 'expired', number>> = {
  rejected: 2 * HOUR_MS,
  deleted: 2 * HOUR_MS,
  failed: 2 * HOUR_MS,
  expired: 48 * HOUR_MS,
}

/** The state as clients see it. */
export function stateAt({ state, expiresAt }: VpcPeering, now: string): PeeringState | 'expired' {
  return state === 'pending-acceptance' && expiresAt <= now ? 'expired' : state
}

/** Whether it is listed. */
export function isListed(peering: VpcPeering, now: string): boolean {
  const state = stateAt(peering, now)
  if (state === 'pending-acceptance' || state === 'active') return true
  const ended = Date.parse(peering.endedAt ?? peering.expiresAt)
  return Date.parse(now) - ended < LISTED_MS[state]
}

/** `InvalidVpcPeeringConnectionID.NotFound`. */
export function missingPeerings(ids: readonly string[]): Error {
  return notFound('InvalidVpcPeeringConnectionID.NotFound', 'vpcPeeringConnection ID', ids)
}

/** One in which the account has a side. Errors: `InvalidVpcPeeringConnectionID.NotFound`. */
export async function requirePeering(
  tx: ReadTx,
  account: AccountId,
  id: VpcPeering['id'],
  now: string,
): Promise<VpcPeering> {
  const all = await tx.vpcPeerings({ account })
  const found = all.find((one) => one.id === id && isListed(one, now))
  if (found === undefined) throw missingPeerings([id])
  return found
}

/** `InvalidStateTransition`. */
export function wrongState({ id }: VpcPeering, state: string, to: string): Error {
  return refused(
    'InvalidStateTransition',
    `Invalid state transition for ${id}, attempted to transition from ${state} to ${to}`,
  )
}

/** Ends those that a VPC has, which is being deleted. */
export async function endPeeringsOf(
  tx: Tx,
  account: AccountId,
  vpc: VpcId,
  at: string,
): Promise<void> {
  for (const peering of await tx.vpcPeerings({ account })) {
    const { state, requester, accepter } = peering
    if (state !== 'active' && state !== 'pending-acceptance') continue
    if (requester.vpc === vpc || accepter.vpc === vpc)
      await tx.changeVpcPeering(peering, { from: state, to: 'deleted', at })
  }
}
