/** DisassociateAddress. As in EC2, a NAT gateway keeps its address (`AuthFailure`). */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { changeAction } from '../change.ts'
import { allocated, requireAllocated } from '../networks/addresses.ts'
import { refuseOfNatGateway } from '../networks/nat-gateways.ts'
import { idSchema, ipv4Schema, notFound } from '../schemas.ts'

/** An address that leads nowhere is left as it is. */
export const disassociateAddress = changeAction({
  name: 'DisassociateAddress',
  input: z.strictObject({
    AssociationId: idSchema('eipassoc', 'InvalidAssociationID.NotFound').optional(),
    PublicIp: ipv4Schema.optional(),
  }),
  async change(tx, { AssociationId: id, PublicIp }, { account }) {
    if (id === undefined) {
      if (PublicIp === undefined)
        throw refused('MissingParameter', 'Either public IP or association id must be specified')
      const address = await requireAllocated(tx, account, { PublicIp })
      await refuseOfNatGateway(tx, address, 'AuthFailure')
      if (address.association !== null) await tx.associateAddress(address.id, null)
      return
    }
    if (PublicIp !== undefined)
      throw refused(
        'InvalidParameterCombination',
        'You may specify public IP or association id, but not both in the same call',
      )
    const address = (await allocated(tx, account)).find((one) => one.association?.id === id)
    if (address === undefined)
      throw notFound('InvalidAssociationID.NotFound', 'association ID', [id])
    await refuseOfNatGateway(tx, address, 'AuthFailure')
    await tx.associateAddress(address.id, null)
  },
  view: () => ({ Return: true }),
})
