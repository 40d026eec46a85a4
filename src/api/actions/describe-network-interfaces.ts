/** DescribeNetworkInterfaces. */
import { z } from 'zod'
import { positionOfId, refuseIdsWithMaxResults } from '../describe.ts'
import { detailsOfNics, findNics } from '../networks/network-interfaces.ts'
import { describeAction } from '../read.ts'
import { idListSchema, pagedShape, withoutEffect } from '../schemas.ts'
import {
  NETWORK_INTERFACE_FILTERS,
  NETWORK_INTERFACE_NARROWING,
  networkInterfaceView,
} from '../views/network-interface.ts'

/** The account's NICs. */
export const describeNetworkInterfaces = describeAction({
  name: 'DescribeNetworkInterfaces',
  input: z.strictObject({
    ...pagedShape(5, 1000, { larger: 'refused' }),
    NetworkInterfaceIds: idListSchema('eni', 'InvalidNetworkInterfaceId.Malformed').default([]),
    IncludeManagedResources: withoutEffect(z.boolean().optional()),
  }),
  check: (asked) =>
    refuseIdsWithMaxResults('NetworkInterfaceIds', asked.NetworkInterfaceIds, asked),
  rows: ({ NetworkInterfaceIds: ids }, { account, read }) =>
    ids.length === 0 ? null : read((tx) => findNics(tx, account, ids)),
  parts: {
    narrowing: NETWORK_INTERFACE_NARROWING,
    positionOf: positionOfId,
    read: (query, _asked, { account, read }) =>
      read(async (tx) => {
        const { ids, next } = await tx.nicPart(query)
        const nics = await tx.nics({ account, ids })
        return { rows: await detailsOfNics(tx, account, nics), next }
      }),
  },
  view: (details, _asked, { settings }) => networkInterfaceView(details, settings),
  key: (nic) => nic.NetworkInterfaceId ?? '',
  filters: NETWORK_INTERFACE_FILTERS,
  tags: (nic) => nic.TagSet ?? [],
  answer: (NetworkInterfaces) => ({ NetworkInterfaces }),
})
