/**
 * What the routes of a request lead to. A new kind of target takes a member in `targetShape` and a
 * line in `requireTarget`.
 */
import type { z } from 'zod'
import { cidrHolds, formatCidr } from '../../model/addr.ts'
import { refused } from '../../model/errors.ts'
import type { Nic } from '../../model/records.ts'
import type { Route, RouteTable, RouteTarget } from '../../model/route-table.ts'
import { rangesOf } from '../../model/vpc-range.ts'
import type { ReadTx } from '../../store/store.ts'
import { requireInstance } from '../instances/instances.ts'
import { idSchema, notFound } from '../schemas.ts'
import { nicIdSchema, requireNic } from './network-interfaces.ts'
import { onlyNic } from './only-nic.ts'
import { missingPeerings, peeringIdSchema } from './peerings.ts'
import { natGatewayFor, natGatewayIdSchema } from './routing.ts'
import { requireVpc } from './vpcs.ts'

/** The parameters that name a target, of which a request has one. */
export const targetShape = {
  GatewayId: idSchema('igw', 'InvalidGatewayID.NotFound').optional(),
  NatGatewayId: natGatewayIdSchema.optional(),
  VpcPeeringConnectionId: peeringIdSchema.optional(),
  NetworkInterfaceId: nicIdSchema.optional(),
  InstanceId: idSchema('i', 'InvalidInstanceID.Malformed').optional(),
}

/** A request's target. */
type AskedTarget = Partial<z.infer<z.ZodObject<typeof targetShape>>>

/**
 * The target, which must be of the table's VPC. Errors: `MissingParameter` and
 * `InvalidParameterCombination` for none and for several; the NotFound of its kind;
 * `InvalidParameterValue` for one of another VPC; `InvalidInstanceID` for an instance with several
 * NICs.
 */
export async function requireTarget(
  tx: ReadTx,
  table: RouteTable,
  asked: AskedTarget,
): Promise<RouteTarget> {
  const { GatewayId, NatGatewayId, VpcPeeringConnectionId, NetworkInterfaceId, InstanceId } = asked
  const given = [GatewayId, NatGatewayId, VpcPeeringConnectionId, NetworkInterfaceId, InstanceId]
  if (given.filter((id) => id !== undefined).length > 1)
    throw refused(
      'InvalidParameterCombination',
      'The parameters for the target of a route exclude each other: give one',
    )
  if (GatewayId !== undefined) {
    const gateways = await tx.internetGateways({ account: table.account })
    const gateway = gateways.find(({ id }) => id === GatewayId)
    if (gateway === undefined)
      throw notFound('InvalidGatewayID.NotFound', 'gateway ID', [GatewayId])
    if (gateway.vpc === table.vpc) return { kind: 'internet-gateway', id: GatewayId }
    throw refused(
      'InvalidParameterValue',
      `route table ${table.id} and network gateway ${GatewayId} belong to different networks`,
    )
  }
  if (NatGatewayId !== undefined) {
    const { id } = await natGatewayFor(tx, table, NatGatewayId)
    return { kind: 'nat-gateway', id }
  }
  if (VpcPeeringConnectionId !== undefined)
    return await peeringFor(tx, table, VpcPeeringConnectionId)
  if (NetworkInterfaceId !== undefined)
    return ofNic(table, await requireNic(tx, table.account, NetworkInterfaceId))
  if (InstanceId !== undefined) {
    const instance = await requireInstance(tx, table.account, InstanceId)
    return ofNic(table, await onlyNic(tx, instance))
  }
  throw refused(
    'MissingParameter',
    `The request must contain exactly one of ${Object.keys(targetShape).join(', ')}`,
  )
}

/**
 * A NIC of the table's VPC. It need not be attached to anything: until then the route is a
 * blackhole.
 */
function ofNic({ id: table, vpc }: RouteTable, { id, vpc: other }: Nic): RouteTarget {
  if (vpc === other) return { kind: 'network-interface', id }
  throw refused(
    'InvalidParameterValue',
    `route table ${table} and interface ${id} belong to different networks`,
  )
}

/** A connection that is active and has the table's VPC on one side. */
async function peeringFor(
  tx: ReadTx,
  { vpc, account }: RouteTable,
  id: Extract<RouteTarget, { kind: 'peering' }>['id'],
): Promise<RouteTarget> {
  const peering = (await tx.vpcPeerings({ account })).find((one) => one.id === id)
  if (peering === undefined) throw missingPeerings([id])
  if (peering.requester.vpc !== vpc && peering.accepter.vpc !== vpc)
    throw refused(
      'InvalidParameterValue',
      `route table of ${vpc} and VPC peering connection ${id} belong to different networks`,
    )
  if (peering.state !== 'active')
    throw refused('IncorrectState', `The VPC peering connection ${id} is ${peering.state}`)
  return { kind: 'peering', id }
}

/**
 * Refuses a destination inside the VPC, where `local` leads. Errors: `InvalidParameterValue`.
 */
export async function refuseLocal(
  tx: ReadTx,
  { vpc: id, account }: RouteTable,
  { destination }: Pick<Route, 'destination'>,
): Promise<void> {
  const vpc = await requireVpc(tx, account, id)
  if (rangesOf(vpc).some((range) => cidrHolds(range, destination)))
    throw refused(
      'InvalidParameterValue',
      `The destination CIDR block ${formatCidr(destination)} is equal to or more specific than one of this VPC's CIDR blocks. Here packets within a VPC always go straight to their instance.`,
    )
}
