/** DescribeInstanceTypeOfferings. */
import type { _InstanceType, InstanceTypeOffering, LocationType } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import { zoneId } from '../../model/zones.ts'
import type { ReadTx } from '../../store/store.ts'
import { describeAction, type Reading } from '../read.ts'
import { pagedShape, withoutEffect } from '../schemas.ts'
import { zoneNames } from '../zone-names.ts'

/** Every type is offered everywhere. */
export const describeInstanceTypeOfferings = describeAction({
  name: 'DescribeInstanceTypeOfferings',
  input: z.strictObject({
    ...pagedShape(5, 1000, { larger: 'refused' }),
    LocationType: z
      .enum(['region', 'availability-zone', 'availability-zone-id', 'outpost'])
      .default('region'),
    IncludeUnsupportedInRegion: withoutEffect(z.boolean().optional()),
  }),
  rows: ({ LocationType }, reading) =>
    reading.read(async (tx) => {
      const types = await tx.instanceTypes()
      const locations = await locationsOf(tx, reading, LocationType)
      return types.flatMap(({ name }) => locations.map((location) => ({ name, location })))
    }),
  view: ({ name, location }, { LocationType }): InstanceTypeOffering => {
    return { InstanceType: name as _InstanceType, LocationType, Location: location }
  },
  key: (offering) => `${offering.InstanceType} ${offering.Location}`,
  filters: {
    'instance-type': (offering) => offering.InstanceType,
    location: (offering) => offering.Location,
  },
  answer: (InstanceTypeOfferings) => ({ InstanceTypeOfferings }),
})

async function locationsOf(
  tx: ReadTx,
  { account, settings: { region } }: Reading,
  type: LocationType,
): Promise<readonly string[]> {
  if (type === 'region') return [region]
  const zones = type === 'outpost' ? [] : [...(await zoneNames(tx, account))]
  return type === 'availability-zone' ? zones : zones.map((zone) => zoneId(zone, region))
}
