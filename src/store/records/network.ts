/** VPCs and their subnets. They concern every host with members of the VPC. */
import { z } from 'zod'
import { cidrOverlaps, formatCidr, cidr as network, parseCidr } from '../../model/addr.ts'
import type { AccountId, SubnetId } from '../../model/ids.ts'
import type { Subnet, Vpc } from '../../model/records.ts'
import { EVERYBODY, ofVpc } from '../scope.ts'
import { account, flag, id, label, type Row } from './columns.ts'
import { inParts } from './in-parts.ts'
import { insertOr } from './insert.ts'
import { always, isThere, noun, type RowsOf, type Session, table } from './noun.ts'

/**
 * Never the network of a VPC: this network, loopback, link-local, multicast and above (RFC 6890).
 */
const NO_VPC = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3'].map((net) =>
  network(net),
)
const VPC_PREFIX_MIN = 8
const SUBNET_PREFIX_MAX = 29

const cidr = z
  .string()
  .max(18)
  .refine((text) => {
    const net = parseCidr(text)
    if (net === undefined || net.prefix < VPC_PREFIX_MIN || net.prefix > SUBNET_PREFIX_MAX)
      return false
    return !NO_VPC.some((reserved) => cidrOverlaps(reserved, net))
  }, 'is no network that instances may have')

type VpcRow = Row<Vpc>
type SubnetRow = Row<Subnet>

const tables = {
  vpcs: table<VpcRow>({
    name: 'vpcs',
    schema: z.object({ id: id('vpc'), account, cidr, isDefault: flag }),
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
    }),
  }),
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
    async subnets({
      account,
      ids,
    }: {
      readonly account?: AccountId
      readonly ids?: readonly SubnetId[]
    }): Promise<readonly Subnet[]> {
      let query = db.selectFrom('subnets').selectAll().orderBy('id')
      if (account !== undefined) query = query.where('account', '=', account)
      const found = await inParts(ids, (part) =>
        part === undefined ? query.execute() : query.where('id', 'in', part).execute(),
      )
      return rows.parse(tables.subnets, found).map(subnetFromRow)
    },
  }),
  writes: ({ db }: Session<RowsOf<typeof tables>>) => ({
    /**
     * `exists` when a VPC of the cluster has the same network. So of several first starts only one
     * creates the default VPC.
     */
    insertVpc: (vpc: Vpc) => insertOr('exists', db, 'vpcs', vpcToRow(vpc)),
    /** `exists` when a subnet of the cluster has the same network. */
    insertSubnet: (subnet: Subnet) => insertOr('exists', db, 'subnets', subnetToRow(subnet)),
  }),
  touches: {
    // Every host has the gateway addresses of all networks.
    insertVpc: (_session, { id }) => [ofVpc(id), EVERYBODY],
    insertSubnet: (_session, { vpc }) => [ofVpc(vpc), EVERYBODY],
  },
  inCopy: {
    insertVpc: always,
    insertSubnet: async (tx, { id }) => isThere(tx.subnets({ ids: [id] })),
  },
})

/** A VPC as its row. */
export function vpcToRow(vpc: Vpc): VpcRow {
  return { ...vpc, cidr: formatCidr(vpc.cidr), isDefault: Number(vpc.isDefault) }
}

/** A VPC from its row. Throws RangeError when its network is malformed. */
export function vpcFromRow(row: VpcRow): Vpc {
  return { ...row, cidr: network(row.cidr), isDefault: row.isDefault !== 0 }
}

/** A subnet as its row. */
export function subnetToRow(subnet: Subnet): SubnetRow {
  return { ...subnet, cidr: formatCidr(subnet.cidr), isDefault: Number(subnet.isDefault) }
}

/** A subnet from its row. Throws RangeError when its network is malformed. */
export function subnetFromRow(row: SubnetRow): Subnet {
  return { ...row, cidr: network(row.cidr), isDefault: row.isDefault !== 0 }
}
