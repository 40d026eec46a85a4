/** What actions on DHCP options have in common. */
import { z } from 'zod'
import { type Ipv4, parseIpv4 } from '../../model/addr.ts'
import { derivedId } from '../../model/derived-ids.ts'
import {
  DHCP_SERVERS_MAX,
  type DhcpConfiguration,
  type DhcpOptions,
  DOMAIN_NAMES_MAX,
  DOMAIN_NAMES_TEXT_MAX,
  isDomainName,
  NETBIOS_NODE_TYPES,
  OWN_RESOLVER,
} from '../../model/dhcp-options.ts'
import { refused } from '../../model/errors.ts'
import type { AccountId, DhcpOptionsId } from '../../model/ids.ts'
import type { ReadTx } from '../../store/store.ts'
import { idSchema, notFound, required, textSchema, withCode } from '../schemas.ts'

/** `DhcpOptionsId`. */
export const dhcpOptionsIdSchema = idSchema('dopt', 'InvalidDhcpOptionsId.Malformed')

/** One of the account's sets. Errors: `InvalidDhcpOptionID.NotFound`. */
export async function requireDhcpOptions(
  tx: ReadTx,
  account: AccountId,
  id: DhcpOptionsId,
): Promise<DhcpOptions> {
  const found = (await tx.dhcpOptions({ account })).find((one) => one.id === id)
  if (found === undefined) throw missingDhcpOptions([id])
  return found
}

/** The cloud's own sets: one of each VPC of the account that has no other. */
export async function ownDhcpOptions(
  tx: ReadTx,
  account: AccountId,
): Promise<readonly DhcpOptionsId[]> {
  const sets = await cloudsOwn(tx, account)
  return sets.filter(({ isUsed }) => isUsed).map(({ id }) => id)
}

/** The ids of the cloud's own sets that went when their VPCs got others. */
export async function replacedDhcpOptions(
  tx: ReadTx,
  account: AccountId,
): Promise<readonly DhcpOptionsId[]> {
  const sets = await cloudsOwn(tx, account)
  return sets.filter(({ isUsed }) => !isUsed).map(({ id }) => id)
}

async function cloudsOwn(tx: ReadTx, account: AccountId) {
  const vpcs = await tx.vpcs({ account })
  const dns = await tx.vpcDns(vpcs.map(({ id }) => id))
  return dns.map(({ vpc, options }) => ({
    id: derivedId('dopt', vpc) as DhcpOptionsId,
    isUsed: options === null,
  }))
}

/** `InvalidDhcpOptionID.NotFound`. */
export function missingDhcpOptions(ids: readonly string[]): Error {
  return notFound('InvalidDhcpOptionID.NotFound', 'dhcpOption ID', ids)
}

const KEYS = [
  'domain-name',
  'domain-name-servers',
  'ntp-servers',
  'netbios-name-servers',
  'netbios-node-type',
] as const
const NOT_SERVED = ['ipv6-address-preferred-lease-time']
const VALUES_MAX = 16

/** `DhcpConfigurations`. */
export const dhcpConfigurationsSchema = required(
  z.array(
    z.strictObject({
      Key: z
        .string()
        .refine((key) => !NOT_SERVED.includes(key), {
          error: ({ input }) =>
            `DHCP option '${String(input)}' is not supported; leave it out. Supported are ${KEYS.join(', ')}`,
          ...withCode('UnsupportedOperation'),
        })
        .pipe(z.enum(KEYS)),
      Values: z.array(textSchema).min(1).max(VALUES_MAX),
    }),
  ),
  'dhcpConfigurationSet',
)

/**
 * The configuration that a request asks for. As in EC2, several servers may also be one value with
 * commas, and several domain names one with spaces. Errors: `InvalidParameterValue`.
 */
export function parseDhcpConfigurations(
  given: z.output<typeof dhcpConfigurationsSchema>,
): DhcpConfiguration {
  if (new Set(given.map(({ Key }) => Key)).size < given.length)
    throw refused('InvalidParameterValue', 'Each DHCP option may be given once')
  const wordsOf = (key: (typeof KEYS)[number]) =>
    (given.find(({ Key }) => Key === key)?.Values ?? [])
      .flatMap((value) => value.split(/[\s,]+/))
      .filter((word) => word !== '')
  const domainNames = wordsOf('domain-name')
  if (
    domainNames.length > DOMAIN_NAMES_MAX ||
    domainNames.join(' ').length > DOMAIN_NAMES_TEXT_MAX ||
    !domainNames.every(isDomainName)
  )
    throw invalid('domain-name', domainNames, `at most ${DOMAIN_NAMES_MAX} domain names`)
  const nameServers = serversOf('domain-name-servers', wordsOf('domain-name-servers'), (word) =>
    word === OWN_RESOLVER ? word : parseIpv4(word),
  )
  const timeServers = serversOf<Ipv4>('ntp-servers', wordsOf('ntp-servers'), parseIpv4)
  const netbios = serversOf<Ipv4>(
    'netbios-name-servers',
    wordsOf('netbios-name-servers'),
    parseIpv4,
  )
  const nodeType = nodeTypeOf(wordsOf('netbios-node-type'))
  return {
    ...{ domainNames, nameServers, timeServers },
    ...(netbios.length === 0 ? {} : { netbiosServers: netbios }),
    ...(nodeType === undefined ? {} : { netbiosNodeType: nodeType }),
  }
}

function nodeTypeOf(words: readonly string[]): DhcpConfiguration['netbiosNodeType'] {
  const [word] = words
  if (word === undefined) return undefined
  const known = NETBIOS_NODE_TYPES.find((type) => String(type) === word)
  if (known !== undefined && words.length === 1) return known
  throw invalid('netbios-node-type', words, `one of ${NETBIOS_NODE_TYPES.join(', ')}`)
}

function serversOf<Server>(
  key: string,
  words: readonly string[],
  parse: (word: string) => Server | undefined,
): readonly Server[] {
  const servers = words.flatMap((word) => parse(word) ?? [])
  if (servers.length === words.length && servers.length <= DHCP_SERVERS_MAX) return servers
  throw invalid(key, words, `at most ${DHCP_SERVERS_MAX} IPv4 addresses`)
}

function invalid(key: string, words: readonly string[], expected: string): Error {
  return refused(
    'InvalidParameterValue',
    `Value (${words.join(', ').slice(0, 255)}) for parameter ${key} is invalid: expected are ${expected}`,
  )
}
