/**
 * What every VPC has one of: DescribeInternetGateways, DescribeRouteTables, DescribeNetworkAcls.
 * None of it can be chosen or changed. It is the same for all.
 */
import type { Tag as TagOutput } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import type { ErrorCode } from '../../model/errors.ts'
import type { IdPrefix } from '../../model/ids.ts'
import type { Subnet, Vpc } from '../../model/records.ts'
import type { Action, ActionName, ApiSettings } from '../action.ts'
import { derivedId } from '../derived-ids.ts'
import { isAmong, refuseIdsWithMaxResults, refuseMissing } from '../describe.ts'
import type { FilterTable } from '../filters.ts'
import { describeAction } from '../read.ts'
import { idListSchema, notFound, pagedShape } from '../schemas.ts'
import { NETWORK_ACL_FILTERS, networkAclView } from '../views/network-acl.ts'
import {
  INTERNET_GATEWAY_FILTERS,
  internetGatewayView,
  ROUTE_TABLE_FILTERS,
  routeTableView,
} from '../views/routing.ts'
import { tagsIndex } from '../views/tags.ts'

/** What a part is made from. */
interface VpcWithSubnets {
  readonly vpc: Vpc
  readonly subnets: readonly Subnet[]
  /** Those of the part. */
  readonly tags: TagOutput[]
}

/** One kind of part. */
interface Part<View> {
  readonly name: ActionName
  /** The answer's list. */
  readonly list: string
  /** The parameter that names some of them. */
  readonly ids: string
  readonly prefix: IdPrefix
  /** Most on one page. */
  readonly pageMax: number
  readonly noun: string
  readonly malformed: ErrorCode
  readonly missing: ErrorCode
  readonly view: (of: VpcWithSubnets, settings: ApiSettings) => View
  readonly filters: FilterTable<View>
}

function describeParts<View extends { Tags?: TagOutput[] | undefined }>(part: Part<View>): Action {
  const ids = idListSchema(part.prefix, part.malformed).default([])
  const idOf = (vpc: Vpc): string => derivedId(part.prefix, vpc.id)
  // Parsed just then; a computed key has no type of its own.
  const idsOf = (asked: object) => z.array(z.string()).parse(Reflect.get(asked, part.ids))
  return describeAction({
    name: part.name,
    input: z.strictObject({
      ...pagedShape(5, part.pageMax, { larger: 'refused' }),
      [part.ids]: ids,
    }),
    check: (asked) => refuseIdsWithMaxResults(part.ids, idsOf(asked), asked),
    rows: (asked, { account, read }) =>
      read(async (tx) => {
        const vpcs = await tx.vpcs({ account })
        const wanted = idsOf(asked)
        refuseMissing(wanted, new Set(vpcs.map(idOf)), (missing) =>
          notFound(part.missing, part.noun, missing),
        )
        const subnetsOf = Map.groupBy(await tx.subnets({ account }), (subnet) => subnet.vpc)
        const tagsOf = tagsIndex(await tx.tags({ account }))
        const isWanted = isAmong(wanted)
        return vpcs
          .filter((vpc) => isWanted(idOf(vpc)))
          .map((vpc) => ({
            vpc,
            subnets: subnetsOf.get(vpc.id) ?? [],
            tags: tagsOf(idOf(vpc)),
          }))
      }),
    view: (of, _asked, { settings }) => ({ key: idOf(of.vpc), view: part.view(of, settings) }),
    key: ({ key }) => key,
    filters: onViews(part.filters),
    tags: ({ view }) => view.Tags ?? [],
    answer: (parts) => ({ [part.list]: parts.map(({ view }) => view) }),
  })
}

function onViews<View>(table: FilterTable<View>): FilterTable<{ readonly view: View }> {
  return Object.fromEntries(
    Object.entries(table).map(([name, read]) => [name, ({ view }) => read(view)]),
  )
}

/** DescribeInternetGateways: each VPC's way to the outside. */
export const describeInternetGateways = describeParts({
  name: 'DescribeInternetGateways',
  list: 'InternetGateways',
  ids: 'InternetGatewayIds',
  prefix: 'igw',
  pageMax: 1000,
  noun: 'internetGateway ID',
  malformed: 'InvalidInternetGatewayId.Malformed',
  missing: 'InvalidInternetGatewayID.NotFound',
  view: ({ vpc, tags }) => internetGatewayView(vpc, tags),
  filters: INTERNET_GATEWAY_FILTERS,
})

/** DescribeRouteTables: each VPC's main route table. */
export const describeRouteTables = describeParts({
  name: 'DescribeRouteTables',
  list: 'RouteTables',
  ids: 'RouteTableIds',
  prefix: 'rtb',
  pageMax: 100,
  noun: 'routeTable ID',
  malformed: 'InvalidRouteTableId.Malformed',
  missing: 'InvalidRouteTableID.NotFound',
  view: ({ vpc, tags }) => routeTableView(vpc, tags),
  filters: ROUTE_TABLE_FILTERS,
})

/** DescribeNetworkAcls: each VPC's default ACL. */
export const describeNetworkAcls = describeParts({
  name: 'DescribeNetworkAcls',
  list: 'NetworkAcls',
  ids: 'NetworkAclIds',
  prefix: 'acl',
  pageMax: 1000,
  noun: 'networkAcl ID',
  malformed: 'InvalidNetworkAclId.Malformed',
  missing: 'InvalidNetworkAclID.NotFound',
  view: ({ vpc, subnets, tags }) => networkAclView(vpc, subnets, tags),
  filters: NETWORK_ACL_FILTERS,
})
