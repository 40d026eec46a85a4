/** The section `api.quotas`: what one account may have. */
import { z } from 'zod'

/**
 * EC2's own, but for VPCs and internet gateways, of which EC2 has 5 until more are asked for:
 * https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
 */
export const quotas = z
  .strictObject({
    vpcs: most(1, 10_000, 100, 'Maximum number of VPCs of one account'),
    subnetsPerVpc: most(1, 1000, 200, 'Maximum number of subnets of one VPC'),
    dhcpOptions: most(1, 10_000, 100, 'Maximum number of sets of DHCP options of one account'),
    flowLogs: most(1, 10_000, 100, 'Maximum number of flow logs of one account'),
    internetGateways: most(1, 10_000, 100, 'Maximum number of internet gateways of one account'),
    natGatewaysPerZone: most(0, 1000, 5, 'Maximum number of NAT gateways of one account in a zone'),
    routeTablesPerVpc: most(1, 1000, 200, 'Maximum number of route tables of one VPC'),
    routesPerTable: most(1, 1000, 50, 'Maximum number of routes of one table, beside `local`'),
    networkAclsPerVpc: most(1, 1000, 200, 'Maximum number of network ACLs of one VPC'),
    entriesPerNetworkAcl: most(
      ...([1, 200, 20] as const),
      'Maximum number of entries of one network ACL in each direction',
    ),
    securityGroupsPerVpc: most(1, 10_000, 2500, 'Maximum number of security groups of one VPC'),
    rulesPerSecurityGroup: most(
      ...([1, 1000, 60] as const),
      'Maximum number of rules of one security group in each direction',
    ),
    securityGroupsPerInterface: most(1, 16, 5, 'Most security groups of one NIC'),
    networkInterfaces: most(
      ...([1, 1_000_000, 5000] as const),
      'Most network interfaces of one account, those of instances included',
    ),
    addresses: most(0, 65_536, 5, 'Most floating IPs that one account may have allocated'),
  })
  .prefault({})

function most(least: number, greatest: number, usual: number, what: string) {
  return z.int().min(least).max(greatest).default(usual).describe(what)
}
