/**
 * ModifyAddressAttribute and ResetAddressAttribute. The one attribute is the name that an address
 * has on the Internet, which its owner's registry gives, not this cloud. So there is none to reset.
 */
import { z } from 'zod'
import { refused } from '../../model/errors.ts'
import { changeAction } from '../change.ts'
import { allocated, missingAllocations } from '../networks/addresses.ts'
import { idSchema, textSchema } from '../schemas.ts'

const allocation = idSchema('eipalloc', 'InvalidAllocationID.NotFound')

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyAddressAttribute.html */
export const modifyAddressAttribute = changeAction({
  name: 'ModifyAddressAttribute',
  input: z.strictObject({ AllocationId: allocation, DomainName: textSchema.optional() }),
  async change(tx, { AllocationId: id, DomainName }, { account }) {
    const address = (await allocated(tx, account)).find((one) => one.id === id)
    if (address === undefined) throw missingAllocations([id])
    if (DomainName !== undefined)
      throw refused(
        'UnsupportedOperation',
        `DomainName: this cloud gives no reverse names; whoever has the network of ${address.ip} does`,
      )
    return address
  },
  view: ({ id, ip }) => ({ Address: { PublicIp: ip, AllocationId: id } }),
})

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ResetAddressAttribute.html */
export const resetAddressAttribute = changeAction({
  name: 'ResetAddressAttribute',
  input: z.strictObject({ AllocationId: allocation, Attribute: z.enum(['domain-name']) }),
  async change(tx, { AllocationId: id }, { account }) {
    const address = (await allocated(tx, account)).find((one) => one.id === id)
    if (address === undefined) throw missingAllocations([id])
    return address
  },
  view: ({ id, ip }) => ({ Address: { PublicIp: ip, AllocationId: id } }),
})
