/** DescribeAddressesAttribute. */
import { z } from 'zod'
import { isAmong, refuseMissing } from '../describe.ts'
import { allocated, missingAllocations } from '../networks/addresses.ts'
import { describeAction } from '../read.ts'
import { idListSchema, pagedShape } from '../schemas.ts'

const { Filters: _, ...paged } = pagedShape(1, 1000, { larger: 'limited' })

/** The one attribute, the reverse name on the Internet, is nothing that this cloud can give. */
export const describeAddressesAttribute = describeAction({
  name: 'DescribeAddressesAttribute',
  input: z.strictObject({
    ...paged,
    AllocationIds: idListSchema('eipalloc', 'InvalidAllocationID.NotFound').default([]),
    Attribute: z.enum(['domain-name']).optional(),
  }),
  rows: ({ AllocationIds }, { account, read }) =>
    read(async (tx) => {
      const addresses = await allocated(tx, account)
      refuseMissing(AllocationIds, new Set(addresses.map(({ id }) => id)), missingAllocations)
      const isWanted = isAmong(AllocationIds)
      return addresses.filter(({ id }) => isWanted(id))
    }),
  view: ({ id, ip }) => ({ PublicIp: ip, AllocationId: id }),
  key: ({ AllocationId }) => AllocationId,
  filters: {},
  answer: (Addresses) => ({ Addresses }),
})
