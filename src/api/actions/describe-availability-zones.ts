/** DescribeAvailabilityZones. */
import type { AvailabilityZone } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { zoneId } from '../../model/zones.ts'
import { isAmong, refuseMissing } from '../describe.ts'
import { describeAction } from '../read.ts'
import { filterShape, namesSchema, withoutEffect } from '../schemas.ts'
import { zoneNames } from '../zone-names.ts'

/** The zones that hosts and the account's subnets name. */
export const describeAvailabilityZones = describeAction({
  name: 'DescribeAvailabilityZones',
  input: z.strictObject({
    ...filterShape,
    ZoneNames: namesSchema,
    ZoneIds: namesSchema,
    AllAvailabilityZones: withoutEffect(z.boolean().optional()),
  }),
  async rows({ ZoneNames, ZoneIds }, { account, read, settings }) {
    const names = await read((tx) => zoneNames(tx, account))
    const zones = [...names].map((name) => ({ name, id: zoneId(name, settings.region) }))
    refuseMissing(ZoneNames, names, noZone)
    refuseMissing(ZoneIds, new Set(zones.map(({ id }) => id)), noZone)
    const isNamed = isAmong(ZoneNames)
    const isWanted = isAmong(ZoneIds)
    return zones.filter(({ name, id }) => isNamed(name) && isWanted(id))
  },
  view: ({ name, id }, _asked, { settings: { region } }): AvailabilityZone => ({
    ZoneName: name,
    ZoneId: id,
    ZoneType: 'availability-zone',
    RegionName: region,
    GroupName: region,
    NetworkBorderGroup: region,
    State: 'available',
    OptInStatus: 'opt-in-not-required',
    Messages: [],
  }),
  key: (zone) => zone.ZoneName ?? '',
  filters: {
    'group-name': (zone) => zone.GroupName,
    message: (zone) => zone.Messages?.map((one) => one.Message),
    'opt-in-status': (zone) => zone.OptInStatus,
    'region-name': (zone) => zone.RegionName,
    state: (zone) => zone.State,
    'zone-id': (zone) => zone.ZoneId,
    'zone-name': (zone) => zone.ZoneName,
    'zone-type': (zone) => zone.ZoneType,
  },
  unpaged: true,
  answer: (AvailabilityZones) => ({ AvailabilityZones }),
})

function noZone(missing: readonly string[]): Error {
  return refused('InvalidParameterValue', `Invalid availability zone: [${missing.join(', ')}]`)
}
