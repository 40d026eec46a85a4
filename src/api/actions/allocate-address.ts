/** AllocateAddress. */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { changeAction } from '../change.ts'
import { createRandomIds } from '../launch/random-ids.ts'
import { ANY_POOL, addressSource, allocated } from '../networks/addresses.ts'
import {
  ipv4Schema,
  onlySchema,
  specifiedTags,
  tagSpecificationsSchema,
  textSchema,
} from '../schemas.ts'
import { ADDRESS_DOMAIN } from '../views/address.ts'

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AllocateAddress.html */
const schema = z.strictObject({
  Domain: onlySchema(ADDRESS_DOMAIN, 'Domain: addresses are for VPCs; use vpc'),
  Address: ipv4Schema.optional(),
  PublicIpv4Pool: textSchema.optional(),
  NetworkBorderGroup: textSchema.optional(),
  TagSpecifications: tagSpecificationsSchema(['elastic-ip']),
})

/** A free address of the named pool, or of the first pool that has one. */
export const allocateAddress = changeAction({
  name: 'AllocateAddress',
  input: schema,
  async change(tx, asked, { account, newId, now, settings, parts }) {
    const { Address: ip, PublicIpv4Pool: pool, NetworkBorderGroup: border } = asked
    if (border !== undefined && border !== settings.region)
      throw refused(
        'InvalidParameterValue',
        `NetworkBorderGroup '${border}' does not exist; the only one is '${settings.region}'`,
      )
    await tx.takeTurn(account)
    const own = await allocated(tx, account)
    if (own.some((address) => address.ip === ip))
      throw refused('InvalidIPAddress.InUse', `Address ${ip} is in use.`)
    if (own.length >= settings.quotas.addresses)
      throw refused(
        'AddressLimitExceeded',
        `The maximum number of addresses has been reached: ${settings.quotas.addresses}`,
      )
    const order = { ip, pool: pool === ANY_POOL ? undefined : pool }
    const source = addressSource(settings, order, createRandomIds(newId, parts.random))
    const address = await source.take(tx, { account, now, association: null, isAutomatic: false })
    if (address === undefined) throw source.shortage()
    const of = { account, resource: address.id, resourceType: 'elastic-ip' }
    await tx.putTags(specifiedTags(asked.TagSpecifications, of))
    return address
  },
  view: ({ id, ip, pool }, { settings }) => ({
    PublicIp: ip,
    AllocationId: id,
    Domain: ADDRESS_DOMAIN,
    PublicIpv4Pool: pool,
    NetworkBorderGroup: settings.region,
  }),
})
