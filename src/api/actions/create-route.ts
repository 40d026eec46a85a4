/** CreateRoute, ReplaceRoute and DeleteRoute. */
import { z } from 'zod'
import { type Cidr, formatCidr } from '../../model/addr.ts'
import { refused } from '../../model/errors.ts'
import type { AccountId } from '../../model/ids.ts'
import type { Route, RouteTable } from '../../model/route-table.ts'
import type { ReadTx } from '../../store/store.ts'
import { changeAction } from '../change.ts'
import { refuseLocal, requireTarget, targetShape } from '../networks/route-targets.ts'
import {
  destinationSchema,
  refuseUnrouted,
  requireRouteTable,
  routeTableIdSchema,
} from '../networks/routing.ts'
import { requireVpc } from '../networks/vpcs.ts'

const where = { RouteTableId: routeTableIdSchema, DestinationCidrBlock: destinationSchema }
const routeInput = z.strictObject({ ...where, ...targetShape })

/**
 * A route to a gateway, a peering connection or a network interface of the table's VPC. Other
 * targets of EC2 do not exist here.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateRoute.html
 */
export const createRoute = changeAction({
  name: 'CreateRoute',
  input: routeInput,
  async change(tx, asked, { account, settings }) {
    await refuseUnrouted(tx, settings)
    await tx.takeTurn(account)
    const { table, destination, target } = await requireRoute(tx, account, asked)
    const routes = await routesOf(tx, table)
    const limit = settings.quotas.routesPerTable
    const route = { table: table.id, vpc: table.vpc, destination, target }
    if (findRoute(routes, destination) !== undefined || (await tx.insertRoute(route)) === 'exists')
      throw refused(
        'RouteAlreadyExists',
        `The route identified by ${formatCidr(destination)} already exists.`,
      )
    if (routes.length >= limit)
      throw refused(
        'RouteLimitExceeded',
        `The maximum number of routes of a table has been reached: ${limit}`,
      )
  },
  view: () => ({ Return: true }),
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ReplaceRoute.html */
export const replaceRoute = changeAction({
  name: 'ReplaceRoute',
  input: routeInput,
  async change(tx, asked, { account, settings }) {
    await refuseUnrouted(tx, settings)
    const { table, destination, target } = await requireRoute(tx, account, asked)
    const route = findRoute(await routesOf(tx, table), destination)
    if (route === undefined)
      throw refused(
        'InvalidParameterValue',
        `There is no route defined for '${formatCidr(destination)}' in the route table. Use CreateRoute instead.`,
      )
    await tx.replaceRoute({ ...route, target })
  },
})

/**
 * `local` stays.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteRoute.html
 */
export const deleteRoute = changeAction({
  name: 'DeleteRoute',
  input: z.strictObject(where),
  async change(tx, { RouteTableId, DestinationCidrBlock: destination }, { account, settings }) {
    await refuseUnrouted(tx, settings)
    const table = await requireRouteTable(tx, account, RouteTableId)
    const text = formatCidr(destination)
    const route = findRoute(await routesOf(tx, table), destination)
    if (route !== undefined) return await tx.deleteRoute(route)
    const { cidr } = await requireVpc(tx, account, table.vpc)
    if (formatCidr(cidr) === text)
      throw refused(
        'InvalidParameterValue',
        `cannot remove local route ${text} in route table ${table.id}`,
      )
    throw refused(
      'InvalidRoute.NotFound',
      `no route with destination-cidr-block ${text} in route table ${table.id}`,
    )
  },
})

/** What the parameters name. Errors: those of EC2 for what is not there, or cannot be a route. */
async function requireRoute(tx: ReadTx, account: AccountId, asked: z.infer<typeof routeInput>) {
  const table = await requireRouteTable(tx, account, asked.RouteTableId)
  const destination = asked.DestinationCidrBlock
  const target = await requireTarget(tx, table, asked)
  await refuseLocal(tx, table, { destination })
  return { table, destination, target }
}

async function routesOf(tx: ReadTx, { id, vpc }: RouteTable): Promise<readonly Route[]> {
  return (await tx.routes({ vpcs: [vpc] })).filter(({ table }) => table === id)
}

function findRoute(routes: readonly Route[], destination: Cidr): Route | undefined {
  const text = formatCidr(destination)
  return routes.find((route) => formatCidr(route.destination) === text)
}
