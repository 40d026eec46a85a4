/**
 * DeleteNatGateway: it is gone at once, and routes to it become blackholes. Its floating IP stays
 * with the account.
 */
import { z } from 'zod'
import { changeAction } from '../change.ts'
import { takeAddress } from '../networks/nat-gateways.ts'
import { missingNatGateways, natGatewayIdSchema, refuseUnrouted } from '../networks/routing.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteNatGateway.html */
export const deleteNatGateway = changeAction({
  name: 'DeleteNatGateway',
  input: z.strictObject({ NatGatewayId: natGatewayIdSchema }),
  async change(tx, { NatGatewayId: id }, { account, settings }) {
    await refuseUnrouted(tx, settings)
    const gateway = (await tx.natGateways({ account })).find((one) => one.id === id)
    if (gateway === undefined) throw missingNatGateways([id])
    await tx.deleteNatGateway(gateway)
    if (gateway.address !== undefined) await takeAddress(tx, account, gateway.address)
    await tx.deleteTagsOf(id)
    return id
  },
  view: (NatGatewayId) => ({ NatGatewayId }),
})
