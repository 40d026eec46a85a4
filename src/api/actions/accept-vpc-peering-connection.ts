/** AcceptVpcPeeringConnection: from then on it is active. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { changeAction } from '../change.ts'
import { peeringIdSchema, requirePeering, stateAt, wrongState } from '../networks/peerings.ts'
import { requireVpc } from '../networks/vpcs.ts'
import { tagsView } from '../views/tags.ts'
import { peeringView } from '../views/vpc-peering.ts'
import { toStranger, whyNot } from './create-vpc-peering-connection.ts'

/**
 * For the owner of the accepter VPC only. What has come to overlap since the request is refused.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AcceptVpcPeeringConnection.html
 */
export const acceptVpcPeeringConnection = changeAction({
  name: 'AcceptVpcPeeringConnection',
  input: z.strictObject({ VpcPeeringConnectionId: peeringIdSchema }),
  async change(tx, { VpcPeeringConnectionId: id }, { account, now }) {
    const peering = await requirePeering(tx, account, id, now)
    const { requester, accepter, state } = peering
    if (accepter.account !== account)
      throw refused(
        'OperationNotPermitted',
        `User ${account} cannot accept peering ${id}: ${accepter.account} can`,
      )
    if (state !== 'pending-acceptance' || stateAt(peering, now) !== state)
      throw wrongState(peering, stateAt(peering, now), 'active')
    const own = await requireVpc(tx, requester.account, requester.vpc)
    const peer = (await tx.vpcs({ account })).find((vpc) => vpc.id === accepter.vpc)
    const why = await whyNot(tx, own, peer)
    const reason = requester.account === account ? why : toStranger(why)
    if (reason !== null) throw refused('OperationNotPermitted', reason)
    if ((await tx.changeVpcPeering(peering, { from: state, to: 'active', at: now })) === 'changed')
      throw wrongState(peering, 'changed', 'active')
    const tags = await tx.tags({ account, resources: [id] })
    return { peering: { ...peering, state: 'active' as const }, tags }
  },
  view: ({ peering, tags }, { now, settings: { region } }) => ({
    VpcPeeringConnection: peeringView(peering, {
      ...{ now, region },
      tags: tagsView(tags, peering.id),
    }),
  }),
})
