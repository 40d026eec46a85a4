/** Instance types by name. */
import { describe, expect, it } from 'vitest'
import { describeInstanceTypeOfferings } from '../../../../src/api/actions/describe-instance-type-offerings.ts'
import { describeInstanceTypes } from '../../../../src/api/actions/describe-instance-types.ts'
import { openCloud } from '../../../kit/api-cloud.ts'

describe('instance types', () => {
  it('are one for one name', async () => {
    await using cloud = await openCloud()
    const found = await cloud.run(describeInstanceTypes, { InstanceTypes: ['t3.micro'] })
    expect(found['InstanceTypes']).toMatchObject([
      {
        InstanceType: 't3.micro',
        MemoryInfo: { SizeInMiB: 1024 },
        BurstablePerformanceSupported: false,
      },
    ])
  })

  it.each([
    [describeInstanceTypes, { InstanceTypes: ['x9.huge'] }, 'InvalidInstanceType'],
    [
      describeInstanceTypes,
      { InstanceTypes: ['t3.micro'], MaxResults: 5 },
      'InvalidParameterCombination',
    ],
  ])('$name refuses %j with %s', async (action, input, code) => {
    await using cloud = await openCloud()
    expect(await cloud.refusal(action, input)).toBe(code)
  })
})

describe('offerings', () => {
  it.each([
    [undefined, ['atoll']],
    ['region', ['atoll']],
    ['availability-zone', ['atoll-1a']],
    ['availability-zone-id', ['atoll1-az1']],
    ['outpost', []],
  ])('by %s are in %j', async (LocationType, locations) => {
    await using cloud = await openCloud()
    const Filters = [{ Name: 'instance-type', Values: ['t3.micro'] }]
    const found = await cloud.run(describeInstanceTypeOfferings, { LocationType, Filters })
    expect(found['InstanceTypeOfferings']).toEqual(
      locations.map((Location) => ({
        InstanceType: 't3.micro',
        LocationType: LocationType ?? 'region',
        Location,
      })),
    )
  })
})
