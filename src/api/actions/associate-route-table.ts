/** AssociateRouteTable, DisassociateRouteTable and ReplaceRouteTableAssociation. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { changeAction } from '../change.ts'
import {
  refuseOtherVpc,
  refuseUnrouted,
  requireRouteTable,
  requireTableAssociation,
  routeTableIdSchema,
} from '../networks/routing.ts'
import { requireSubnet, subnetIdSchema } from '../networks/vpcs.ts'
import { idSchema } from '../schemas.ts'

const associationIdSchema = idSchema('rtbassoc', 'InvalidAssociationID.NotFound')
const STATE = { State: 'associated' }

/**
 * The subnet goes by the table instead of its VPC's main one. Tables for gateways do not exist.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AssociateRouteTable.html
 */
export const associateRouteTable = changeAction({
  name: 'AssociateRouteTable',
  input: z.strictObject({ RouteTableId: routeTableIdSchema, SubnetId: subnetIdSchema }),
  async change(tx, { RouteTableId, SubnetId }, { account, newId, settings }) {
    await refuseUnrouted(tx, settings)
    const table = await requireRouteTable(tx, account, RouteTableId)
    const subnet = await requireSubnet(tx, account, SubnetId)
    refuseOtherVpc('Route table', table, subnet)
    const { vpc } = table
    const known = (await tx.routeTableAssociations({ vpcs: [vpc] })).find(
      (one) => one.subnet === subnet.id,
    )
    // As in EC2, the same once more gives the same.
    if (known?.table === table.id) return known.id
    const made = { id: newId('rtbassoc'), table: table.id, vpc, subnet: subnet.id }
    if (known !== undefined || (await tx.insertRouteTableAssociation(made)) === 'exists')
      throw refused(
        'Resource.AlreadyAssociated',
        `the specified association for route table ${table.id} conflicts with an existing association`,
      )
    return made.id
  },
  view: (AssociationId) => ({ AssociationId, AssociationState: STATE }),
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DisassociateRouteTable.html */
export const disassociateRouteTable = changeAction({
  name: 'DisassociateRouteTable',
  input: z.strictObject({ AssociationId: associationIdSchema }),
  async change(tx, { AssociationId: id }, { account, settings }) {
    await refuseUnrouted(tx, settings)
    const association = await requireTableAssociation(tx, account, id)
    if (association.subnet === null)
      throw refused(
        'InvalidParameterValue',
        `cannot disassociate the main route table association ${id}`,
      )
    await tx.deleteRouteTableAssociation(association)
  },
})

/**
 * Another table for a subnet, or another main table for a VPC.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceRouteTableAssociation.html
 */
export const replaceRouteTableAssociation = changeAction({
  name: 'ReplaceRouteTableAssociation',
  input: z.strictObject({ AssociationId: associationIdSchema, RouteTableId: routeTableIdSchema }),
  async change(tx, { AssociationId, RouteTableId }, { account, newId, settings }) {
    await refuseUnrouted(tx, settings)
    const old = await requireTableAssociation(tx, account, AssociationId)
    const table = await requireRouteTable(tx, account, RouteTableId)
    const { vpc, subnet } = old
    refuseOtherVpc('Route table', table, { id: subnet ?? vpc, vpc })
    // As in EC2, the same once more gives the same.
    if (old.table === table.id) return old.id
    await tx.deleteRouteTableAssociation(old)
    const made = { id: newId('rtbassoc'), table: table.id, vpc, subnet }
    if ((await tx.insertRouteTableAssociation(made)) === 'exists')
      throw refused(
        'Resource.AlreadyAssociated',
        `the specified association for route table ${table.id} conflicts with an existing association`,
      )
    return made.id
  },
  view: (NewAssociationId) => ({ NewAssociationId, AssociationState: STATE }),
})
