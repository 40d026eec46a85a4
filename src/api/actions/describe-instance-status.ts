/** DescribeInstanceStatus. */
import { z } from 'zod'
import { leverTags } from '../../plan/levers.ts'
import { isAlive } from '../../plan/placement.ts'
import { refuseIdsWithMaxResults } from '../describe.ts'
import { findInstances, instanceIdsSchema } from '../instances/instances.ts'
import { describeAction } from '../read.ts'
import { pagedShape, withoutEffect } from '../schemas.ts'
import { instanceStatusView } from '../views/instance.ts'
import { eventsView } from '../views/instance-events.ts'
import { INSTANCE_STATUS_FILTERS } from '../views/instance-filters.ts'

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
  async rows({ InstanceIds, IncludeAllInstances }, { account, read }) {
    return await read(async (tx) => {
      const found = (await findInstances(tx, account, InstanceIds)).filter(
        ({ instance }) => IncludeAllInstances || instance.state === 'running',
      )
      const pulled = found.filter(({ tags }) => leverTags(tags).length > 0)
      const levers =
        pulled.length === 0 ? [] : await tx.levers(pulled.map(({ instance }) => instance.id))
      const leversOf = Map.groupBy(levers, ({ instance }) => instance)
      return found.map((details) => ({
        details,
        levers: leversOf.get(details.instance.id) ?? [],
      }))
    })
  },
  view: ({ details, levers }, _asked, { settings }) => {
    const { host } = details
    const isHostAlive = host !== undefined && isAlive(host, settings.host)
    return instanceStatusView(details, settings, isHostAlive, eventsView(details, levers))
  },
  key: (status) => status.InstanceId ?? '',
  filters: INSTANCE_STATUS_FILTERS,
  answer: (InstanceStatuses) => ({ InstanceStatuses }),
})
