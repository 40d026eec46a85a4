/**
 * Internet gateways and NAT gateways. A gateway concerns every host with members of its VPC; an
 * internet gateway without a VPC concerns nobody.
 */
import { z } from 'zod'
import type { Ipv4 } from '../../model/addr.ts'
import type {
  AccountId,
  HostName,
  InternetGatewayId,
  NatGatewayId,
  NicId,
  SubnetId,
  VpcId,
} from '../../model/ids.ts'
import type { Host, Instance, Nic } from '../../model/records.ts'
import type { InternetGateway, NatGateway } from '../../model/route-table.ts'
import { isEngineError } from '../engines/engine.ts'
import { ofVpc } from '../scope.ts'
import { account, host, id, ip, time } from './columns.ts'
import { inParts } from './in-parts.ts'
import { insertOr, orConflict } from './insert.ts'
import { always, hasId, nobody, noun, type RowsOf, type Session, table } from './noun.ts'
import type { RowShape } from './rows.ts'

/** A gateway without a NIC has no address, as those of older daemons. */
interface NatGatewayRow extends Omit<NatGateway, 'address'> {
  readonly nic: NicId | null
  readonly carrier: HostName | null
}

const natGatewaySchema = z.object({
  id: id('nat'),
  account,
  vpc: id('vpc'),
  subnet: id('subnet'),
  createdAt: time,
  nic: id('eni').nullable(),
  carrier: host.nullable(),
})

const tables = {
  internetGateways: table<InternetGateway>({
    name: 'internetGateways',
    schema: z.object({ id: id('igw'), account, vpc: id('vpc').nullable() }),
  }),
  natGateways: table<NatGatewayRow>({ name: 'natGateways', schema: natGatewaySchema }),
}
/** Columns of other nouns. */
interface Others {
  readonly addresses: {
    readonly account: AccountId
    readonly ip: Ipv4
    readonly nic: NicId | null
  }
  readonly hosts: Pick<Host, 'name' | 'state'> & { readonly leaseUntilMs: number }
  readonly instances: Pick<Instance, 'id' | 'host' | 'state'>
  readonly nics: Pick<Nic, 'id' | 'instance' | 'vpc'>
}
type Tables = RowsOf<typeof tables> & Others

/** NAT gateways with the floating IPs that lead to their NICs. */
const ADDRESSED: RowShape<NatGatewayRow & { readonly publicIp: Ipv4 | null }> = {
  name: 'natGateways',
  schema: natGatewaySchema.extend({ publicIp: ip.nullable() }),
}

/** All restrict. */
interface GatewayQuery {
  readonly account?: AccountId
  readonly vpcs?: readonly VpcId[]
}
interface NatGatewayQuery extends GatewayQuery {
  readonly subnets?: readonly SubnetId[]
  readonly ids?: readonly NatGatewayId[]
  readonly nics?: readonly NicId[]
}

