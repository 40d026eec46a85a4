/**
 * Floating IPs. An associated one concerns its NIC's host, and as part of a member of its VPC (its
 * public name) every host that has some.
 */
import { z } from 'zod'
import type { Ipv4 } from '../../model/addr.ts'
import type { AccountId, AllocationId, AssociationId, NicId, VpcId } from '../../model/ids.ts'
import type { Address, Association, Instance, Nic } from '../../model/records.ts'
import { EngineError, isEngineError } from '../engines/engine.ts'
import { ofHost, ofVpc, type Scope } from '../scope.ts'
import { account, id, ip, label, time } from './columns.ts'
import { inParts, isOf } from './in-parts.ts'
import { insertOr } from './insert.ts'
import { always, isThere, nobody, noun, type RowsOf, type Session, table } from './noun.ts'
import { UNREADABLE_MAX } from './rows.ts'

/**
 * With a NIC that is gone the association is over: the database sets `nic` to null. What came with
 * the NIC (`automaticFor`) is deleted with it.
 */
type AddressRow = Omit<Address, 'association' | 'isAutomatic'> & {
  readonly automaticFor: NicId | null
  readonly association: AssociationId | null
  readonly nic: NicId | null
  readonly privateIp: Ipv4 | null
}

const tables = {
  addresses: table<AddressRow>({
    name: 'addresses',
    schema: z
      .object({
        id: id('eipalloc'),
        account,
        ip,
        pool: label,
        association: id('eipassoc').nullable(),
        nic: id('eni').nullable(),
        privateIp: ip.nullable(),
        automaticFor: id('eni').nullable(),
        createdAt: time,
      })
      .refine(
        ({ association, nic, privateIp }) =>
          nic === null || (association !== null && privateIp !== null),
        'leads to a NIC without an association',
      ),
  }),
}
/** Columns of others. */
interface Others {
  readonly instances: Pick<Instance, 'id' | 'host'>
  readonly nics: Pick<Nic, 'id' | 'instance' | 'vpc'>
}
type Tables = RowsOf<typeof tables> & Others

/** All restrict. */
interface AddressQuery {
  readonly account?: AccountId
  readonly ids?: readonly AllocationId[]
  readonly ips?: readonly Ipv4[]
  readonly nics?: readonly NicId[]
}

/** What is taken. */
interface AllocatedAddresses {
  /** In ascending order of their text. */
  readonly ips: readonly Ipv4[]
  /** For each row that does not say which address it is: its pool, or whatever stands there. */
  readonly lostOf: readonly string[]
}

const UNASSOCIATED = { association: null, nic: null, privateIp: null }

