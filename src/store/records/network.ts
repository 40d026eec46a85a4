/** VPCs and their subnets. They concern every host with members of the VPC. */
import { z } from 'zod'
import { formatCidr, cidr as network, parseCidr } from '../../model/addr.ts'
import type { AccountId, SubnetId, VpcId } from '../../model/ids.ts'
import { type Subnet, VPC_NETWORK_MAX, type Vpc, type VpcCidr } from '../../model/records.ts'
import { isVpcRange, VPC_RANGES_MAX } from '../../model/vpc-range.ts'
import { EVERYBODY, ofVpc } from '../scope.ts'
import { account, flag, id, label, type Row } from './columns.ts'
import { inParts } from './in-parts.ts'
import { insertOr, unless } from './insert.ts'
import { always, isThere, nobody, noun, type RowsOf, type Session, table } from './noun.ts'
import type { RowShape } from './rows.ts'

const cidr = z
  .string()
  .max(18)
  .refine((text) => {
    const net = parseCidr(text)
    return net !== undefined && isVpcRange(net)
  }, 'is no network that instances may have')

/**
 * `addressSpace` names what its network may not be in twice: empty for the root namespace, else the
 * VPC's own number. `moreCidrs` is JSON; null: none.
 */
type VpcRow = Row<Omit<Vpc, 'moreCidrs'>> & {
  readonly addressSpace: string
  readonly moreCidrs?: string | null | undefined
}
type SubnetRow = Row<Omit<Subnet, 'resourceNameDnsARecord'>> & {
  readonly resourceNameDnsARecord?: number | null | undefined
}

/** The further ranges of a VPC, which has another one already. */
const vpcCidrs = z.array(z.strictObject({ id: id('vpc-cidr-assoc'), cidr })).max(VPC_RANGES_MAX - 1)

const vpcNumber = z.int().min(1).max(VPC_NETWORK_MAX)

/**
 * What numbers VPCs have, even those that cannot be read otherwise: the row has its number twice.
 */
const VPC_NUMBERS: RowShape<VpcNumbers> = {
  name: 'vpcs',
  cached: false,
  schema: z
    .object({ account: z.unknown(), network: z.unknown(), addressSpace: z.unknown() })
    .transform(({ account: owner, network: number, addressSpace }, context): VpcNumbers => {
      const told = /^[1-9]\d{0,4}$/.test(String(addressSpace)) ? Number(addressSpace) : undefined
      const numbers = [number, told].flatMap((one) => vpcNumber.safeParse(one).data ?? [])
      const isRoot = number === null && addressSpace === ''
      if (numbers.length === 0 && !isRoot) context.addIssue('network is not known')
      return { account: owner, numbers }
    }),
}

interface VpcNumbers {
  /** An account's id, unless it cannot be read. */
  readonly account: unknown
  readonly numbers: readonly number[]
}

const tables = {
  vpcs: table<VpcRow>({
    name: 'vpcs',
    schema: z
      .object({
        id: id('vpc'),
        account,
        cidr,
        isDefault: flag,
        network: vpcNumber.nullable(),
        addressSpace: z.string().max(8),
        moreCidrs: z
          .string()
          .max(1024)
          .refine((text) => parsedCidrs(text) !== undefined, 'are no ranges')
          .nullable()
          .optional(),
        dnsSupport: flag,
        dnsHostnames: flag,
      })
      .refine(({ network: number, addressSpace }) => addressSpace === `${number ?? ''}`, {
        error: 'is not that of its number',
        path: ['addressSpace'],
      }),
  }),
  subnets: table<SubnetRow>({
    name: 'subnets',
    schema: z.object({
      id: id('subnet'),
      vpc: id('vpc'),
      account,
      cidr,
      zone: label,
      isDefault: flag,
      mapPublicIp: flag,
      resourceNameDnsARecord: flag.nullable().optional(),
    }),
  }),
}

