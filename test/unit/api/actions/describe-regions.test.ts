/** One region, the zones of its hosts, and what an account may ask of itself. */
import type { DescribeAccountAttributesResult } from '@aws-sdk/client-ec2'
import { describe, expect, it } from 'vitest'
import { describeAccountAttributes } from '../../../../src/api/actions/describe-account-attributes.ts'
import { describeAvailabilityZones } from '../../../../src/api/actions/describe-availability-zones.ts'
import { describeRegions } from '../../../../src/api/actions/describe-regions.ts'
import { openCloud, ZONE } from '../../../kit/api-cloud.ts'

describe('places', () => {
  it('are one region and the zones of its hosts', async () => {
    await using cloud = await openCloud()
    expect(await cloud.run(describeRegions)).toMatchObject({ Regions: [{ RegionName: 'atoll' }] })
    expect(await cloud.run(describeAvailabilityZones)).toMatchObject({
      AvailabilityZones: [{ ZoneName: ZONE, State: 'available', RegionName: 'atoll' }],
    })
    expect(
      await cloud.run(describeAccountAttributes, { AttributeNames: ['default-vpc'] }),
    ).toMatchObject({
      AccountAttributes: [{ AttributeValues: [{ AttributeValue: cloud.vpc.id }] }],
    })
  })

  it('have all six attributes of EC2', async () => {
    await using cloud = await openCloud()
    const { AccountAttributes } = (await cloud.run(
      describeAccountAttributes,
    )) as DescribeAccountAttributesResult
    const values = AccountAttributes?.map(({ AttributeName, AttributeValues }) => [
      AttributeName,
      AttributeValues?.map(({ AttributeValue }) => AttributeValue).join(),
    ])
    expect(Object.fromEntries(values ?? [])).toEqual({
      'supported-platforms': 'VPC',
      'default-vpc': cloud.vpc.id,
      'max-instances': '100',
      'vpc-max-security-groups-per-interface': '5',
      'max-elastic-ips': '5',
      'vpc-max-elastic-ips': '5',
    })
  })

  it.each([
    [describeRegions, { RegionNames: ['mars'] }, 'InvalidParameterValue'],
    [describeAvailabilityZones, { ZoneNames: ['mars'] }, 'InvalidParameterValue'],
    [describeAccountAttributes, { AttributeNames: ['mood'] }, 'InvalidParameterValue'],
  ])('$name refuses %j with %s', async (action, input, code) => {
    await using cloud = await openCloud()
    expect(await cloud.refusal(action, input)).toBe(code)
  })
})
