/**
 * Sets of DHCP options, and the set of each VPC that does not have the cloud's own. Both concern
 * whoever has members of the VPC: a set that no VPC has concerns nobody.
 */
import { z } from 'zod'
import { type Ipv4, parseIpv4 } from '../../model/addr.ts'
import {
  DHCP_SERVERS_MAX,
  type DhcpOptions,
  DOMAIN_NAMES_MAX,
  isDomainName,
  NETBIOS_NODE_TYPES,
  OWN_RESOLVER,
  type VpcDns,
} from '../../model/dhcp-options.ts'
import type { AccountId, DhcpOptionsId, VpcId } from '../../model/ids.ts'
import { ofVpc } from '../scope.ts'
import { account, flag, id } from './columns.ts'
import { inParts } from './in-parts.ts'
import { insertOr, unless } from './insert.ts'
import { always, nobody, noun, type RowsOf, type Session, table } from './noun.ts'
import type { RowShape } from './rows.ts'

/** Lists are words with commas between them. */
interface DhcpOptionsRow {
  readonly id: DhcpOptionsId
  readonly account: AccountId
  readonly domainNames: string
  readonly nameServers: string
  readonly timeServers: string
  /** Null: none. */
  readonly netbiosServers: string | null
  readonly netbiosNodeType: DhcpOptions['netbiosNodeType'] | null
}
interface AssociationRow {
  readonly vpc: VpcId
  readonly options: DhcpOptionsId
}

function list(max: number, fits: (word: string) => boolean) {
  return z
    .string()
    .max(255)
    .refine((text) => wordsOf(text).length <= max && wordsOf(text).every(fits), 'is malformed')
}
const isAddress = (word: string) => parseIpv4(word) !== undefined

const tables = {
  dhcpOptions: table<DhcpOptionsRow>({
    name: 'dhcpOptions',
    schema: z.object({
      id: id('dopt'),
      account,
      domainNames: list(DOMAIN_NAMES_MAX, isDomainName),
      nameServers: list(DHCP_SERVERS_MAX, (word) => word === OWN_RESOLVER || isAddress(word)),
      timeServers: list(DHCP_SERVERS_MAX, isAddress),
      netbiosServers: list(DHCP_SERVERS_MAX, isAddress).nullable(),
      netbiosNodeType: z.literal(NETBIOS_NODE_TYPES).nullable(),
    }),
  }),
  dhcpAssociations: table<AssociationRow>({
    name: 'dhcpAssociations',
    key: ['vpc'],
    schema: z.object({ vpc: id('vpc'), options: id('dopt') }),
  }),
}
/** Columns of others. */
interface Others {
  readonly vpcs: { readonly id: VpcId; readonly dnsSupport: number }
}
type Tables = RowsOf<typeof tables> & Others

/** What is selected for a VPC: with the columns of its set, or without a set. */
interface VpcDnsRow extends Pick<VpcDns, 'vpc'> {
  readonly dnsSupport: number
  readonly options: DhcpOptionsRow | null
}

const vpcDns: RowShape<VpcDnsRow> = {
  name: 'vpcDns',
  key: ['vpc'],
  schema: z
    .looseObject({ vpc: id('vpc'), dnsSupport: flag, id: z.string().nullable() })
    .transform((row, context) => {
      const { vpc, dnsSupport } = row
      if (row.id === null) return { vpc, dnsSupport, options: null }
      const options = tables.dhcpOptions.schema.safeParse(row)
      if (options.success) return { vpc, dnsSupport, options: options.data }
      context.addIssue({ code: 'custom', message: 'has a set of DHCP options that is malformed' })
      return z.NEVER
    }),
}

