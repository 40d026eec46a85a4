/** ModifySubnetAttribute: what launches into a subnet get, and what it shows. */
import { z } from 'zod'
import { changeAction } from '../change.ts'
import { noPools } from '../networks/addresses.ts'
import { requireSubnet, subnetIdSchema } from '../networks/vpcs.ts'
import { oneAttribute, onlySchema, withoutEffect } from '../schemas.ts'

const only = (name: string, value: boolean, why: string) =>
  z.strictObject({ Value: onlySchema(value, `${name}: ${why}`) }).optional()
const NO_IPV6 = 'there are no IPv6 addresses'

const attributes = {
  MapPublicIpOnLaunch: z.strictObject({ Value: z.boolean() }).optional(),
  AssignIpv6AddressOnCreation: only('AssignIpv6AddressOnCreation', false, NO_IPV6),
  EnableDns64: only('EnableDns64', false, NO_IPV6),
  MapCustomerOwnedIpOnLaunch: only(
    'MapCustomerOwnedIpOnLaunch',
    false,
    'there are no addresses of customers',
  ),
  PrivateDnsHostnameTypeOnLaunch: onlySchema(
    'resource-name',
    'PrivateDnsHostnameTypeOnLaunch: the host name of an instance is its id',
  ),
  // The id of every instance is its name in DNS, whatever is said here.
  EnableResourceNameDnsARecordOnLaunch: z
    .strictObject({ Value: withoutEffect(z.boolean(), 'shown') })
    .optional(),
  EnableResourceNameDnsAAAARecordOnLaunch: only(
    'EnableResourceNameDnsAAAARecordOnLaunch',
    false,
    NO_IPV6,
  ),
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifySubnetAttribute.html */
export const modifySubnetAttribute = changeAction({
  name: 'ModifySubnetAttribute',
  input: oneAttribute(z.strictObject({ SubnetId: subnetIdSchema, ...attributes }), attributes),
  async change(tx, asked, { account, settings }) {
    const { MapPublicIpOnLaunch, EnableResourceNameDnsARecordOnLaunch: shown } = asked
    const subnet = await requireSubnet(tx, account, asked.SubnetId)
    if (MapPublicIpOnLaunch?.Value === true && settings.pools.length === 0) throw noPools()
    if (MapPublicIpOnLaunch !== undefined)
      await tx.updateSubnet(subnet, { mapPublicIp: MapPublicIpOnLaunch.Value })
    if (shown !== undefined) await tx.updateSubnet(subnet, { resourceNameDnsARecord: shown.Value })
  },
})
