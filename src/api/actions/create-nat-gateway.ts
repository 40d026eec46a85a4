/** CreateNatGateway: a way out without a floating IP. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import type { NatGateway } from '../../model/route-table.ts'
import { changeAction } from '../change.ts'
import { missingNatGateways, refuseUnrouted, routingOf } from '../networks/routing.ts'
import { requireSubnet, subnetIdSchema } from '../networks/vpcs.ts'
import {
  clientTokenSchema,
  onlySchema,
  specifiedTags,
  tagSpecificationsSchema,
  withCode,
} from '../schemas.ts'
import { natGatewayView } from '../views/nat-gateway.ts'
import { tagsView } from '../views/tags.ts'

/**
 * Each host translates for its own instances, so there is no host on which a gateway could have an
 * address.
 */
const OWN_ADDRESS =
  'a NAT gateway has no address of its own here: instances go out with the address of their host'

const input = z.strictObject({
  SubnetId: subnetIdSchema,
  ClientToken: clientTokenSchema,
  ConnectivityType: onlySchema(
    'public',
    'ConnectivityType: a NAT gateway leads out of the VPC; use public',
  ),
  AvailabilityMode: onlySchema('zonal', 'AvailabilityMode: use zonal'),
  AllocationId: absent('AllocationId', 'or associate the address with an instance'),
  PrivateIpAddress: absent('PrivateIpAddress'),
  SecondaryAllocationIds: absent('SecondaryAllocationId'),
  SecondaryPrivateIpAddresses: absent('SecondaryPrivateIpAddress'),
  SecondaryPrivateIpAddressCount: absent('SecondaryPrivateIpAddressCount'),
  VpcId: absent('VpcId', 'and give SubnetId'),
  AvailabilityZoneAddresses: absent('AvailabilityZoneAddress'),
  TagSpecifications: tagSpecificationsSchema(['natgateway']),
})

/** Refuses a parameter, and says what to do in its place. */
function absent(parameter: string, instead?: string) {
  const fix = instead === undefined ? 'leave it out' : `leave it out, ${instead}`
  const why = `${parameter}: ${OWN_ADDRESS}; ${fix}`
  return z
    .unknown()
    .refine((given) => given === undefined, { error: why, ...withCode('UnsupportedOperation') })
    .optional()
    .meta({ effect: 'refused' })
}

/**
 * It is available at once. What a route leads to it goes on by the routes of its subnet.
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
      return { gateway, tags: await tx.tags({ account, resources: [known] }) }
    },
  }),
  async change(tx, { SubnetId, TagSpecifications, id }, { account, now, settings }) {
    await refuseUnrouted(tx, settings)
    const subnet = await requireSubnet(tx, account, SubnetId)
    const { internetGateways } = await routingOf(tx, subnet)
    if (internetGateways.length === 0)
      throw refused('Gateway.NotAttached', `Network ${subnet.vpc} has no internet gateway attached`)
    const inZone = (await tx.subnets({ account }))
      .filter(({ zone }) => zone === subnet.zone)
      .map((one) => one.id)
    const limit = settings.quotas.natGatewaysPerZone
    await tx.takeTurn(account)
    if ((await tx.natGateways({ subnets: inZone })).length >= limit)
      throw refused(
        'NatGatewayLimitExceeded',
        `The maximum number of NAT gateways in a zone has been reached: ${limit}`,
      )
    const gateway: NatGateway = {
      id,
      account,
      vpc: subnet.vpc,
      subnet: subnet.id,
      createdAt: now,
    }
    await tx.insertNatGateway(gateway)
    const tags = specifiedTags(TagSpecifications, {
      account,
      resource: id,
      resourceType: 'natgateway',
    })
    await tx.putTags(tags)
    return { gateway, tags }
  },
  view: ({ gateway, tags }) => ({
    NatGateway: natGatewayView(gateway, tagsView(tags, gateway.id)),
  }),
})