/** The noun. */
export const gateways = noun({
  tables,
  reads: ({ db, nowMs, rows }: Session<Tables>) => ({
    async internetGateways({ account, vpcs }: GatewayQuery): Promise<readonly InternetGateway[]> {
      let query = db.selectFrom('internetGateways').selectAll().orderBy('id')
      if (account !== undefined) query = query.where('account', '=', account)
      const found = await inParts(vpcs, (part) =>
        part === undefined ? query.execute() : query.where('vpc', 'in', part).execute(),
      )
      return rows.parse(tables.internetGateways, found)
    },
    async natGateways(asked: NatGatewayQuery): Promise<readonly NatGateway[]> {
      const { account, vpcs, subnets, ids, nics } = asked
      let query = db
        .selectFrom('natGateways')
        .selectAll()
        .select(({ selectFrom }) =>
          // One leads to the NIC. If somebody has written more, all hosts take the same.
          selectFrom('addresses')
            .select(({ fn }) => fn.min('addresses.ip').as('ip'))
            .whereRef('addresses.nic', '=', 'natGateways.nic')
            .whereRef('addresses.account', '=', 'natGateways.account')
            .as('publicIp'),
        )
        .orderBy('id')
      if (account !== undefined) query = query.where('account', '=', account)
      if (subnets !== undefined) query = query.where('subnet', 'in', subnets)
      if (ids !== undefined) query = query.where('id', 'in', ids)
      if (nics !== undefined) query = query.where('nic', 'in', nics)
      const found = await inParts(vpcs, (part) =>
        part === undefined ? query.execute() : query.where('vpc', 'in', part).execute(),
      )
      return rows.parse(ADDRESSED, found).map(natGatewayFromRow)
    },
    /**
     * Those of these gateways whose carrier cannot carry them: there is none, its lease has
     * expired, it drains, or it has no instance of their VPC.
     */
    async uncarriedNatGateways(ids: readonly NatGatewayId[]): Promise<readonly NatGatewayId[]> {
      const found = await inParts(ids, (part) =>
        db
          .selectFrom('natGateways')
          .select('natGateways.id')
          .where('natGateways.id', 'in', part ?? [])
          .where('natGateways.nic', 'is not', null)
          .where(({ exists, not, selectFrom }) =>
            not(
              exists(
                selectFrom('hosts')
                  .innerJoin('instances', 'instances.host', 'hosts.name')
                  .innerJoin('nics', 'nics.instance', 'instances.id')
                  .select('hosts.name')
                  .whereRef('hosts.name', '=', 'natGateways.carrier')
                  .whereRef('nics.vpc', '=', 'natGateways.vpc')
                  .where('hosts.state', '=', 'active')
                  .where('hosts.leaseUntilMs', '>=', nowMs)
                  .where('instances.state', '!=', 'terminated'),
              ),
            ),
          )
          .execute(),
      )
      return found.map(({ id }) => id)
    },
  }),
  writes: ({ db, nowMs }: Session<Tables>) => ({
    /** `taken` when its VPC has one. */
    insertInternetGateway: (gateway: InternetGateway) =>
      orConflict(() => insertOr('taken', db, 'internetGateways', gateway)),
    /** `taken` when the VPC has one, or this one is attached. */
    async attachInternetGateway(
      id: InternetGatewayId,
      { vpc }: { readonly vpc: VpcId },
    ): Promise<'done' | 'taken'> {
      const update = db
        .updateTable('internetGateways')
        .set({ vpc })
        .where('id', '=', id)
        .where('vpc', 'is', null)
      try {
        const { numUpdatedRows } = await orConflict(() => update.executeTakeFirst())
        return numUpdatedRows > 0n ? 'done' : 'taken'
      } catch (error) {
        if (isEngineError(error, 'duplicate')) return 'taken'
        throw error
      }
    },
    async detachInternetGateway(
      id: InternetGatewayId,
      { vpc }: { readonly vpc: VpcId },
    ): Promise<void> {
      await db
        .updateTable('internetGateways')
        .set({ vpc: null })
        .where('id', '=', id)
        .where('vpc', '=', vpc)
        .execute()
    },
    /** It must be attached to nothing. `in-use` when it is. */
    async deleteInternetGateway(id: InternetGatewayId): Promise<'done' | 'in-use'> {
      const { numDeletedRows } = await db
        .deleteFrom('internetGateways')
        .where('id', '=', id)
        .where('vpc', 'is', null)
        .executeTakeFirst()
      return numDeletedRows > 0n ? 'done' : 'in-use'
    },
    async insertNatGateway(gateway: NatGateway): Promise<void> {
      await orConflict(() =>
        db.insertInto('natGateways').values(natGatewayToRow(gateway)).execute(),
      )
    },
    /**
     * Another host carries the gateway from now on. `lost` when that host has no live lease, or
     * another one carries it by now.
     */
    async carryNatGateway(
      { id }: Pick<NatGateway, 'id' | 'vpc'>,
      { from, to }: { readonly from: HostName | null; readonly to: HostName },
    ): Promise<'done' | 'lost'> {
      const { numUpdatedRows } = await db
        .updateTable('natGateways')
        .set({ carrier: to })
        .where('id', '=', id)
        .where('nic', 'is not', null)
        .where('carrier', from === null ? 'is' : '=', from)
        .where(({ exists, selectFrom }) =>
          exists(
            selectFrom('hosts')
              .select('name')
              .where('name', '=', to)
              .where('leaseUntilMs', '>=', nowMs),
          ),
        )
        .executeTakeFirstOrThrow()
      return numUpdatedRows === 1n ? 'done' : 'lost'
    },
    async deleteNatGateway({ id }: Pick<NatGateway, 'id' | 'vpc'>): Promise<void> {
      await db.deleteFrom('natGateways').where('id', '=', id).execute()
    },
  }),
  touches: {
    insertInternetGateway: (_session, { vpc }) => (vpc === null ? [] : [ofVpc(vpc)]),
    attachInternetGateway: (_session, _id, { vpc }) => [ofVpc(vpc)],
    detachInternetGateway: (_session, _id, { vpc }) => [ofVpc(vpc)],
    // It is attached to nothing.
    deleteInternetGateway: nobody,
    insertNatGateway: (_session, { vpc }) => [ofVpc(vpc)],
    carryNatGateway: (_session, { vpc }) => [ofVpc(vpc)],
    deleteNatGateway: (_session, { vpc }) => [ofVpc(vpc)],
  },
  inCopy: {
    insertInternetGateway: (tx, { id, account }) => hasId(tx.internetGateways({ account }), id),
    attachInternetGateway: (tx, id, { vpc }) => hasId(tx.internetGateways({ vpcs: [vpc] }), id),
    detachInternetGateway: always,
    deleteInternetGateway: always,
    insertNatGateway: (tx, { id, vpc }) => hasId(tx.natGateways({ vpcs: [vpc] }), id),
    carryNatGateway: always,
    deleteNatGateway: always,
  },
})

function natGatewayToRow({ address, ...rest }: NatGateway): NatGatewayRow {
  const { nic = null, carrier = null } = address ?? {}
  return { ...rest, nic, carrier }
}

function natGatewayFromRow({
  nic,
  carrier,
  publicIp,
  ...rest
}: NatGatewayRow & { readonly publicIp: Ipv4 | null }): NatGateway {
  return nic === null ? rest : { ...rest, address: { nic, ip: publicIp, carrier } }
}
