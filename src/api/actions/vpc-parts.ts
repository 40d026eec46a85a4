/**
 * What every VPC has one of: DescribeInternetGateways, DescribeRouteTables, DescribeNetworkAcls, DescribeDhcpOptions. Nothing of it can be
 * chosen or changed yet; it is as it is for all.
 */
import type { Tag as TagOutput } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import type { ErrorCode } from '../../model/errors.ts'
import type { IdPrefix } from '../../model/ids.ts'
import type { Subnet, Vpc } from '../../model/records.ts'
import type { Action, Call } from '../action.ts'
import { mapInPieces } from '../budget.ts'
import { derivedId } from '../derived-ids.ts'
import { describe, isAmong, refuseIdsWithMaxResults, refuseMissing } from '../describe.ts'
import type { FilterTable } from '../filters.ts'
import { dryRun, parseInput } from '../parameters.ts'
import { idListSchema, notFound, pagedShape } from '../schemas.ts'
import { DHCP_OPTIONS_FILTERS, dhcpOptionsView } from '../views/dhcp-options.ts'
import { NETWORK_ACL_FILTERS, networkAclView } from '../views/network-acl.ts'
import {
  INTERNET_GATEWAY_FILTERS,
  internetGatewayView,
  ROUTE_TABLE_FILTERS,
  routeTableView,
} from '../views/routing.ts'
import { tagsIndex } from '../views/tags.ts'

/** What a part is made from. */
interface Ground {
  readonly vpc: Vpc
  readonly subnets: readonly Subnet[]
  readonly tags: TagOutput[]
  readonly call: Call
}

/** One kind of part. */
interface Part<View> {
  readonly action: string
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
  readonly view: (ground: Ground) => View
  readonly filters: FilterTable<View>
}

function describeParts<View extends { Tags?: TagOutput[] | undefined }>(part: Part<View>): Action {
  const ids = idListSchema(part.prefix, part.malformed).default([])
  const schema = z.strictObject({
    ...pagedShape(5, part.pageMax, { larger: 'refused' }),
    [part.ids]: ids,
  })
  return {
    name: part.action,
    async run(call) {
      const input = parseInput(schema, call.input)
      // Parsed just now; a computed key has no type of its own.
      const wanted: readonly string[] = z.array(z.string()).parse(Reflect.get(input, part.ids))
      refuseIdsWithMaxResults(part.ids, wanted, input)
      dryRun(call)
      const { account } = call.caller
      const { vpcs, subnets, tags } = await call.parts.store.read(async (tx) => ({
        vpcs: await tx.vpcs({ account }),
        subnets: await tx.subnets({ account }),
        tags: await tx.tags({ account }),
      }))
      const idOf = (vpc: Vpc): string => derivedId(part.prefix, vpc.id)
      refuseMissing(wanted, new Set(vpcs.map(idOf)), (lost) =>
        notFound(part.missing, part.noun, lost),
      )
      const tagsOf = tagsIndex(tags)
      const subnetsOf = Map.groupBy(subnets, (subnet) => subnet.vpc)
      const isWanted = isAmong(wanted)
      const shown = vpcs.filter((vpc) => isWanted(idOf(vpc)))
      const items = await mapInPieces(call.budget, shown, (vpc) => ({
        key: idOf(vpc),
        view: part.view({
          vpc,
          subnets: subnetsOf.get(vpc.id) ?? [],
          tags: tagsOf(idOf(vpc)),
          call,
        }),
      }))
      const page = await describe(call, items, input, {
        action: part.action,
        key: ({ key }) => key,
        filters: onViews(part.filters),
        tags: ({ view }) => view.Tags ?? [],
      })
      return { [part.list]: page.items.map(({ view }) => view), NextToken: page.nextToken }
    },
  }
}

function onViews<View>(table: FilterTable<View>): FilterTable<{ readonly view: View }> {
  return Object.fromEntries(
    Object.entries(table).map(([name, read]) => [name, ({ view }) => read(view)]),
  )
}

/** DescribeInternetGateways: each VPC's way to the outside. */
export const describeInternetGateways = describeParts({
  action: 'DescribeInternetGateways',
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
  action: 'DescribeRouteTables',
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
  action: 'DescribeNetworkAcls',
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

/** DescribeDhcpOptions: what each VPC's instances are told. */
export const describeDhcpOptions = describeParts({
  action: 'DescribeDhcpOptions',
  list: 'DhcpOptions',
  ids: 'DhcpOptionsIds',
  prefix: 'dopt',
  pageMax: 1000,
  noun: 'dhcpOption ID',
  malformed: 'InvalidDhcpOptionsId.Malformed',
  missing: 'InvalidDhcpOptionID.NotFound',
  view: ({ vpc, tags, call }) => dhcpOptionsView(vpc, call.parts.settings.dnsZone, tags),
  filters: DHCP_OPTIONS_FILTERS,
})