/** The noun. */
export const addresses = noun({
  tables,
  reads: ({ db, rows }: Session<Tables>) => ({
    /** By id in ascending order. */
    async addresses({ account, ids, ips, nics }: AddressQuery): Promise<readonly Address[]> {
      let query = db.selectFrom('addresses').selectAll()
      const isFound = (ids ?? ips ?? nics) !== undefined
      if (account !== undefined) query = query.where(isOf('addresses.account', account, isFound))
      const found = await inParts(ids, (someIds) =>
        inParts(ips, (someIps) =>
          inParts(nics, (someNics) => {
            let each = query
            if (someIds !== undefined) each = each.where('id', 'in', someIds)
            if (someIps !== undefined) each = each.where('ip', 'in', someIps)
            if (someNics !== undefined) each = each.where('nic', 'in', someNics)
            return each.execute()
          }),
        ),
      )
      const parsed = await rows.parseLong(tables.addresses, found)
      return parsed.map(addressFromRow).sort((a, b) => (a.id < b.id ? -1 : 1))
    },
    /** Of every account, also those whose rows cannot be read: they are taken all the same. */
    async allocatedAddresses(): Promise<AllocatedAddresses> {
      const found = await db
        .selectFrom('addresses')
        .select(['id', 'ip', 'pool'])
        .orderBy('ip')
        .execute()
      const isKnown = (row: { readonly ip: Ipv4 }) => ip.safeParse(row.ip).success
      const lost = found.filter((row) => !isKnown(row))
      // Whoever reads only these columns reports no row.
      for (const { id } of lost.slice(0, UNREADABLE_MAX))
        rows.parse(
          tables.addresses,
          await db.selectFrom('addresses').selectAll().where('id', '=', id).execute(),
        )
      return {
        ips: found.filter(isKnown).map((row) => row.ip),
        lostOf: lost.map(({ pool }) => String(pool)),
      }
    },
  }),
  writes: ({ db }: Session<Tables>) => ({
    /** `taken` when somebody has the address. */
    insertAddress: (address: Address) => insertOr('taken', db, 'addresses', addressToRow(address)),
    /**
     * Makes the address lead to what the association says; null: to nothing. `taken` when another
     * address leads there.
     */
    async associateAddress(
      id: AllocationId,
      association: Association | null,
    ): Promise<'done' | 'taken'> {
      const { id: name, ...rest } = association ?? { id: null, nic: null, privateIp: null }
      const columns = association === null ? UNASSOCIATED : { association: name, ...rest }
      try {
        await db.updateTable('addresses').set(columns).where('id', '=', id).execute()
        return 'done'
      } catch (error) {
        if (isEngineError(error, 'duplicate')) return 'taken'
        // The NIC is gone, though this transaction still sees it.
        if (isEngineError(error, 'referenced')) throw new EngineError('conflict', error, {})
        throw error
      }
    },
    /** It must lead to nothing. `in-use` when it does. */
    async deleteAddress(id: AllocationId): Promise<'done' | 'in-use'> {
      const { numDeletedRows } = await db
        .deleteFrom('addresses')
        .where('id', '=', id)
        .where('nic', 'is', null)
        .executeTakeFirst()
      return numDeletedRows > 0n ? 'done' : 'in-use'
    },
  }),
  touches: {
    // Nothing leads to it yet.
    insertAddress: ({ db }, { association }) => ofNic(db, association?.nic),
    associateAddress: async ({ db }, id, association) => [
      ...(await ofAddress(db, id)),
      ...(await ofNic(db, association?.nic)),
    ],
    // Only what leads to nothing is removed.
    deleteAddress: nobody,
  },
  inCopy: {
    insertAddress: async (tx, { id }) => isThere(tx.addresses({ ids: [id] })),
    associateAddress: async (tx, id) => isThere(tx.addresses({ ids: [id] })),
    deleteAddress: always,
  },
})

type Db = Session<Tables>['db']

async function ofAddress(db: Db, id: AllocationId): Promise<readonly Scope[]> {
  const found = await db.selectFrom('addresses').select('nic').where('id', '=', id).execute()
  const scopes = await Promise.all(found.map(({ nic }) => ofNic(db, nic)))
  return scopes.flat()
}

/** The host of the NIC, and the members of its VPC there. */
async function ofNic(db: Db, nic: NicId | null | undefined): Promise<readonly Scope[]> {
  if (nic === null || nic === undefined) return []
  const found: readonly { readonly host: Instance['host']; readonly vpc: VpcId }[] = await db
    .selectFrom('nics')
    .innerJoin('instances', 'instances.id', 'nics.instance')
    .select(['instances.host', 'nics.vpc'])
    .where('nics.id', '=', nic)
    .execute()
  return found.flatMap(({ host, vpc }) => [ofHost(host), ofVpc(vpc, host)])
}

/** An address as its row. */
function addressToRow({ association, isAutomatic, ...rest }: Address): AddressRow {
  const automaticFor = isAutomatic ? (association?.nic ?? null) : null
  if (association === null) return { ...rest, ...UNASSOCIATED, automaticFor }
  const { id, nic, privateIp } = association
  return { ...rest, association: id, nic, privateIp, automaticFor }
}

/** An address from its row. */
function addressFromRow(row: AddressRow): Address {
  const { association, nic, privateIp, automaticFor, ...rest } = row
  const isAssociated = association !== null && nic !== null && privateIp !== null
  return {
    ...rest,
    isAutomatic: automaticFor !== null,
    association: isAssociated ? { id: association, nic, privateIp } : null,
  }
}
