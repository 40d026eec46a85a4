/**
 * Network ACLs, their entries, and the subnets that have one by an association of their own.
 * What a subnet may have concerns every host with members of the VPC.
 */
import { z } from 'zod'
import { ANY_PROTOCOL, ICMP_MAX, isPortRange, PORT_MAX } from '../../model/group-rule.ts'
import type { AccountId, VpcId } from '../../model/ids.ts'
import {
  ACL_NUMBER_MAX,
  formatAclPeer,
  type NetworkAcl,
  type NetworkAclAssociation,
  type NetworkAclEntry,
  parseAclPeer,
} from '../../model/network-acl.ts'
import { ofVpc } from '../scope.ts'
import { account, flag, id, type Row } from './columns.ts'
import { inParts } from './in-parts.ts'
import { insertOr, orConflict, unless } from './insert.ts'
import { always, hasId, nobody, noun, type RowsOf, type Session, table } from './noun.ts'

/** `defaultOf` is the VPC of a default ACL, so that each has one. */
type AclRow = Omit<NetworkAcl, 'isDefault'> & { readonly defaultOf: VpcId | null }
type EntryRow = Omit<Row<NetworkAclEntry>, 'peer'> & { readonly peer: string }

const ports = z.int().min(-1).max(PORT_MAX)

const tables = {
  networkAcls: table<AclRow>({
    name: 'networkAcls',
    schema: z.object({ id: id('acl'), account, vpc: id('vpc'), defaultOf: id('vpc').nullable() }),
  }),
  networkAclEntries: table<EntryRow>({
    name: 'networkAclEntries',
    key: ['acl', 'egress', 'number'],
    schema: z
      .object({
        acl: id('acl'),
        vpc: id('vpc'),
        egress: flag,
        number: z.int().min(1).max(ACL_NUMBER_MAX),
        allow: flag,
        protocol: z.int().min(ANY_PROTOCOL).max(ICMP_MAX),
        fromPort: ports,
        toPort: ports,
        peer: z
          .string()
          .max(64)
          .refine((text) => parseAclPeer(text) !== undefined, 'is not a network'),
      })
      .refine(isPortRange, 'has ports that its protocol does not have'),
  }),
  networkAclAssociations: table<NetworkAclAssociation>({
    name: 'networkAclAssociations',
    schema: z.object({
      id: id('aclassoc'),
      acl: id('acl'),
      vpc: id('vpc'),
      subnet: id('subnet'),
    }),
  }),
}

/** All restrict. */
interface OfVpcs {
  readonly account?: AccountId
  readonly vpcs?: readonly VpcId[]
}
/** What names an entry. */
type EntryKey = Pick<NetworkAclEntry, 'acl' | 'vpc' | 'egress' | 'number'>

