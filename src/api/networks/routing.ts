/** What actions on gateways, route tables and network ACLs share. */
import { z } from 'zod'
import { maskedCidr } from '../../model/addr.ts'
import { refused } from '../../model/errors.ts'
import type {
  AccountId,
  InternetGatewayId,
  NetworkAclId,
  RouteTableId,
  VpcId,
} from '../../model/ids.ts'
import type { NetworkAcl } from '../../model/network-acl.ts'
import type {
  InternetGateway,
  NatGateway,
  RouteTable,
  RouteTableAssociation,
} from '../../model/route-table.ts'
import type { Version } from '../../model/version.ts'
import type { VpcRouting } from '../../model/vpc-routing.ts'
import { readRouting } from '../../store/routing.ts'
import type { ReadTx } from '../../store/store.ts'
import type { ApiSettings } from '../action.ts'
import { refuseOlderHosts } from '../older-hosts.ts'
import { idSchema, notFound, withCode } from '../schemas.ts'

/** Older hosts give every VPC a way out, and let everything pass between its subnets. */
const ROUTES_VERSION: Version = [0, 4]

/** Errors: `OperationNotPermitted` while a host would not do what routes and ACLs say. */
export function refuseUnrouted(tx: ReadTx, settings: Pick<ApiSettings, 'host'>): Promise<void> {
  return refuseOlderHosts(tx, settings, ROUTES_VERSION, 'route tables and network ACLs')
}

/** `InternetGatewayId`. */
export const internetGatewayIdSchema = idSchema('igw', 'InvalidInternetGatewayId.Malformed')
/** `NatGatewayId`. */
export const natGatewayIdSchema = idSchema('nat', 'NatGatewayMalformed')
/** `RouteTableId`. */
export const routeTableIdSchema = idSchema('rtb', 'InvalidRouteTableId.Malformed')
/** `NetworkAclId`. */
export const networkAclIdSchema = idSchema('acl', 'InvalidNetworkAclId.Malformed')

/** A destination. Host bits are cleared, as in EC2. */
export const destinationSchema = z.string().transform((text, context) => {
  const cidr = maskedCidr(text)
  if (cidr !== undefined) return cidr
  context.addIssue({
    code: 'custom',
    message: `Value (${text.slice(0, 64)}) for parameter destinationCidrBlock is invalid. This is not a valid CIDR block.`,
    ...withCode('InvalidParameterValue'),
  })
  return z.NEVER
})

/** `InvalidInternetGatewayID.NotFound`. */
export function missingInternetGateways(ids: readonly string[]): Error {
  return notFound('InvalidInternetGatewayID.NotFound', 'internetGateway ID', ids)
}

/** `NatGatewayNotFound`. */
export function missingNatGateways(ids: readonly string[]): Error {
  const [noun, verb] = ids.length === 1 ? ['NAT gateway', 'was'] : ['NAT gateways', 'were']
  return refused('NatGatewayNotFound', `${noun} ${ids.join(', ')} ${verb} not found`)
}

/** `InvalidRouteTableID.NotFound`. */
export function missingRouteTables(ids: readonly string[]): Error {
  return notFound('InvalidRouteTableID.NotFound', 'routeTable ID', ids)
}

/** `InvalidNetworkAclID.NotFound`. */
export function missingNetworkAcls(ids: readonly string[]): Error {
  return notFound('InvalidNetworkAclID.NotFound', 'networkAcl ID', ids)
}

/** `InvalidAssociationID.NotFound`. */
export function missingAssociation(id: string): Error {
  return notFound('InvalidAssociationID.NotFound', 'association ID', [id])
}

/** One of the account's internet gateways. Errors: `InvalidInternetGatewayID.NotFound`. */
export async function requireInternetGateway(
  tx: ReadTx,
  account: AccountId,
  id: InternetGatewayId,
): Promise<InternetGateway> {
  const found = (await tx.internetGateways({ account })).find((one) => one.id === id)
  if (found === undefined) throw missingInternetGateways([id])
  return found
}

/** One of the account's route tables. Errors: `InvalidRouteTableID.NotFound`. */
export async function requireRouteTable(
  tx: ReadTx,
  account: AccountId,
  id: RouteTableId,
): Promise<RouteTable> {
  const found = (await tx.routeTables({ account })).find((one) => one.id === id)
  if (found === undefined) throw missingRouteTables([id])
  return found
}

/** One of the account's network ACLs. Errors: `InvalidNetworkAclID.NotFound`. */
export async function requireNetworkAcl(
  tx: ReadTx,
  account: AccountId,
  id: NetworkAclId,
): Promise<NetworkAcl> {
  const found = (await tx.networkAcls({ account })).find((one) => one.id === id)
  if (found === undefined) throw missingNetworkAcls([id])
  return found
}

/**
 * One of the account's associations of a route table. Errors: `InvalidAssociationID.NotFound`.
 */
export async function requireTableAssociation(
  tx: ReadTx,
  account: AccountId,
  id: RouteTableAssociation['id'],
): Promise<RouteTableAssociation> {
  const vpcs = (await tx.routeTables({ account })).map(({ vpc }) => vpc)
  const found = (await tx.routeTableAssociations({ vpcs })).find((one) => one.id === id)
  if (found === undefined) throw missingAssociation(id)
  return found
}

/** How packets leave one VPC. */
export async function routingOf(tx: ReadTx, { vpc }: Pick<RouteTable, 'vpc'>): Promise<VpcRouting> {
  const [routing] = await readRouting(tx, [vpc])
  if (routing === undefined) throw missingRouteTables([vpc])
  return routing
}

/** A subnet and a table or an ACL of another VPC. */
export function refuseOtherVpc(
  what: string,
  { id, vpc }: Pick<RouteTable | NetworkAcl, 'id' | 'vpc'>,
  other: { readonly id: string; readonly vpc: VpcId },
): void {
  if (vpc !== other.vpc)
    throw refused(
      'InvalidParameterValue',
      `${what} ${id} and ${other.id} belong to different networks`,
    )
}

/** `DependencyViolation`. */
export function hasDependencies(
  noun: 'internetGateway' | 'routeTable' | 'networkAcl',
  id: string,
): Error {
  return refused(
    'DependencyViolation',
    `The ${noun} '${id}' has dependencies and cannot be deleted.`,
  )
}

/** A NAT gateway as a target of the table's routes. Errors: `InvalidNatGatewayID.NotFound`. */
export async function natGatewayFor(
  tx: ReadTx,
  { vpc, account }: RouteTable,
  id: NatGateway['id'],
): Promise<NatGateway> {
  const found = (await tx.natGateways({ account })).find((one) => one.id === id)
  if (found === undefined) throw notFound('InvalidNatGatewayID.NotFound', 'natGateway ID', [id])
  if (found.vpc === vpc) return found
  throw refused(
    'InvalidParameterValue',
    `The route table and the NAT gateway ${id} belong to different networks`,
  )
}
