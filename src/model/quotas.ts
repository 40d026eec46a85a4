/**
 * Quotas: what one account may have. The settings (`api.quotas`) say it for all accounts, and an
 * account's record for that one. Pure.
 */

/** The name of a quota. */
export type QuotaName = keyof typeof QUOTAS

/** A limit for each quota. */
export type Quotas = { readonly [Name in QuotaName]: number }

/** The range of a quota, its default, and what it limits. */
interface QuotaRule {
  readonly least: number
  readonly greatest: number
  readonly usual: number
  readonly what: string
}

/**
 * The limit of what is not counted. Counting makes an account's launches wait for each other, and
 * hosts have limits of their own.
 */
export const NOT_COUNTED = 1_000_000_000

/** What descriptions of limits that may be that one end with. */
const SUFFIX = `; ${NOT_COUNTED}: not counted`
/** The word for it, for people. */
export const UNLIMITED = 'unlimited'

/**
 * EC2's own, but for VPCs and internet gateways, of which EC2 has 5 until more are asked for:
 * https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
 */
export const QUOTAS = {
  instances: counted('Most instances of one account, stopped ones included'),
  vcpus: counted('Most vCPUs of the instances of one account, stopped ones included'),
  memoryMiB: counted('Most memory of the instances of one account, in MiB, stopped ones included'),
  diskGiB: counted('Most space of the volumes of one account, in GiB'),
  keyPairs: rule(1, 100_000, 5000, 'Most key pairs of one account'),
  vpcs: rule(1, 10_000, 100, 'Maximum number of VPCs of one account'),
  subnetsPerVpc: rule(1, 1000, 200, 'Maximum number of subnets of one VPC'),
  dhcpOptions: rule(1, 10_000, 100, 'Maximum number of sets of DHCP options of one account'),
  flowLogs: rule(1, 10_000, 100, 'Maximum number of flow logs of one account'),
  internetGateways: rule(1, 10_000, 100, 'Maximum number of internet gateways of one account'),
  natGatewaysPerZone: rule(0, 1000, 5, 'Maximum number of NAT gateways of one account in a zone'),
  routeTablesPerVpc: rule(1, 1000, 200, 'Maximum number of route tables of one VPC'),
  routesPerTable: rule(1, 1000, 50, 'Maximum number of routes of one table, beside `local`'),
  networkAclsPerVpc: rule(1, 1000, 200, 'Maximum number of network ACLs of one VPC'),
  entriesPerNetworkAcl: rule(
    ...([1, 200, 20] as const),
    'Maximum number of entries of one network ACL in each direction',
  ),
  securityGroupsPerVpc: rule(1, 10_000, 2500, 'Maximum number of security groups of one VPC'),
  rulesPerSecurityGroup: rule(
    ...([1, 1000, 60] as const),
    'Maximum number of rules of one security group in each direction',
  ),
  prefixLists: rule(1, 10_000, 100, 'Maximum number of managed prefix lists of one account'),
  securityGroupsPerInterface: rule(1, 16, 5, 'Most security groups of one NIC'),
  networkInterfaces: rule(
    ...([1, 1_000_000, 5000] as const),
    'Most network interfaces of one account, those of instances included',
  ),
  addresses: rule(0, 65_536, 5, 'Most floating IPs that one account may have allocated'),
} as const satisfies Readonly<Record<string, QuotaRule>>

/** All names, in the order in which they are shown. */
export const QUOTA_NAMES = Object.keys(QUOTAS) as readonly QuotaName[]

/** The quota with this name, or undefined. */
export function parseQuotaName(text: string): QuotaName | undefined {
  return QUOTA_NAMES.find((name) => name === text)
}

/** Whether an account may have this limit. */
export function isQuota(name: QuotaName, value: number): boolean {
  const { least, greatest } = QUOTAS[name]
  return Number.isInteger(value) && value >= least && value <= greatest
}

/** What an account's record says of its quotas; what it does not name is as the settings say. */
export type OwnQuotas = Partial<Quotas>

/** The quotas of an account. */
export function quotasOf(settings: Quotas, own: OwnQuotas): Quotas {
  return { ...settings, ...own }
}

function rule(least: number, greatest: number, usual: number, what: string): QuotaRule {
  return { least, greatest, usual, what }
}

/** A limit and what it limits, as people read them. */
export function quotaWords(
  limit: number,
  what: string,
): { readonly limit: string; readonly what: string } {
  return {
    limit: limit === NOT_COUNTED ? UNLIMITED : String(limit),
    what: what.endsWith(SUFFIX) ? what.slice(0, -SUFFIX.length) : what,
  }
}

/** Not counted until somebody sets a limit. */
function counted(what: string): QuotaRule {
  return rule(0, NOT_COUNTED, NOT_COUNTED, `${what}${SUFFIX}`)
}
