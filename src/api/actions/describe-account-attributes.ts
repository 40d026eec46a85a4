/** DescribeAccountAttributes: what the account may do. */
import type { AccountAttribute } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import type { Vpc } from '../../model/records.ts'
import type { ApiSettings } from '../action.ts'
import { readAction } from '../read.ts'
import { IDS_MAX } from '../schemas.ts'

/** All of EC2's. */
const ATTRIBUTES = [
  'supported-platforms',
  'default-vpc',
  'max-instances',
  'vpc-max-security-groups-per-interface',
  'max-elastic-ips',
  'vpc-max-elastic-ips',
] as const

/** The attributes that were asked for, or all. */
export const describeAccountAttributes = readAction({
  name: 'DescribeAccountAttributes',
  input: z.strictObject({
    AttributeNames: z.array(z.enum(ATTRIBUTES)).max(IDS_MAX).default([]),
  }),
  async answer({ AttributeNames: names }, { account, read, settings }) {
    const values = valuesOf(await read((tx) => tx.vpcs({ account })), settings)
    const wanted = ATTRIBUTES.filter((name) => names.length === 0 || names.includes(name))
    return {
      AccountAttributes: wanted.map(
        (name): AccountAttribute => ({
          AttributeName: name,
          AttributeValues: [{ AttributeValue: values[name] }],
        }),
      ),
    }
  },
})

function valuesOf(
  vpcs: readonly Vpc[],
  { maxInstancesPerLaunch, quotas }: ApiSettings,
): Readonly<Record<(typeof ATTRIBUTES)[number], string>> {
  return {
    'supported-platforms': 'VPC',
    'default-vpc': vpcs.find((vpc) => vpc.isDefault)?.id ?? 'none',
    // As in EC2, this is not the account's actual limit, which is the hosts' capacity.
    'max-instances': String(maxInstancesPerLaunch),
    'vpc-max-security-groups-per-interface': String(quotas.securityGroupsPerInterface),
    'max-elastic-ips': String(quotas.addresses),
    'vpc-max-elastic-ips': String(quotas.addresses),
  }
}
