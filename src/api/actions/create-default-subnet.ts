/** CreateDefaultSubnet: the subnet of a zone that launches get which name none. */
import { z } from 'zod'
import { formatCidr } from '../../model/addr.ts'
import { refused } from '../../model/errors.ts'
import { freeNetwork } from '../../plan/free-network.ts'
import { changeAction } from '../change.ts'
import { insertNewSubnet } from '../networks/new-networks.ts'
import { onlySchema, textSchema } from '../schemas.ts'
import { subnetView } from '../views/network.ts'
import { zoneNames } from '../zone-names.ts'

/**
 * As on EC2 its range is chosen: the first free one of a default subnet's size.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateDefaultSubnet.html
 */
export const createDefaultSubnet = changeAction({
  name: 'CreateDefaultSubnet',
  input: z.strictObject({
    AvailabilityZone: textSchema,
    Ipv6Native: onlySchema(false, 'Ipv6Native: there are no IPv6 addresses'),
  }),
  async change(tx, { AvailabilityZone: zone }, { account, newId, settings }) {
    const vpc = (await tx.vpcs({ account })).find(({ isDefault }) => isDefault)
    if (vpc === undefined)
      throw refused('DefaultVpcDoesNotExist', 'No default VPC exists for this account')
    if (!(await zoneNames(tx, account)).has(zone))
      throw refused(
        'InvalidParameterValue',
        `Value (${zone}) for parameter availabilityZone is invalid.`,
      )
    await tx.takeTurn(account)
    const others = await tx.subnets({ vpc: vpc.id })
    const there = others.find((other) => other.isDefault && other.zone === zone)
    if (there !== undefined)
      throw refused(
        'DefaultSubnetAlreadyExistsInAvailabilityZone',
        `'${there.id}' is already the default subnet in ${zone}.`,
      )
    const cidr = freeNetwork(vpc.cidr, settings.defaultNetwork.subnet, others)
    if (cidr === undefined)
      throw refused(
        'InsufficientCidrBlocks',
        `${formatCidr(vpc.cidr)} of the default VPC has no room for a subnet of a /${settings.defaultNetwork.subnet.prefix}`,
      )
    const id = newId('subnet')
    const subnet = { id, vpc: vpc.id, account, cidr, zone, isDefault: true, mapPublicIp: false }
    await insertNewSubnet(tx, subnet, others, settings)
    return subnet
  },
  view: (subnet, { settings: { region } }) => ({
    Subnet: subnetView(subnet, { used: 0, region, tags: [] }),
  }),
})
