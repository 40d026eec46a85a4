/** DeleteFlowLogs. */
import { z } from 'zod'
import { changeAction } from '../change.ts'
import { idListSchema } from '../schemas.ts'

/**
 * Ends flow logs. Those that do not exist are listed with the reason. What was recorded stays.
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DeleteFlowLogs.html
 */
export const deleteFlowLogs = changeAction({
  name: 'DeleteFlowLogs',
  input: z.strictObject({ FlowLogIds: idListSchema('fl', 'InvalidFlowLogId.Malformed') }),
  async change(tx, { FlowLogIds: ids }, { account }) {
    const logs = new Map((await tx.flowLogs({ account })).map((log) => [log.id, log]))
    const missing: string[] = []
    for (const id of new Set(ids)) {
      const log = logs.get(id)
      if (log === undefined) missing.push(id)
      else {
        await tx.deleteFlowLog(log)
        await tx.deleteTagsOf(id)
      }
    }
    return missing
  },
  view: (missing) => ({
    Unsuccessful: missing.map((id) => ({
      ResourceId: id,
      Error: {
        Code: 'InvalidFlowLogId.NotFound',
        Message: `The flow log ID '${id}' does not exist`,
      },
    })),
  }),
})
