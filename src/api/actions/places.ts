/**
 * Where things are and what the account may do there: DescribeRegions, DescribeAvailabilityZones,
 * DescribeAccountAttributes. One cloud is one region; its zones are those that its hosts and subnets name.
 */
import type {
  AvailabilityZone,
  DescribeAccountAttributesResult,
  DescribeAvailabilityZonesResult,
  DescribeRegionsResult,
  Region,
} from '@aws-sdk/client-ec2'
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { zoneId } from '../../model/zones.ts'
import type { Action, Call } from '../action.ts'
import { describe, isAmong, refuseMissing } from '../describe.ts'
import type { FilterTable } from '../filters.ts'
import { dryRun, parseInput } from '../parameters.ts'
import { dryRunShape, filterShape, GROUPS_PER_NIC_MAX, IDS_MAX, textSchema } from '../schemas.ts'

const names = z.array(textSchema).max(IDS_MAX).default([])

const regionsSchema = z.strictObject({
  ...filterShape,
  RegionNames: names,
  AllRegions: z.boolean().optional(),
})

const REGION_FILTERS: FilterTable<Region> = {
  endpoint: (region) => region.Endpoint,
  'opt-in-status': (region) => region.OptInStatus,
  'region-name': (region) => region.RegionName,
}

/** DescribeRegions: the one region there is, at the name and port that are configured or else those that the client used. */
export const describeRegions: Action = {
  name: 'DescribeRegions',
  async run(call): Promise<DescribeRegionsResult> {
    const input = parseInput(regionsSchema, call.input)
    dryRun(call)
    const { region, endpoint } = call.parts.settings
    refuseMissing(input.RegionNames, new Set([region]), (missing) =>
      refused(
        'InvalidParameterValue',
        `Invalid region names provided: ${missing.join(', ')}; this cloud is '${region}'`,
      ),
    )
    const view: Region = {
      RegionName: region,
      Endpoint: endpoint ?? call.authority,
      OptInStatus: 'opt-in-not-required',
    }
    const page = await describe(call, [view], input, {
      action: 'DescribeRegions',
      key: (one) => one.RegionName ?? '',
      filters: REGION_FILTERS,
      unpaged: true,
    })
    return { Regions: [...page.items] }
  },
}

const zonesSchema = z.strictObject({
  ...filterShape,
  ZoneNames: names,
  ZoneIds: names,
  AllAvailabilityZones: z.boolean().optional(),
})

const ZONE_FILTERS: FilterTable<AvailabilityZone> = {
  'group-name': (zone) => zone.GroupName,
  message: (zone) => zone.Messages?.map((one) => one.Message),
  'opt-in-status': (zone) => zone.OptInStatus,
  'region-name': (zone) => zone.RegionName,
  state: (zone) => zone.State,
  'zone-id': (zone) => zone.ZoneId,
  'zone-name': (zone) => zone.ZoneName,
  'zone-type': (zone) => zone.ZoneType,
}

/** DescribeAvailabilityZones. */
export const describeAvailabilityZones: Action = {
  name: 'DescribeAvailabilityZones',
  async run(call): Promise<DescribeAvailabilityZonesResult> {
    const input = parseInput(zonesSchema, call.input)
    dryRun(call)
    const { region } = call.parts.settings
    const zones = [...(await zoneNames(call))].map((zone) => zoneView(zone, region))
    refuseMissing(input.ZoneNames, new Set(zones.map(({ ZoneName = '' }) => ZoneName)), noZone)
    refuseMissing(input.ZoneIds, new Set(zones.map(({ ZoneId = '' }) => ZoneId)), noZone)
    const named = isAmong(input.ZoneNames)
    const wanted = isAmong(input.ZoneIds)
    const views = zones.filter(
      ({ ZoneName = '', ZoneId = '' }) => named(ZoneName) && wanted(ZoneId),
    )
    const page = await describe(call, views, input, {
      action: 'DescribeAvailabilityZones',
      key: (zone) => zone.ZoneName ?? '',
      filters: ZONE_FILTERS,
      unpaged: true,
    })
    return { AvailabilityZones: [...page.items] }
  },
}

function noZone(missing: readonly string[]): Error {
  return refused('InvalidParameterValue', `Invalid availability zone: [${missing.join(', ')}]`)
}

/** The zones that hosts and the caller's subnets name. */
export async function zoneNames(call: Call): Promise<ReadonlySet<string>> {
  const { account } = call.caller
  return await call.parts.store.read(async (tx) => {
    const places = [...(await tx.hosts()), ...(await tx.subnets({ account }))]
    return new Set(places.map((place) => place.zone))
  })
}

function zoneView(zone: string, region: string): AvailabilityZone {
  return {
    ZoneName: zone,
    ZoneId: zoneId(zone, region),
    ZoneType: 'availability-zone',
    RegionName: region,
    GroupName: region,
    NetworkBorderGroup: region,
    State: 'available',
    OptInStatus: 'opt-in-not-required',
    Messages: [],
  }
}

/** All of EC2's. */
const ATTRIBUTES = [
  'supported-platforms',
  'default-vpc',
  'max-instances',
  'vpc-max-security-groups-per-interface',
  'max-elastic-ips',
  'vpc-max-elastic-ips',
] as const

const attributesSchema = z.strictObject({
  ...dryRunShape,
  AttributeNames: z.array(z.enum(ATTRIBUTES)).max(IDS_MAX).default([]),
})

/** DescribeAccountAttributes. */
export const describeAccountAttributes: Action = {
  name: 'DescribeAccountAttributes',
  async run(call): Promise<DescribeAccountAttributesResult> {
    const input = parseInput(attributesSchema, call.input)
    dryRun(call)
    const { account } = call.caller
    const vpcs = await call.parts.store.read((tx) => tx.vpcs({ account }))
    const values: Readonly<Record<(typeof ATTRIBUTES)[number], string>> = {
      'supported-platforms': 'VPC',
      'default-vpc': vpcs.find((vpc) => vpc.isDefault)?.id ?? 'none',
      // As on EC2 this does not tell the account's limit: what the hosts have room for does.
      'max-instances': String(call.parts.settings.maxInstancesPerLaunch),
      'vpc-max-security-groups-per-interface': String(GROUPS_PER_NIC_MAX),
      // There are no addresses to hand out.
      'max-elastic-ips': '0',
      'vpc-max-elastic-ips': '0',
    }
    const wanted = ATTRIBUTES.filter(
      (name) => input.AttributeNames.length === 0 || input.AttributeNames.includes(name),
    )
    return {
      AccountAttributes: wanted.map((name) => ({
        AttributeName: name,
        AttributeValues: [{ AttributeValue: values[name] }],
      })),
    }
  },
}
