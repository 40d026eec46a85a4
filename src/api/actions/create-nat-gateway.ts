/** CreateNatGateway: a way out by which nobody outside can begin a connection. */
import { z } from 'zod'
import type { Ipv4 } from '../../model/addr.ts'
import { refused } from '../../model/errors.ts'
import type { Subnet } from '../../model/records.ts'
import type { NatGateway } from '../../model/route-table.ts'
import type { Tx } from '../../store/store.ts'
import { type Changing, changeAction } from '../change.ts'
import { detailsOfNatGateways, giveAddress } from '../networks/nat-gateways.ts'
import { missingNatGateways, refuseUnrouted, routingOf } from '../networks/routing.ts'
import { requireSubnet, subnetIdSchema } from '../networks/vpcs.ts'
import {
  clientTokenSchema,
  idSchema,
  ipv4Schema,
  onlySchema,
  specifiedTags,
  tagSpecificationsSchema,
  withCode,
} from '../schemas.ts'
import { natGatewayView } from '../views/nat-gateway.ts'

const input = z.strictObject({
  SubnetId: subnetIdSchema,
  ClientToken: clientTokenSchema,
  ConnectivityType: onlySchema(
    'public',
    'ConnectivityType: a NAT gateway leads out of the VPC; use public',
  ),
  AvailabilityMode: onlySchema('zonal', 'AvailabilityMode: use zonal'),
  AllocationId: idSchema('eipalloc', 'InvalidAllocationID.NotFound').optional(),
  PrivateIpAddress: ipv4Schema.optional(),
  SecondaryAllocationIds: absent('SecondaryAllocationId'),
  SecondaryPrivateIpAddresses: absent('SecondaryPrivateIpAddress'),
  SecondaryPrivateIpAddressCount: absent('SecondaryPrivateIpAddressCount'),
  VpcId: absent('VpcId', 'and give SubnetId'),
  AvailabilityZoneAddresses: absent('AvailabilityZoneAddress', 'and give AllocationId'),
  TagSpecifications: tagSpecificationsSchema(['natgateway']),
})
type Asked = z.output<typeof input>

/** Refuses a parameter, and says what to do in its place. */
function absent(parameter: string, instead?: string) {
  const fix = instead === undefined ? 'leave it out' : `leave it out, ${instead}`
  const why = `${parameter}: a NAT gateway is in one subnet and has one address at most; ${fix}`
  return z
    .unknown()
    .refine((given) => given === undefined, { error: why, ...withCode('UnsupportedOperation') })
    .optional()
    .meta({ effect: 'refused' })
}

/**
 * It is available at once. What a route leads to it goes on by the routes of its subnet, with its
 * floating IP. Without one, unlike in EC2, each instance goes out with the address of its host.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNatGateway.html
 */
export const createNatGateway = changeAction({
  name: 'CreateNatGateway',
  input,
  prepare: (asked, { newId }) => ({ ...asked, id: newId('nat') }),
  once: ({ ClientToken: token = null, id }, { account }) => ({
    token,
    result: id,
    repeat: async (tx, known) => {
      const gateway = (await tx.natGateways({ account })).find((one) => one.id === known)
      if (gateway === undefined) throw missingNatGateways([known])
      return await detailsOfNatGateways(tx, account, [gateway])
    },
  }),
  change: create,
  view: ([details], { settings }) => ({
    NatGateway: details === undefined ? undefined : natGatewayView(details, settings),
  }),
})

async function create(
  tx: Tx,
  asked: Asked & Pick<NatGateway, 'id'>,
  changing: Changing,
): ReturnType<typeof detailsOfNatGateways> {
  const { account, now, settings } = changing
  const { id, AllocationId, PrivateIpAddress: privateIp, TagSpecifications } = asked
  await refuseUnrouted(tx, settings)
  const subnet = await requireSubnet(tx, account, asked.SubnetId)
  const { internetGateways } = await routingOf(tx, subnet)
  if (internetGateways.length === 0)
    throw refused('Gateway.NotAttached', `Network ${subnet.vpc} has no internet gateway attached`)
  await tx.takeTurn(account)
  await refuseTooMany(tx, subnet, changing)
  if (AllocationId === undefined) refuseWithoutAddress(privateIp)
  const of = { id, account, vpc: subnet.vpc, subnet: subnet.id, createdAt: now }
  const address =
    AllocationId === undefined
      ? undefined
      : await giveAddress(tx, { gateway: id, subnet, AllocationId, privateIp }, changing)
  const gateway: NatGateway = address === undefined ? of : { ...of, address }
  await tx.insertNatGateway(gateway)
  const named = { account, resource: id, resourceType: 'natgateway' } as const
  await tx.putTags(specifiedTags(TagSpecifications, named))
  return await detailsOfNatGateways(tx, account, [gateway])
}

async function refuseTooMany(
  tx: Tx,
  { zone }: Subnet,
  { account, settings }: Changing,
): Promise<void> {
  const subnets = await tx.subnets({ account })
  const inZone = subnets.filter((one) => one.zone === zone).map((one) => one.id)
  const limit = settings.quotas.natGatewaysPerZone
  if ((await tx.natGateways({ subnets: inZone })).length >= limit)
    throw refused(
      'NatGatewayLimitExceeded',
      `The maximum number of NAT gateways in a zone has been reached: ${limit}`,
    )
}

/** A private address is that of the NIC which the floating IP leads to. */
function refuseWithoutAddress(privateIp: Ipv4 | undefined): void {
  if (privateIp !== undefined)
    throw refused(
      'InvalidParameterCombination',
      'PrivateIpAddress: only a NAT gateway with a floating IP has a private address; give AllocationId, too',
    )
}
