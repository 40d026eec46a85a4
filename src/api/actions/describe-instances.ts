/** DescribeInstances. */
import { z } from 'zod'
import { refuseIdsWithMaxResults } from '../describe.ts'
import { instanceDetails } from '../instances/instance-details.ts'
import { findInstances, instanceIdsSchema } from '../instances/instances.ts'
import { describeAction } from '../read.ts'
import { pagedShape, withoutEffect } from '../schemas.ts'
import { instanceView } from '../views/instance.ts'
import {
  INSTANCE_FILTERS,
  INSTANCE_NARROWING,
  type ListedInstance,
} from '../views/instance-filters.ts'
import { reservationsView } from '../views/reservation.ts'
import { tagsView } from '../views/tags.ts'

/** The account's instances, including recently terminated ones. */
export const describeInstances = describeAction({
  name: 'DescribeInstances',
  input: z.strictObject({
    ...pagedShape(5, 1000, { larger: 'limited' }),
    InstanceIds: instanceIdsSchema.default([]),
    IncludeManagedResources: withoutEffect(z.boolean().optional()),
  }),
  check: (asked) => refuseIdsWithMaxResults('instancesSet', asked.InstanceIds, asked),
  rows: ({ InstanceIds: ids }, { account, read }) =>
    ids.length === 0 ? null : read((tx) => findInstances(tx, account, ids)),
  parts: {
    narrowing: INSTANCE_NARROWING,
    positionOf(key) {
      const [, reservation, index, id] = /^(\S+) (\d{6,15}) (\S+)$/.exec(key) ?? []
      return reservation === undefined || index === undefined || id === undefined
        ? undefined
        : [reservation, Number(index), id]
    },
    read: (query, _asked, { account, read }) =>
      read(async (tx) => {
        const { ids, next } = await tx.launchPart(query)
        return { rows: await instanceDetails(tx, account, ids), next }
      }),
  },
  view: (details, _asked, { settings }): ListedInstance & { readonly index: number } => ({
    reservation: details.instance.reservation,
    owner: details.instance.account,
    index: details.instance.launchIndex,
    view: instanceView(details, settings),
    nicTags: details.nics.flatMap((nic) => tagsView(details.tags, nic.id)),
    allocated: details.addresses.filter(({ isAutomatic }) => !isAutomatic),
  }),
  // Instances of one reservation stay together, in launch order.
  key: ({ reservation, index, view }) =>
    `${reservation} ${String(index).padStart(6, '0')} ${view.InstanceId}`,
  filters: INSTANCE_FILTERS,
  tags: ({ view }) => view.Tags ?? [],
  answer: (listed) => ({ Reservations: reservationsView(listed) }),
})
