/** DescribeNetworkInterfaces. */
import { z } from 'zod'
import { refuseIdsWithMaxResults } from '../describe.ts'
import { findNics } from '../networks/network-interfaces.ts'
import { describeAction } from '../read.ts'
import { idListSchema, pagedShape, withoutEffect } from '../schemas.ts'
import { NETWORK_INTERFACE_FILTERS, networkInterfaceView } from '../views/network-interface.ts'

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
  rows: ({ NetworkInterfaceIds }, { account, read }) =>
    read((tx) => findNics(tx, account, NetworkInterfaceIds)),
  view: (details, _asked, { settings }) => networkInterfaceView(details, settings),
  key: (nic) => nic.NetworkInterfaceId ?? '',
  filters: NETWORK_INTERFACE_FILTERS,
  tags: (nic) => nic.TagSet ?? [],
  answer: (NetworkInterfaces) => ({ NetworkInterfaces }),
})