/** What can be set of a VPC, and of a subnet. */
type VpcSettings = Pick<Vpc, 'dnsSupport' | 'dnsHostnames'>
type SubnetSettings = Partial<Pick<Subnet, 'mapPublicIp' | 'resourceNameDnsARecord'>>

/** All restrict. */
interface SubnetQuery {
  readonly account?: AccountId
  readonly vpc?: VpcId
  readonly ids?: readonly SubnetId[]
}

/** The noun. */
export const networks = noun({
  tables,
  reads: ({ db, rows }: Session<RowsOf<typeof tables>>) => ({
    async vpcs({ account }: { readonly account?: AccountId }): Promise<readonly Vpc[]> {
      let query = db.selectFrom('vpcs').selectAll().orderBy('id')
      if (account !== undefined) query = query.where('account', '=', account)
      return rows.parse(tables.vpcs, await query.execute()).map(vpcFromRow)
    },
    /** The numbers that VPCs have. A VPC in the root namespace has none. */
    async vpcNumbers(): Promise<readonly VpcNumbers[]> {
      const query = db.selectFrom('vpcs').select(['id', 'account', 'network', 'addressSpace'])
      return rows.parse(VPC_NUMBERS, await query.execute())
    },
    async subnets({ account, vpc, ids }: SubnetQuery): Promise<readonly Subnet[]> {
      let query = db.selectFrom('subnets').selectAll().orderBy('id')
      if (account !== undefined) query = query.where('account', '=', account)
      if (vpc !== undefined) query = query.where('vpc', '=', vpc)
      const found = await inParts(ids, (part) =>
        part === undefined ? query.execute() : query.where('id', 'in', part).execute(),
      )
      return rows.parse(tables.subnets, found).map(subnetFromRow)
    },
  }),
  writes: ({ db }: Session<RowsOf<typeof tables>>) => ({
    /**
     * `exists` when its number is taken, or some VPC in the root namespace has the same network as
     * this one there, so that of several first starts one makes the default.
     */
    insertVpc: (vpc: Vpc) => insertOr('exists', db, 'vpcs', vpcToRow(vpc)),
    async updateVpc({ id }: Pick<Vpc, 'id'>, { dnsSupport, dnsHostnames }: VpcSettings) {
      const settings = { dnsSupport: Number(dnsSupport), dnsHostnames: Number(dnsHostnames) }
      await db.updateTable('vpcs').set(settings).where('id', '=', id).execute()
    },
    /** Sets the further ranges. */
    async setVpcCidrs({ id }: Pick<Vpc, 'id'>, more: readonly VpcCidr[]): Promise<void> {
      const moreCidrs = cidrsText(more)
      await db.updateTable('vpcs').set({ moreCidrs }).where('id', '=', id).execute()
    },
    /**
     * `in-use` when it has subnets or groups: the database knows those, too, that this transaction
     * does not see.
     */
    deleteVpc: ({ id }: Pick<Vpc, 'id'>) =>
      unless('referenced', 'in-use', () => db.deleteFrom('vpcs').where('id', '=', id).execute()),
    /** `exists` when some subnet of the VPC has the same network. */
    insertSubnet: (subnet: Subnet) => insertOr('exists', db, 'subnets', subnetToRow(subnet)),
    async updateSubnet(
      { id }: Pick<Subnet, 'id'>,
      { mapPublicIp, resourceNameDnsARecord }: SubnetSettings,
    ) {
      const settings = {
        ...(mapPublicIp === undefined ? {} : { mapPublicIp: Number(mapPublicIp) }),
        ...shownOf({ resourceNameDnsARecord }),
      }
      // An UPDATE without columns is invalid SQL.
      if (Object.keys(settings).length === 0) return
      await db.updateTable('subnets').set(settings).where('id', '=', id).execute()
    },
    /** `in-use` when it has NICs, also some that this transaction does not see. */
    deleteSubnet: ({ id }: Pick<Subnet, 'id' | 'vpc'>) =>
      unless('referenced', 'in-use', () => db.deleteFrom('subnets').where('id', '=', id).execute()),
  }),
  touches: {
    // Every host has the gateway addresses of all networks.
    insertVpc: (_session, { id }) => [ofVpc(id), EVERYBODY],
    updateVpc: (_session, { id }) => [ofVpc(id)],
    setVpcCidrs: (_session, { id }) => [ofVpc(id), EVERYBODY],
    deleteVpc: (_session, { id }) => [ofVpc(id), EVERYBODY],
    insertSubnet: (_session, { vpc }) => [ofVpc(vpc), EVERYBODY],
    // The next launch goes by it, which reads it.
    updateSubnet: nobody,
    deleteSubnet: (_session, { vpc }) => [ofVpc(vpc), EVERYBODY],
  },
  inCopy: {
    insertVpc: always,
    updateVpc: always,
    setVpcCidrs: always,
    deleteVpc: always,
    insertSubnet: async (tx, { id }) => isThere(tx.subnets({ ids: [id] })),
    updateSubnet: always,
    deleteSubnet: always,
  },
})

