/** RejectVpcPeeringConnection and DeleteVpcPeeringConnection. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { changeAction } from '../change.ts'
import { peeringIdSchema, requirePeering, stateAt, wrongState } from '../networks/peerings.ts'

const input = z.strictObject({ VpcPeeringConnectionId: peeringIdSchema })

/**
 * For the owner of the accepter VPC, and a request only.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RejectVpcPeeringConnection.html
 */
export const rejectVpcPeeringConnection = changeAction({
  name: 'RejectVpcPeeringConnection',
  input,
  async change(tx, { VpcPeeringConnectionId: id }, { account, now }) {
    const peering = await requirePeering(tx, account, id, now)
    if (peering.accepter.account !== account)
      throw refused(
        'OperationNotPermitted',
        `User ${account} cannot reject peering ${id}: ${peering.accepter.account} can`,
      )
    const state = stateAt(peering, now)
    if (state !== 'pending-acceptance') throw wrongState(peering, state, 'rejected')
    const change = { from: state, to: 'rejected', at: now } as const
    if ((await tx.changeVpcPeering(peering, change)) === 'changed')
      throw wrongState(peering, 'changed', 'rejected')
  },
  view: () => ({ Return: true }),
})

/**
 * For the owner of either VPC; a request only for who made it, and what has failed for nobody.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteVpcPeeringConnection.html
 */
export const deleteVpcPeeringConnection = changeAction({
  name: 'DeleteVpcPeeringConnection',
  input,
  async change(tx, { VpcPeeringConnectionId: id }, { account, now }) {
    const peering = await requirePeering(tx, account, id, now)
    const state = stateAt(peering, now)
    // It is done already: clients repeat a deletion.
    if (state === 'deleted') return
    if (state !== 'pending-acceptance' && state !== 'active')
      throw wrongState(peering, state, 'deleted')
    if (state === 'pending-acceptance' && peering.requester.account !== account)
      throw refused(
        'OperationNotPermitted',
        `User ${account} cannot delete the request ${id} of ${peering.requester.account}: reject it`,
      )
    const change = { from: state, to: 'deleted', at: now } as const
    if ((await tx.changeVpcPeering(peering, change)) === 'changed')
      throw wrongState(peering, 'changed', 'deleted')
  },
  view: () => ({ Return: true }),
})
