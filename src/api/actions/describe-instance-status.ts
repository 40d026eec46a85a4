/** DescribeInstanceStatus. */
import { z } from 'zod'
import { areAllOf, type Version } from '../../model/version.ts'
import { leverTags } from '../../plan/levers.ts'
import { isAlive } from '../../plan/placement.ts'
import type { ReadTx } from '../../store/store.ts'
import { positionOfId, refuseIdsWithMaxResults } from '../describe.ts'
import { type InstanceDetails, instanceDetails } from '../instances/instance-details.ts'
import { findInstances, instanceIdsSchema } from '../instances/instances.ts'
import { describeAction } from '../read.ts'
import { pagedShape, withoutEffect } from '../schemas.ts'
import { instanceStatusView } from '../views/instance.ts'
import { eventsView } from '../views/instance-events.ts'
import { INSTANCE_STATUS_FILTERS, INSTANCE_STATUS_NARROWING } from '../views/instance-filters.ts'

/** Hosts with an older version ask none of their instances. */
const CHECKS_VERSION: Version = [0, 4]

/** The status of instances: running ones only, unless `IncludeAllInstances`. */
export const describeInstanceStatus = describeAction({
  name: 'DescribeInstanceStatus',
  input: z.strictObject({
    ...pagedShape(5, 1000, { larger: 'limited' }),
    InstanceIds: instanceIdsSchema.default([]),
    IncludeAllInstances: z.boolean().default(false),
    IncludeManagedResources: withoutEffect(z.boolean().optional()),
  }),
  check: (asked) => refuseIdsWithMaxResults('instancesSet', asked.InstanceIds, asked),
  rows: ({ InstanceIds: ids, IncludeAllInstances }, { account, read }) =>
    ids.length === 0
      ? null
      : read(async (tx) => {
          const found = await findInstances(tx, account, ids)
          return await withLevers(
            tx,
            found.filter(({ instance }) => IncludeAllInstances || instance.state === 'running'),
          )
        }),
  parts: {
    narrowing: INSTANCE_STATUS_NARROWING,
    positionOf: positionOfId,
    read: (query, { IncludeAllInstances }, { account, read }) =>
      read(async (tx) => {
        const running = { by: 'state', values: ['running'] } as const
        const restrictions = [
          ...(IncludeAllInstances ? [] : [running]),
          ...(query.restrictions ?? []),
        ]
        const { ids, next } = await tx.instancePart({ ...query, restrictions })
        return { rows: await withLevers(tx, await instanceDetails(tx, account, ids)), next }
      }),
  },
  view: ({ details, levers }, _asked, { settings }) => {
    const { host } = details
    const ofHost = {
      isAlive: host !== undefined && isAlive(host, settings.host),
      asksInstances: host !== undefined && areAllOf(CHECKS_VERSION, [host], settings.host),
    }
    return instanceStatusView(details, settings, ofHost, eventsView(details, levers))
  },
  key: (status) => status.InstanceId ?? '',
  filters: INSTANCE_STATUS_FILTERS,
  answer: (InstanceStatuses) => ({ InstanceStatuses }),
})

/** The instances, each with what its tags have set in motion. */
async function withLevers(tx: ReadTx, found: readonly InstanceDetails[]) {
  const pulled = found.filter(({ tags }) => leverTags(tags).length > 0)
  const levers =
    pulled.length === 0 ? [] : await tx.levers(pulled.map(({ instance }) => instance.id))
  const leversOf = Map.groupBy(levers, ({ instance }) => instance)
  return found.map((details) => ({ details, levers: leversOf.get(details.instance.id) ?? [] }))
}