/** A VPC as its row. */
export function vpcToRow({ moreCidrs, ...vpc }: Vpc): VpcRow {
  return {
    ...vpc,
    ...(moreCidrs === undefined ? {} : { moreCidrs: cidrsText(moreCidrs) }),
    cidr: formatCidr(vpc.cidr),
    isDefault: Number(vpc.isDefault),
    addressSpace: `${vpc.network ?? ''}`,
    dnsSupport: Number(vpc.dnsSupport),
    dnsHostnames: Number(vpc.dnsHostnames),
  }
}

function cidrsText(more: readonly VpcCidr[]): string | null {
  if (more.length === 0) return null
  return JSON.stringify(more.map(({ id, cidr: range }) => ({ id, cidr: formatCidr(range) })))
}

function parsedCidrs(text: string): readonly VpcCidr[] | undefined {
  try {
    const { data } = vpcCidrs.safeParse(JSON.parse(text))
    return data?.map((one) => ({ id: one.id, cidr: network(one.cidr) }))
  } catch {
    return undefined
  }
}

/** A VPC from its row. Throws RangeError when its network is malformed. */
export function vpcFromRow({ addressSpace: _, moreCidrs, ...row }: VpcRow): Vpc {
  const more = typeof moreCidrs === 'string' ? parsedCidrs(moreCidrs) : undefined
  return {
    ...row,
    ...(more === undefined ? {} : { moreCidrs: more }),
    cidr: network(row.cidr),
    isDefault: row.isDefault !== 0,
    dnsSupport: row.dnsSupport !== 0,
    dnsHostnames: row.dnsHostnames !== 0,
  }
}

/** A subnet as its row. */
export function subnetToRow({ resourceNameDnsARecord, ...subnet }: Subnet): SubnetRow {
  return {
    ...subnet,
    cidr: formatCidr(subnet.cidr),
    isDefault: Number(subnet.isDefault),
    mapPublicIp: Number(subnet.mapPublicIp),
    ...shownOf({ resourceNameDnsARecord }),
  }
}

function shownOf({ resourceNameDnsARecord: is }: Pick<SubnetSettings, 'resourceNameDnsARecord'>) {
  return is === undefined ? {} : { resourceNameDnsARecord: Number(is) }
}

/** A subnet from its row. Throws RangeError when its network is malformed. */
export function subnetFromRow({ resourceNameDnsARecord, ...row }: SubnetRow): Subnet {
  const isShown = typeof resourceNameDnsARecord === 'number'
  return {
    ...row,
    cidr: network(row.cidr),
    isDefault: row.isDefault !== 0,
    mapPublicIp: row.mapPublicIp !== 0,
    ...(isShown ? { resourceNameDnsARecord: resourceNameDnsARecord !== 0 } : {}),
  }
}
