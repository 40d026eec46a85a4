/** DescribeAccountAttributes: what the account may do. */
import type { AccountAttribute } from '@aws-sdk/client-ec2'
import { z } from 'zod'
import { NOT_COUNTED } from '../../model/quotas.ts'
import type { Vpc } from '../../model/records.ts'
import type { ApiSettings } from '../action.ts'
import { settingsOf } from '../quotas.ts'
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
    const values = await read(async (tx) =>
      valuesOf(await tx.vpcs({ account }), (await settingsOf(tx, account, settings)).settings),
    )
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
    // Without a quota, what one request may launch: the hosts' capacity is the actual limit.
    'max-instances': String(
      quotas.instances === NOT_COUNTED ? maxInstancesPerLaunch : quotas.instances,
    ),
    'vpc-max-security-groups-per-interface': String(quotas.securityGroupsPerInterface),
    'max-elastic-ips': String(quotas.addresses),
    'vpc-max-elastic-ips': String(quotas.addresses),
  }
}
