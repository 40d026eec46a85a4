/** VPCs and subnets as a client reads them. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { subnetView, vpcView } from '../../../../src/api/views/network.ts'
import { cidr } from '../../../../src/model/addr.ts'
import { network } from '../../../kit/records.ts'
import { RUNS, seenBySdk, someTags, tagsIfAny } from '../../../kit/views.ts'

const DIGITS = '00000000000000010'

describe('vpcView', () => {
  it('is all that a client reads', async () => {
    await fc.assert(
      fc.asyncProperty(fc.boolean(), someTags, async (isDefault, tags) => {
        const view = vpcView({ ...network.vpc, isDefault }, tags)
        expect(await seenBySdk('DescribeVpcs', { Vpcs: [view] })).toStrictEqual({
          Vpcs: [
            {
              VpcId: `vpc-${DIGITS}`,
              OwnerId: '000000000001',
              CidrBlock: '172.31.0.0/16',
              CidrBlockAssociationSet: [
                {
                  AssociationId: `vpc-cidr-assoc-${DIGITS}`,
                  CidrBlock: '172.31.0.0/16',
                  CidrBlockState: { State: 'associated' },
                },
              ],
              Ipv6CidrBlockAssociationSet: [],
              DhcpOptionsId: `dopt-${DIGITS}`,
              InstanceTenancy: 'default',
              IsDefault: isDefault,
              State: 'available',
              ...tagsIfAny(tags),
            },
          ],
        })
      }),
      RUNS,
    )
  })
})

describe('subnetView', () => {
  // Of each block EC2 keeps five addresses.
  it.each([
    ['172.31.0.0/20', 0, 4091],
    ['172.31.0.0/20', 4090, 1],
    ['172.31.0.0/28', 11, 0],
    ['172.31.0.0/28', 12, 0],
  ])('counts the free addresses of %s, %i of which are used', async (block, used, free) => {
    const subnet = { ...network.subnet, cidr: cidr(block) }
    const view = subnetView(subnet, { used, region: 'atoll', tags: [] })
    expect(view).toMatchObject({ CidrBlock: block, AvailableIpAddressCount: free })
  })

  it('is all that a client reads', async () => {
    await fc.assert(
      fc.asyncProperty(fc.boolean(), someTags, async (isDefault, tags) => {
        const subnet = { ...network.subnet, isDefault }
        const view = subnetView(subnet, { used: 1, region: 'atoll', tags })
        expect(await seenBySdk('DescribeSubnets', { Subnets: [view] })).toStrictEqual({
          Subnets: [
            {
              SubnetId: `subnet-${DIGITS}`,
              SubnetArn: `arn:aws:ec2:atoll:000000000001:subnet/subnet-${DIGITS}`,
              VpcId: `vpc-${DIGITS}`,
              OwnerId: '000000000001',
              CidrBlock: '172.31.0.0/20',
              AvailableIpAddressCount: 4090,
              AvailabilityZone: 'atoll-1a',
              AvailabilityZoneId: 'atoll1-az1',
              DefaultForAz: isDefault,
              MapPublicIpOnLaunch: false,
              MapCustomerOwnedIpOnLaunch: false,
              AssignIpv6AddressOnCreation: false,
              Ipv6CidrBlockAssociationSet: [],
              Ipv6Native: false,
              EnableDns64: false,
              PrivateDnsNameOptionsOnLaunch: {
                HostnameType: 'resource-name',
                EnableResourceNameDnsARecord: false,
                EnableResourceNameDnsAAAARecord: false,
              },
              State: 'available',
              ...tagsIfAny(tags),
            },
          ],
        })
      }),
      RUNS,
    )
  })
})
