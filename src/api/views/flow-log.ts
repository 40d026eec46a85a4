/** Flow logs in the SDK's terms, and the filters of DescribeFlowLogs. Pure. */
import type { FlowLog as FlowLogOutput, Tag as TagOutput } from '@aws-sdk/client-ec2'
import { type FlowLog, formatOf, s3Arn } from '../../model/flow-log.ts'
import type { FilterTable } from '../filters.ts'

/** One flow log. */
export function flowLogView(log: FlowLog, tags: TagOutput[]): FlowLogOutput {
  const { destination } = log
  return {
    FlowLogId: log.id,
    FlowLogStatus: 'ACTIVE',
    DeliverLogsStatus: 'SUCCESS',
    CreationTime: new Date(log.createdAt),
    ResourceId: log.resource,
    TrafficType: log.trafficType,
    LogFormat: formatOf(log.fields),
    MaxAggregationInterval: log.aggregationSeconds,
    ...(log.role === null ? {} : { DeliverLogsPermissionArn: log.role }),
    ...(destination.kind === 's3'
      ? {
          LogDestinationType: 's3',
          LogDestination: s3Arn(destination),
          DestinationOptions: {
            FileFormat: 'plain-text',
            HiveCompatiblePartitions: false,
            PerHourPartition: false,
          },
        }
      : { LogDestinationType: 'cloud-watch-logs', LogGroupName: destination.group }),
    Tags: tags,
  }
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeFlowLogs.html, "Filter.N". */
export const FLOW_LOG_FILTERS: FilterTable<FlowLogOutput> = {
  'deliver-log-status': (log) => log.DeliverLogsStatus,
  'flow-log-id': (log) => log.FlowLogId,
  'log-destination-type': (log) => log.LogDestinationType,
  'log-group-name': (log) => log.LogGroupName,
  'resource-id': (log) => log.ResourceId,
  'traffic-type': (log) => log.TrafficType,
}
