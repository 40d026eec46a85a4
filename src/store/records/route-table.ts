/**
 * Route tables, their routes, and the subnets that go by them. What a subnet may go by
 * concerns every host with members of the VPC.
 */
import { z } from 'zod'
import { formatCidr, cidr as network, parseCidr } from '../../model/addr.ts'
import type { AccountId, VpcId } from '../../model/ids.ts'
import {
  parseRouteTarget,
  type Route,
  type RouteTable,
  type RouteTableAssociation,
} from '../../model/route-table.ts'
import { ofVpc } from '../scope.ts'
import { account, id } from './columns.ts'
import { inParts } from './in-parts.ts'
import { insertOr, orConflict, unless } from './insert.ts'
import { always, hasId, nobody, noun, type RowsOf, type Session, table } from './noun.ts'

/** The target is its id. */
type RouteRow = Omit<Route, 'destination' | 'target'> & {
  readonly destination: string
  readonly target: string
}
/** `covers` is the subnet, or the VPC for its main table, so that each has one. */
type AssociationRow = RouteTableAssociation & { readonly covers: string }

const tables = {
  routeTables: table<RouteTable>({
    name: 'routeTables',
    schema: z.object({ id: id('rtb'), account, vpc: id('vpc') }),
  }),
  routes: table<RouteRow>({
    name: 'routes',
    key: ['table', 'destination'],
    schema: z.object({
      table: id('rtb'),
      vpc: id('vpc'),
      destination: z
        .string()
        .max(18)
        .refine((text) => parseCidr(text) !== undefined, 'is not a network'),
      target: z
        .string()
        .max(64)
        .refine((text) => parseRouteTarget(text) !== undefined, 'is not the target of a route'),
    }),
  }),
  routeTableAssociations: table<AssociationRow>({
    name: 'routeTableAssociations',
    schema: z.object({
      id: id('rtbassoc'),
      table: id('rtb'),
      vpc: id('vpc'),
      subnet: id('subnet').nullable(),
      covers: z.string().max(64),
    }),
  }),
}

/** All restrict. */
interface OfVpcs {
  readonly account?: AccountId
  readonly vpcs?: readonly VpcId[]
}

/** The noun. */
export const routeTables = noun({
  tables,
  reads: ({ db, rows }: Session<RowsOf<typeof tables>>) => ({
    async routeTables({ account, vpcs }: OfVpcs): Promise<readonly RouteTable[]> {
      let query = db.selectFrom('routeTables').selectAll().orderBy('id')
      if (account !== undefined) query = query.where('account', '=', account)
      const found = await inParts(vpcs, (part) =>
        part === undefined ? query.execute() : query.where('vpc', 'in', part).execute(),
      )
      return rows.parse(tables.routeTables, found)
    },
    /** By table and destination. */
    async routes({ vpcs }: Pick<OfVpcs, 'vpcs'>): Promise<readonly Route[]> {
      const query = db.selectFrom('routes').selectAll().orderBy('table').orderBy('destination')
      const found = await inParts(vpcs, (part) =>
        part === undefined ? query.execute() : query.where('vpc', 'in', part).execute(),
      )
      return (await rows.parseLong(tables.routes, found)).map(routeFromRow)
    },
    async routeTableAssociations({
      vpcs,
    }: Pick<OfVpcs, 'vpcs'>): Promise<readonly RouteTableAssociation[]> {
      const query = db.selectFrom('routeTableAssociations').selectAll().orderBy('id')
      const found = await inParts(vpcs, (part) =>
        part === undefined ? query.execute() : query.where('vpc', 'in', part).execute(),
      )
      return rows
        .parse(tables.routeTableAssociations, found)
        .map(({ covers: _, ...association }) => association)
    },
  }),
  writes: ({ db }: Session<RowsOf<typeof tables>>) => ({
    async insertRouteTable(made: RouteTable): Promise<void> {
      await orConflict(() => db.insertInto('routeTables').values(made).execute())
    },
    /** With its routes. `in-use` when a subnet or its VPC goes by it. */
    async deleteRouteTable({ id }: Pick<RouteTable, 'id' | 'vpc'>): Promise<'done' | 'in-use'> {
      const { length } = await db
        .selectFrom('routeTableAssociations')
        .select('id')
        .where('table', '=', id)
        .execute()
      if (length > 0) return 'in-use'
      return unless('referenced', 'in-use', () =>
        db.deleteFrom('routeTables').where('id', '=', id).execute(),
      )
    },
    /** `exists` when the table has a route to the same destination. */
    insertRoute: (route: Route) =>
      orConflict(() => insertOr('exists', db, 'routes', routeToRow(route))),
    async replaceRoute(route: Route): Promise<void> {
      const { table, destination, target } = routeToRow(route)
      await db
        .updateTable('routes')
        .set({ target })
        .where('table', '=', table)
        .where('destination', '=', destination)
        .execute()
    },
    async deleteRoute({ table, destination }: Omit<Route, 'target'>): Promise<void> {
      await db
        .deleteFrom('routes')
        .where('table', '=', table)
        .where('destination', '=', formatCidr(destination))
        .execute()
    },
    /** `exists` when the subnet has a table, or the VPC has a main one. */
    insertRouteTableAssociation: (made: RouteTableAssociation) =>
      orConflict(() =>
        insertOr('exists', db, 'routeTableAssociations', {
          ...made,
          covers: made.subnet ?? made.vpc,
        }),
      ),
    async deleteRouteTableAssociation({
      id,
    }: Pick<RouteTableAssociation, 'id' | 'vpc'>): Promise<void> {
      await db.deleteFrom('routeTableAssociations').where('id', '=', id).execute()
    },
  }),
  touches: {
    // No subnet goes by it yet, or any more.
    insertRouteTable: nobody,
    deleteRouteTable: nobody,
    insertRoute: (_session, { vpc }) => [ofVpc(vpc)],
    replaceRoute: (_session, { vpc }) => [ofVpc(vpc)],
    deleteRoute: (_session, { vpc }) => [ofVpc(vpc)],
    insertRouteTableAssociation: (_session, { vpc }) => [ofVpc(vpc)],
    deleteRouteTableAssociation: (_session, { vpc }) => [ofVpc(vpc)],
  },
  inCopy: {
    insertRouteTable: (tx, { id, vpc }) => hasId(tx.routeTables({ vpcs: [vpc] }), id),
    deleteRouteTable: always,
    insertRoute: async (tx, { vpc, table, destination }) =>
      (await tx.routes({ vpcs: [vpc] })).some(
        (one) => one.table === table && formatCidr(one.destination) === formatCidr(destination),
      ),
    replaceRoute: always,
    deleteRoute: always,
    insertRouteTableAssociation: (tx, { id, vpc }) =>
      hasId(tx.routeTableAssociations({ vpcs: [vpc] }), id),
    deleteRouteTableAssociation: always,
  },
})

function routeToRow({ table, vpc, destination, target }: Route): RouteRow {
  return { table, vpc, destination: formatCidr(destination), target: target.id }
}

/** A route from its row. Throws RangeError when its target is malformed. */
function routeFromRow({ destination, target, ...row }: RouteRow): Route {
  const parsed = parseRouteTarget(target)
  if (parsed === undefined) throw new RangeError(`not the target of a route: ${target}`)
  return { ...row, destination: network(destination), target: parsed }
}
