/**
 * Internet gateways and NAT gateways. A gateway concerns every host with members of its VPC; an
 * internet gateway without a VPC concerns nobody.
 */
import { z } from 'zod'
import type { AccountId, InternetGatewayId, SubnetId, VpcId } from '../../model/ids.ts'
import type { InternetGateway, NatGateway } from '../../model/route-table.ts'
import { isEngineError } from '../engines/engine.ts'
import { ofVpc } from '../scope.ts'
import { account, id, time } from './columns.ts'
import { inParts } from './in-parts.ts'
import { insertOr, orConflict } from './insert.ts'
import { always, hasId, nobody, noun, type RowsOf, type Session, table } from './noun.ts'

const tables = {
  internetGateways: table<InternetGateway>({
    name: 'internetGateways',
    schema: z.object({ id: id('igw'), account, vpc: id('vpc').nullable() }),
  }),
  natGateways: table<NatGateway>({
    name: 'natGateways',
    schema: z.object({
      id: id('nat'),
      account,
      vpc: id('vpc'),
      subnet: id('subnet'),
      createdAt: time,
    }),
  }),
}

/** All restrict. */
interface GatewayQuery {
  readonly account?: AccountId
  readonly vpcs?: readonly VpcId[]
}
interface NatGatewayQuery extends GatewayQuery {
  readonly subnets?: readonly SubnetId[]
}

/** The noun. */
export const gateways = noun({
  tables,
  reads: ({ db, rows }: Session<RowsOf<typeof tables>>) => ({
    async internetGateways({ account, vpcs }: GatewayQuery): Promise<readonly InternetGateway[]> {
      let query = db.selectFrom('internetGateways').selectAll().orderBy('id')
      if (account !== undefined) query = query.where('account', '=', account)
      const found = await inParts(vpcs, (part) =>
        part === undefined ? query.execute() : query.where('vpc', 'in', part).execute(),
      )
      return rows.parse(tables.internetGateways, found)
    },
    async natGateways({ account, vpcs, subnets }: NatGatewayQuery): Promise<readonly NatGateway[]> {
      let query = db.selectFrom('natGateways').selectAll().orderBy('id')
      if (account !== undefined) query = query.where('account', '=', account)
      if (subnets !== undefined) query = query.where('subnet', 'in', subnets)
      const found = await inParts(vpcs, (part) =>
        part === undefined ? query.execute() : query.where('vpc', 'in', part).execute(),
      )
      return rows.parse(tables.natGateways, found)
    },
  }),
  writes: ({ db }: Session<RowsOf<typeof tables>>) => ({
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
      await orConflict(() => db.insertInto('natGateways').values(gateway).execute())
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
    deleteNatGateway: (_session, { vpc }) => [ofVpc(vpc)],
  },
  inCopy: {
    insertInternetGateway: (tx, { id, account }) => hasId(tx.internetGateways({ account }), id),
    attachInternetGateway: (tx, id, { vpc }) => hasId(tx.internetGateways({ vpcs: [vpc] }), id),
    detachInternetGateway: always,
    deleteInternetGateway: always,
    insertNatGateway: (tx, { id, vpc }) => hasId(tx.natGateways({ vpcs: [vpc] }), id),
    deleteNatGateway: always,
  },
})