/** The noun. */
export const dhcpOptions = noun({
  tables,
  reads: ({ db, rows }: Session<Tables>) => ({
    async dhcpOptions({
      account,
    }: {
      readonly account: AccountId
    }): Promise<readonly DhcpOptions[]> {
      const query = db.selectFrom('dhcpOptions').selectAll().where('account', '=', account)
      const found = await query.orderBy('id').execute()
      return rows.parse(tables.dhcpOptions, found).map(optionsFromRow)
    },
    /** How names are resolved in these VPCs, in one statement for any usual number. */
    async vpcDns(vpcs: readonly VpcId[]): Promise<readonly VpcDns[]> {
      const query = db
        .selectFrom('vpcs')
        .leftJoin('dhcpAssociations', 'dhcpAssociations.vpc', 'vpcs.id')
        .leftJoin('dhcpOptions', 'dhcpOptions.id', 'dhcpAssociations.options')
        .selectAll('dhcpOptions')
        .select(['vpcs.id as vpc', 'vpcs.dnsSupport'])
        .orderBy('vpcs.id')
      const found = await inParts(vpcs, (part) =>
        part === undefined ? query.execute() : query.where('vpcs.id', 'in', part).execute(),
      )
      return rows.parse(vpcDns, found).map(({ vpc, dnsSupport, options }) => ({
        vpc,
        dnsSupport: dnsSupport !== 0,
        options: options === null ? null : optionsFromRow(options),
      }))
    },
  }),
  writes: ({ db }: Session<Tables>) => ({
    async insertDhcpOptions(options: DhcpOptions): Promise<void> {
      await db.insertInto('dhcpOptions').values(optionsToRow(options)).execute()
    },
    /** `in-use` when a VPC has it, also one that this transaction does not see. */
    deleteDhcpOptions: (options: DhcpOptionsId) =>
      unless('referenced', 'in-use', () =>
        db.deleteFrom('dhcpOptions').where('id', '=', options).execute(),
      ),
    /** Gives a VPC a set, or the cloud's own (null). `no-options` when there is no such set. */
    async associateDhcpOptions(vpc: VpcId, options: DhcpOptionsId | null) {
      await db.deleteFrom('dhcpAssociations').where('vpc', '=', vpc).execute()
      if (options === null) return 'done'
      return unless('referenced', 'no-options', () =>
        insertOr('exists', db, 'dhcpAssociations', { vpc, options }),
      )
    },
  }),
  touches: {
    insertDhcpOptions: nobody,
    deleteDhcpOptions: nobody,
    associateDhcpOptions: (_session, vpc) => [ofVpc(vpc)],
  },
  inCopy: {
    insertDhcpOptions: always,
    deleteDhcpOptions: always,
    associateDhcpOptions: always,
  },
})

function wordsOf(text: string): readonly string[] {
  return text === '' ? [] : text.split(',')
}

function optionsToRow({ id, account, ...said }: DhcpOptions): DhcpOptionsRow {
  return {
    id,
    account,
    domainNames: said.domainNames.join(),
    nameServers: said.nameServers.join(),
    timeServers: said.timeServers.join(),
    netbiosServers: said.netbiosServers?.join() ?? null,
    netbiosNodeType: said.netbiosNodeType ?? null,
  }
}

/** A set from its row, whose words the schema has seen. */
function optionsFromRow({ id, account, ...row }: DhcpOptionsRow): DhcpOptions {
  return {
    id,
    account,
    domainNames: wordsOf(row.domainNames),
    nameServers: wordsOf(row.nameServers).flatMap((word): DhcpOptions['nameServers'] =>
      word === OWN_RESOLVER ? [word] : address(word),
    ),
    timeServers: wordsOf(row.timeServers).flatMap(address),
    ...(row.netbiosServers === null
      ? {}
      : { netbiosServers: wordsOf(row.netbiosServers).flatMap(address) }),
    ...(row.netbiosNodeType === null ? {} : { netbiosNodeType: row.netbiosNodeType }),
  }
}

function address(word: string): readonly Ipv4[] {
  const ip = parseIpv4(word)
  return ip === undefined ? [] : [ip]
}
