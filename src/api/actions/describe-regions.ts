/** DescribeRegions. */
import type { Region } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { refuseMissing } from '../describe.ts'
import { describeAction } from '../read.ts'
import { filterShape, namesSchema, withoutEffect } from '../schemas.ts'

/**
 * One cloud is one region, at the name and port that are configured or else those that the client
 * used.
 */
export const describeRegions = describeAction({
  name: 'DescribeRegions',
  input: z.strictObject({
    ...filterShape,
    RegionNames: namesSchema,
    AllRegions: withoutEffect(z.boolean().optional()),
  }),
  rows({ RegionNames }, { settings: { region } }) {
    refuseMissing(RegionNames, new Set([region]), (missing) =>
      refused(
        'InvalidParameterValue',
        `Invalid region names provided: ${missing.join(', ')}; this cloud is '${region}'`,
      ),
    )
    return [region]
  },
  view: (region: string, _asked, { settings: { endpoint }, authority }): Region => ({
    RegionName: region,
    Endpoint: endpoint ?? authority,
    OptInStatus: 'opt-in-not-required',
  }),
  key: (region) => region.RegionName ?? '',
  filters: {
    endpoint: (region) => region.Endpoint,
    'opt-in-status': (region) => region.OptInStatus,
    'region-name': (region) => region.RegionName,
  },
  unpaged: true,
  answer: (Regions) => ({ Regions }),
})
