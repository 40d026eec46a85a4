/**
 * ModifyVpcPeeringConnectionOptions: whether public names of the own VPC lead to private addresses
 * when instances of the peer ask.
 */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import type { PeeringSide } from '../../model/peering.ts'
import { changeAction } from '../change.ts'
import { peeringIdSchema, requirePeering, stateAt, wrongState } from '../networks/peerings.ts'
import { onlySchema } from '../schemas.ts'
import { optionsView } from '../views/vpc-peering.ts'

const NO_CLASSIC = 'there is no ClassicLink: leave it out, or give false'

const options = z
  .strictObject({
    AllowDnsResolutionFromRemoteVpc: z.boolean().optional(),
    AllowEgressFromLocalClassicLinkToRemoteVpc: onlySchema(
      false,
      `AllowEgressFromLocalClassicLinkToRemoteVpc: ${NO_CLASSIC}`,
    ),
    AllowEgressFromLocalVpcToRemoteClassicLink: onlySchema(
      false,
      `AllowEgressFromLocalVpcToRemoteClassicLink: ${NO_CLASSIC}`,
    ),
  })
  .optional()

/**
 * Each side sets its own, of an active connection. What is left out stays.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyVpcPeeringConnectionOptions.html
 */
export const modifyVpcPeeringConnectionOptions = changeAction({
  name: 'ModifyVpcPeeringConnectionOptions',
  input: z.strictObject({
    VpcPeeringConnectionId: peeringIdSchema,
    RequesterPeeringConnectionOptions: options,
    AccepterPeeringConnectionOptions: options,
  }),
  async change(tx, asked, { account, now }) {
    const { RequesterPeeringConnectionOptions: ofRequester } = asked
    const { AccepterPeeringConnectionOptions: ofAccepter } = asked
    const peering = await requirePeering(tx, account, asked.VpcPeeringConnectionId, now)
    const state = stateAt(peering, now)
    if (state !== 'active') throw wrongState(peering, state, 'active')
    const isOthers =
      (ofRequester !== undefined && peering.requester.account !== account) ||
      (ofAccepter !== undefined && peering.accepter.account !== account)
    if (isOthers)
      throw refused(
        'OperationNotPermitted',
        `User ${account} cannot set the options of the other side of ${peering.id}`,
      )
    const requester = withOptions(peering.requester, ofRequester)
    const accepter = withOptions(peering.accepter, ofAccepter)
    const isSame =
      requester.showsPrivate === peering.requester.showsPrivate &&
      accepter.showsPrivate === peering.accepter.showsPrivate
    if (!isSame) await tx.setPeeringOptions({ id: peering.id, requester, accepter })
    return {
      ...(ofRequester === undefined
        ? {}
        : { RequesterPeeringConnectionOptions: optionsView(requester) }),
      ...(ofAccepter === undefined
        ? {}
        : { AccepterPeeringConnectionOptions: optionsView(accepter) }),
    }
  },
  view: (changed) => changed,
})

function withOptions(side: PeeringSide, asked: z.output<typeof options>): PeeringSide {
  return {
    ...side,
    showsPrivate: asked?.AllowDnsResolutionFromRemoteVpc ?? side.showsPrivate,
  }
}
