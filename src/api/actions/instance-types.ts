/** Instance types: DescribeInstanceTypes, DescribeInstanceTypeOfferings. The cloud's own table; a type fits wherever a host has the room. */
import type {
  _InstanceType,
  DescribeInstanceTypeOfferingsResult,
  DescribeInstanceTypesResult,
  InstanceTypeOffering,
} from '@aws-sdk/client-ec2'
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { zoneId } from '../../model/zones.ts'
import type { Action, Call } from '../action.ts'
import { mapInPieces } from '../budget.ts'
import { describe, refuseIdsWithMaxResults, refuseMissing } from '../describe.ts'
import { dryRun, parseInput } from '../parameters.ts'
import { pagedShape, textSchema } from '../schemas.ts'
import { INSTANCE_TYPE_FILTERS, instanceTypeView } from '../views/instance-type.ts'
import { zoneNames } from './places.ts'

const TYPES_MAX = 100

const schema = z.strictObject({
  ...pagedShape(5, 100, { larger: 'refused' }),
  InstanceTypes: z.array(textSchema).max(TYPES_MAX).default([]),
  IncludeUnsupportedInRegion: z.boolean().optional(),
})

/** DescribeInstanceTypes. */
export const describeInstanceTypes: Action = {
  name: 'DescribeInstanceTypes',
  async run(call): Promise<DescribeInstanceTypesResult> {
    const input = parseInput(schema, call.input)
    refuseIdsWithMaxResults('InstanceTypes', input.InstanceTypes, input)
    dryRun(call)
    const wanted = new Set(input.InstanceTypes)
    const types = await call.parts.store.read((tx) => tx.instanceTypes())
    refuseMissing([...wanted], new Set(types.map(({ name }) => name)), (missing) =>
      refused(
        'InvalidInstanceType',
        `The following supplied instance types do not exist: [${missing.join(', ')}]`,
      ),
    )
    const views = types
      .filter(({ name }) => wanted.size === 0 || wanted.has(name))
      // The hosts of a cloud are of one architecture, and so far of this one.
      .map((type) => instanceTypeView(type, 'x86_64'))
    const page = await describe(call, views, input, {
      action: 'DescribeInstanceTypes',
      key: (type) => type.InstanceType ?? '',
      filters: INSTANCE_TYPE_FILTERS,
    })
    return { InstanceTypes: [...page.items], NextToken: page.nextToken }
  },
}

const offeringsSchema = z.strictObject({
  ...pagedShape(5, 1000, { larger: 'refused' }),
  LocationType: z
    .enum(['region', 'availability-zone', 'availability-zone-id', 'outpost'])
    .default('region'),
  IncludeUnsupportedInRegion: z.boolean().optional(),
})

/** DescribeInstanceTypeOfferings: every type is offered everywhere. */
export const describeInstanceTypeOfferings: Action = {
  name: 'DescribeInstanceTypeOfferings',
  async run(call): Promise<DescribeInstanceTypeOfferingsResult> {
    const input = parseInput(offeringsSchema, call.input)
    dryRun(call)
    const { LocationType } = input
    const types = await call.parts.store.read((tx) => tx.instanceTypes())
    const locations = await locationsOf(call, LocationType)
    const pairs = types.flatMap(({ name }) => locations.map((Location) => ({ name, Location })))
    const views = await mapInPieces(
      call.budget,
      pairs,
      ({ name, Location }): InstanceTypeOffering => {
        return { InstanceType: name as _InstanceType, LocationType, Location }
      },
    )
    const page = await describe(call, views, input, {
      action: 'DescribeInstanceTypeOfferings',
      key: (offering) => `${offering.InstanceType} ${offering.Location}`,
      filters: {
        'instance-type': (offering) => offering.InstanceType,
        location: (offering) => offering.Location,
      },
    })
    return { InstanceTypeOfferings: [...page.items], NextToken: page.nextToken }
  },
}

async function locationsOf(
  call: Call,
  type: z.output<typeof offeringsSchema>['LocationType'],
): Promise<readonly string[]> {
  const { region } = call.parts.settings
  if (type === 'region') return [region]
  const zones = type === 'outpost' ? [] : [...(await zoneNames(call))]
  return type === 'availability-zone' ? zones : zones.map((zone) => zoneId(zone, region))
}