/** The noun. */
export const networkAcls = noun({
  tables,
  reads: ({ db, rows }: Session<RowsOf<typeof tables>>) => ({
    async networkAcls({ account, vpcs }: OfVpcs): Promise<readonly NetworkAcl[]> {
      let query = db.selectFrom('networkAcls').selectAll().orderBy('id')
      if (account !== undefined) query = query.where('account', '=', account)
      const found = await inParts(vpcs, (part) =>
        part === undefined ? query.execute() : query.where('vpc', 'in', part).execute(),
      )
      return rows
        .parse(tables.networkAcls, found)
        .map(({ defaultOf, ...acl }) => ({ ...acl, isDefault: defaultOf !== null }))
    },
    async networkAclEntries({ vpcs }: Pick<OfVpcs, 'vpcs'>): Promise<readonly NetworkAclEntry[]> {
      const query = db
        .selectFrom('networkAclEntries')
        .selectAll()
        .orderBy('acl')
        .orderBy('egress')
        .orderBy('number')
      const found = await inParts(vpcs, (part) =>
        part === undefined ? query.execute() : query.where('vpc', 'in', part).execute(),
      )
      return (await rows.parseLong(tables.networkAclEntries, found)).map(entryFromRow)
    },
    async networkAclAssociations({
      vpcs,
    }: Pick<OfVpcs, 'vpcs'>): Promise<readonly NetworkAclAssociation[]> {
      const query = db.selectFrom('networkAclAssociations').selectAll().orderBy('id')
      const found = await inParts(vpcs, (part) =>
        part === undefined ? query.execute() : query.where('vpc', 'in', part).execute(),
      )
      return rows.parse(tables.networkAclAssociations, found)
    },
  }),
  writes: ({ db }: Session<RowsOf<typeof tables>>) => ({
    /** `exists` when it is the default one of a VPC that has one. */
    insertNetworkAcl: ({ isDefault, ...acl }: NetworkAcl) =>
      orConflict(() =>
        insertOr('exists', db, 'networkAcls', { ...acl, defaultOf: isDefault ? acl.vpc : null }),
      ),
    /** With its entries. `in-use` when a subnet has it. */
    deleteNetworkAcl: ({ id }: Pick<NetworkAcl, 'id' | 'vpc'>) =>
      unless('referenced', 'in-use', () =>
        db.deleteFrom('networkAcls').where('id', '=', id).execute(),
      ),
    /** `exists` when the ACL has an entry with the number in that direction. */
    insertNetworkAclEntry: (entry: NetworkAclEntry) =>
      orConflict(() => insertOr('exists', db, 'networkAclEntries', entryToRow(entry))),
    async replaceNetworkAclEntry(entry: NetworkAclEntry): Promise<void> {
      const { acl, egress, number, ...row } = entryToRow(entry)
      await db
        .updateTable('networkAclEntries')
        .set(row)
        .where('acl', '=', acl)
        .where('egress', '=', egress)
        .where('number', '=', number)
        .execute()
    },
    async deleteNetworkAclEntry({ acl, egress, number }: EntryKey): Promise<void> {
      await db
        .deleteFrom('networkAclEntries')
        .where('acl', '=', acl)
        .where('egress', '=', Number(egress))
        .where('number', '=', number)
        .execute()
    },
    /** Takes the place of whatever the subnet has; `taken` when another takes it just now. */
    async associateNetworkAcl(made: NetworkAclAssociation): Promise<'done' | 'taken'> {
      await db.deleteFrom('networkAclAssociations').where('subnet', '=', made.subnet).execute()
      return await orConflict(() => insertOr('taken', db, 'networkAclAssociations', made))
    },
  }),
  touches: {
    // It comes with a new VPC, or no subnet has it yet, or any more.
    insertNetworkAcl: nobody,
    deleteNetworkAcl: nobody,
    insertNetworkAclEntry: (_session, { vpc }) => [ofVpc(vpc)],
    replaceNetworkAclEntry: (_session, { vpc }) => [ofVpc(vpc)],
    deleteNetworkAclEntry: (_session, { vpc }) => [ofVpc(vpc)],
    associateNetworkAcl: (_session, { vpc }) => [ofVpc(vpc)],
  },
  inCopy: {
    insertNetworkAcl: (tx, { id, vpc }) => hasId(tx.networkAcls({ vpcs: [vpc] }), id),
    deleteNetworkAcl: always,
    insertNetworkAclEntry: async (tx, { vpc, acl, egress, number }) =>
      (await tx.networkAclEntries({ vpcs: [vpc] })).some(
        (one) => one.acl === acl && one.egress === egress && one.number === number,
      ),
    replaceNetworkAclEntry: always,
    deleteNetworkAclEntry: always,
    associateNetworkAcl: (tx, { id, vpc }) => hasId(tx.networkAclAssociations({ vpcs: [vpc] }), id),
  },
})

function entryToRow({ egress, allow, peer, ...entry }: NetworkAclEntry): EntryRow {
  return { ...entry, egress: Number(egress), allow: Number(allow), peer: formatAclPeer(peer) }
}

/** An entry from its row. Throws RangeError when its network is malformed. */
function entryFromRow({ egress, allow, peer, ...row }: EntryRow): NetworkAclEntry {
  const parsed = parseAclPeer(peer)
  if (parsed === undefined) throw new RangeError(`not a network: ${peer}`)
  return { ...row, egress: egress !== 0, allow: allow !== 0, peer: parsed }
}
