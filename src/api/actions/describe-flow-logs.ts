/** DescribeFlowLogs. */
import { z } from 'zod'
import { isAmong, refuseIdsWithMaxResults, refuseMissing } from '../describe.ts'
import { existingFlowLogs, missingFlowLogs } from '../networks/flow-logs.ts'
import { describeAction } from '../read.ts'
import { filterShape, idListSchema, pagedShape } from '../schemas.ts'
import { FLOW_LOG_FILTERS, flowLogView } from '../views/flow-log.ts'
import { tagsIndex } from '../views/tags.ts'

const { Filters: Filter } = filterShape
const { Filters: _, ...paging } = pagedShape(1, 1000, { larger: 'limited' })

/** The account's flow logs. https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeFlowLogs.html */
export const describeFlowLogs = describeAction({
  name: 'DescribeFlowLogs',
  input: z.strictObject({
    ...paging,
    Filter,
    FlowLogIds: idListSchema('fl', 'InvalidFlowLogId.Malformed').default([]),
  }),
  check: (asked) => refuseIdsWithMaxResults('FlowLogIds', asked.FlowLogIds, asked),
  rows: ({ FlowLogIds: ids }, { account, read }) =>
    read(async (tx) => {
      const { existing } = await existingFlowLogs(tx, account)
      refuseMissing(ids, new Set(existing.map(({ id }) => id)), missingFlowLogs)
      const resources = existing.map(({ id }) => id)
      const tagsOf = tagsIndex(await tx.tags({ account, resources }))
      const isWanted = isAmong(ids)
      return existing.filter(({ id }) => isWanted(id)).map((log) => ({ log, tags: tagsOf(log.id) }))
    }),
  view: ({ log, tags }) => flowLogView(log, tags),
  key: (log) => log.FlowLogId ?? '',
  filters: FLOW_LOG_FILTERS,
  tags: (log) => log.Tags ?? [],
  answer: (FlowLogs) => ({ FlowLogs }),
})
