/**
 * Internet gateways in the terms of the SDK, and the filters of DescribeInternetGateways. Pure.
 *
 * What does a gateway's work is the host of each instance (`plan/route-rules.ts`).
 */
import type {
  AttachmentStatus,
  InternetGateway as InternetGatewayOutput,
  Tag as TagOutput,
} from '@aws-sdk/client-ec2'
import type { InternetGateway } from '../../model/route-table.ts'
import type { FilterTable } from '../filters.ts'

/** One gateway. */
export function internetGatewayView(
  { id, account, vpc }: InternetGateway,
  tags: TagOutput[],
): InternetGatewayOutput {
  return {
    Attachments:
      vpc === null
        ? []
        : // EC2's own word for a gateway that is attached, which the SDK's union lacks.
          [{ State: 'available' as AttachmentStatus, VpcId: vpc }],
    InternetGatewayId: id,
    OwnerId: account,
    Tags: tags,
  }
}

/**
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInternetGateways.html,
 * "Filter.N".
 */
export const INTERNET_GATEWAY_FILTERS: FilterTable<InternetGatewayOutput> = {
  'attachment.state': (gateway) => gateway.Attachments?.map((one) => one.State),
  'attachment.vpc-id': (gateway) => gateway.Attachments?.map((one) => one.VpcId),
  'internet-gateway-id': (gateway) => gateway.InternetGatewayId,
  'owner-id': (gateway) => gateway.OwnerId,
}
