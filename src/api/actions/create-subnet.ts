/** CreateSubnet: a part of a VPC's range, in a zone. */
import { z } from 'zod'
import { cidrHolds, cidrOverlaps, formatCidr } from '../../model/addr.ts'
import { refused } from '../../model/errors.ts'
import type { AccountId } from '../../model/ids.ts'
import type { Subnet } from '../../model/records.ts'
import { rangesOf } from '../../model/vpc-range.ts'
import { zoneId } from '../../model/zones.ts'
import type { Tx } from '../../store/store.ts'
import { changeAction } from '../change.ts'
import { insertNewSubnet } from '../networks/new-networks.ts'
import { rangeSchema, requireVpc, vpcIdSchema } from '../networks/vpcs.ts'
import { onlySchema, specifiedTags, tagSpecificationsSchema, textSchema } from '../schemas.ts'
import { subnetView } from '../views/network.ts'
import { tagsView } from '../views/tags.ts'
import { zoneNames } from '../zone-names.ts'

const input = z.strictObject({
  VpcId: vpcIdSchema,
  CidrBlock: rangeSchema('InvalidSubnet.Range'),
  AvailabilityZone: textSchema.optional(),
  AvailabilityZoneId: textSchema.optional(),
  Ipv6Native: onlySchema(false, 'Ipv6Native: there are no IPv6 addresses'),
  TagSpecifications: tagSpecificationsSchema(['subnet']),
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSubnet.html */
export const createSubnet = changeAction({
  name: 'CreateSubnet',
  input,
  async change(tx, asked, { account, newId, settings }) {
    const { VpcId, CidrBlock: cidr } = asked
    await tx.takeTurn(account)
    const vpc = await requireVpc(tx, account, VpcId)
    const others = await tx.subnets({ vpc: VpcId })
    if (!rangesOf(vpc).some((range) => cidrHolds(range, cidr)))
      throw refused('InvalidSubnet.Range', `The CIDR '${formatCidr(cidr)}' is invalid.`)
    if (others.some((other) => cidrOverlaps(other.cidr, cidr))) throw conflict(cidr)
    const zone = await zoneOf(tx, account, asked, others, settings.region)
    const id = newId('subnet')
    const subnet = { id, vpc: VpcId, account, cidr, zone, isDefault: false, mapPublicIp: false }
    await insertNewSubnet(tx, subnet, others, settings)
    const of = { account, resource: id, resourceType: 'subnet' }
    const tags = specifiedTags(asked.TagSpecifications, of)
    await tx.putTags(tags)
    return { subnet, tags }
  },
  view: ({ subnet, tags }, { settings: { region } }) => ({
    Subnet: subnetView(subnet, { used: 0, region, tags: tagsView(tags, subnet.id) }),
  }),
})

function conflict(cidr: Subnet['cidr']): Error {
  return refused(
    'InvalidSubnet.Conflict',
    `The CIDR '${formatCidr(cidr)}' conflicts with another subnet`,
  )
}

/** The zone that is named, or the first of those with the fewest of the VPC's subnets. */
async function zoneOf(
  tx: Tx,
  account: AccountId,
  { AvailabilityZone: name, AvailabilityZoneId: id }: z.output<typeof input>,
  others: readonly Subnet[],
  region: string,
): Promise<string> {
  const zones = [...(await zoneNames(tx, account))].sort()
  const named = zones.filter(
    (zone) =>
      (name === undefined || zone === name) && (id === undefined || zoneId(zone, region) === id),
  )
  const count = (zone: string) => others.filter((other) => other.zone === zone).length
  const [chosen] = named.toSorted((a, b) => count(a) - count(b))
  if (chosen !== undefined) return chosen
  const [parameter, value] =
    name === undefined ? ['availabilityZoneId', id] : ['availabilityZone', name]
  throw refused(
    'InvalidParameterValue',
    `Value (${value}) for parameter ${parameter} is invalid. Subnets can currently only be created in the following availability zones: ${zones.join(', ')}.`,
  )
}
