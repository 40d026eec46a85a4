/** DescribeInstanceStatus. */
import { z } from 'zod'
import { isAlive } from '../../plan/placement.ts'
import { refuseIdsWithMaxResults } from '../describe.ts'
import { findInstances, instanceIdsSchema } from '../instances/instances.ts'
import { describeAction } from '../read.ts'
import { pagedShape, withoutEffect } from '../schemas.ts'
import { instanceStatusView } from '../views/instance.ts'
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
    const found = await read((tx) => findInstances(tx, account, InstanceIds))
    return found.filter(({ instance }) => IncludeAllInstances || instance.state === 'running')
  },
  view: (details, _asked, { settings }) => {
    const { host } = details
    return instanceStatusView(details, settings, host !== undefined && isAlive(host, settings.host))
  },
  key: (status) => status.InstanceId ?? '',
  filters: INSTANCE_STATUS_FILTERS,
  answer: (InstanceStatuses) => ({ InstanceStatuses }),
})
