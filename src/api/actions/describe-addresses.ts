/** DescribeAddresses. */
import { z } from 'zod'
import { isAmong, refuseMissing } from '../describe.ts'
import { allocated, missingAddresses, missingAllocations } from '../networks/addresses.ts'
import { describeAction } from '../read.ts'
import { filterShape, IDS_MAX, idListSchema, ipv4Schema } from '../schemas.ts'
import { ADDRESS_FILTERS, addressView } from '../views/address.ts'
import { tagsIndex } from '../views/tags.ts'

/** The addresses that the account has allocated, without those that came with an instance. */
export const describeAddresses = describeAction({
  name: 'DescribeAddresses',
  input: z.strictObject({
    ...filterShape,
    PublicIps: z.array(ipv4Schema).max(IDS_MAX).default([]),
    AllocationIds: idListSchema('eipalloc', 'InvalidAllocationID.NotFound').default([]),
  }),
  rows: ({ PublicIps, AllocationIds }, { account, read }) =>
    read(async (tx) => {
      const addresses = await allocated(tx, account)
      refuseMissing(AllocationIds, new Set(addresses.map(({ id }) => id)), missingAllocations)
      refuseMissing(PublicIps, new Set(addresses.map(({ ip }) => ip)), missingAddresses)
      const isWanted = isAmong<string>([...AllocationIds, ...PublicIps])
      const resources = addresses.map(({ id }) => id)
      const tagsOf = tagsIndex(await tx.tags({ account, resources }))
      const leadTo = addresses.flatMap(({ association }) => association?.nic ?? [])
      const nics = new Map((await tx.nics({ account, ids: leadTo })).map((nic) => [nic.id, nic]))
      return addresses
        .filter(({ id, ip }) => isWanted(id) || isWanted(ip))
        .map((address) => ({
          address,
          nic: address.association === null ? undefined : nics.get(address.association.nic),
          tags: tagsOf(address.id),
        }))
    }),
  view: ({ address, nic, tags }, _asked, { settings: { region } }) =>
    addressView(address, { nic, tags, region }),
  key: (address) => address.AllocationId ?? '',
  filters: ADDRESS_FILTERS,
  tags: (address) => address.Tags ?? [],
  unpaged: true,
  answer: (Addresses) => ({ Addresses }),
})
