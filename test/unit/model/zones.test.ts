import { expect, it } from 'vitest'
import { zoneId } from '../../../src/model/zones.ts'

it.each([
  ['us-east-1', 'us-east-1a', 'use1-az1'],
  ['eu-central-2', 'eu-central-2f', 'euc2-az6'],
  ['atoll', 'atoll-1a', 'atoll1-az1'],
  ['atoll', 'atoll-12c', 'atoll12-az3'],
  ['atoll', 'atoll', 'atoll-az0'],
  ['atoll', 'rack-7', 'rack-7-az0'],
  ['us-east-1', 'us-east-1-lab', 'us-east-1-lab-az0'],
  ['us-east-1', 'us-east-12a', 'us-east-12a-az0'],
])('in %s the zone %s is %s', (region, zone, id) => {
  expect(zoneId(zone, region)).toBe(id)
})

it('is never the same for two zones', () => {
  const zones = 'atoll atoll-1 atoll-1a atoll1a atoll-1-a atoll-11a atoll-1b a atoll1-az1'.split(
    ' ',
  )
  for (const region of ['atoll', 'atoll-1', 'a', 'eu-west-3'])
    expect(new Set(zones.map((zone) => zoneId(zone, region))).size).toBe(zones.length)
})
