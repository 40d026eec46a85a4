/** ModifyVpcPeeringConnectionOptions: there is nothing to choose here. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { changeAction } from '../change.ts'
import { peeringIdSchema, requirePeering, stateAt, wrongState } from '../peerings.ts'
import { onlySchema } from '../schemas.ts'
import { PEERING_OPTIONS } from '../views/vpc-peering.ts'

const NO_DNS =
  'AllowDnsResolutionFromRemoteVpc: instances resolve names of their own VPC only; use addresses'
const NO_CLASSIC = 'there is no ClassicLink'

const options = z
  .strictObject({
    AllowDnsResolutionFromRemoteVpc: onlySchema(false, NO_DNS),
    AllowEgressFromLocalClassicLinkToRemoteVpc: onlySchema(false, NO_CLASSIC),
    AllowEgressFromLocalVpcToRemoteClassicLink: onlySchema(false, NO_CLASSIC),
  })
  .optional()

/**
 * Accepts what is so already, and refuses the rest. Each side sets its own, of an active
 * connection.
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
    return {
      ...(ofRequester === undefined ? {} : { RequesterPeeringConnectionOptions: PEERING_OPTIONS }),
      ...(ofAccepter === undefined ? {} : { AccepterPeeringConnectionOptions: PEERING_OPTIONS }),
    }
  },
  view: (changed) => changed,
})
