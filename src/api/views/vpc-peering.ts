/**
 * Peering connections in the SDK's terms, and the filters of DescribeVpcPeeringConnections. Pure.
 */
import type {
  Tag as TagOutput,
  VpcPeeringConnection,
  VpcPeeringConnectionOptionsDescription,
  VpcPeeringConnectionVpcInfo,
} from '@aws-sdk/client-ec2'
import { type Cidr, formatCidr } from '../../model/addr.ts'
import type { VpcId } from '../../model/ids.ts'
import type { PeeringSide, VpcPeering } from '../../model/peering.ts'
import type { FilterTable } from '../filters.ts'
import { stateAt } from '../networks/peerings.ts'

/** The options of a side. There is no ClassicLink. */
export function optionsView({
  showsPrivate,
}: Pick<PeeringSide, 'showsPrivate'>): VpcPeeringConnectionOptionsDescription {
  return {
    AllowDnsResolutionFromRemoteVpc: showsPrivate,
    AllowEgressFromLocalClassicLinkToRemoteVpc: false,
    AllowEgressFromLocalVpcToRemoteClassicLink: false,
  }
}

/** What EC2 says of each state. */
const MESSAGES: Readonly<Record<ReturnType<typeof stateAt>, string>> = {
  'pending-acceptance': 'Pending Acceptance',
  active: 'Active',
  rejected: 'Rejected',
  deleted: 'Deleted',
  expired: 'Expired',
  failed: 'Failed',
}

/** One connection, at this time. */
export function peeringView(
  peering: VpcPeering,
  more: {
    readonly now: string
    readonly region: string
    readonly tags: TagOutput[]
    /** All ranges of VPCs that there are. Of others the one is shown that they had. */
    readonly ranges?: ReadonlyMap<VpcId, readonly Cidr[]>
  },
): VpcPeeringConnection {
  const { id, requester, accepter, reason, expiresAt } = peering
  const state = stateAt(peering, more.now)
  const isPending = state === 'pending-acceptance'
  return {
    VpcPeeringConnectionId: id,
    RequesterVpcInfo: sideView(requester, more),
    AccepterVpcInfo: sideView(accepter, more),
    Status: {
      Code: state,
      Message: isPending
        ? `Pending Acceptance by ${accepter.account}`
        : reason === ''
          ? MESSAGES[state]
          : reason,
    },
    ...(isPending ? { ExpirationTime: new Date(expiresAt) } : {}),
    Tags: more.tags,
  }
}

function sideView(
  { account, vpc, cidr, showsPrivate }: PeeringSide,
  {
    region,
    ranges,
  }: { readonly region: string; readonly ranges?: ReadonlyMap<VpcId, readonly Cidr[]> },
): VpcPeeringConnectionVpcInfo {
  return {
    OwnerId: account,
    VpcId: vpc,
    CidrBlock: formatCidr(cidr),
    CidrBlockSet: (ranges?.get(vpc) ?? [cidr]).map((one) => ({ CidrBlock: formatCidr(one) })),
    PeeringOptions: optionsView({ showsPrivate }),
    Region: region,
  }
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeVpcPeeringConnections.html */
export const PEERING_FILTERS: FilterTable<VpcPeeringConnection> = {
  'accepter-vpc-info.cidr-block': (one) => one.AccepterVpcInfo?.CidrBlock,
  'accepter-vpc-info.owner-id': (one) => one.AccepterVpcInfo?.OwnerId,
  'accepter-vpc-info.vpc-id': (one) => one.AccepterVpcInfo?.VpcId,
  'expiration-time': (one) => one.ExpirationTime,
  'requester-vpc-info.cidr-block': (one) => one.RequesterVpcInfo?.CidrBlock,
  'requester-vpc-info.owner-id': (one) => one.RequesterVpcInfo?.OwnerId,
  'requester-vpc-info.vpc-id': (one) => one.RequesterVpcInfo?.VpcId,
  'status-code': (one) => one.Status?.Code,
  'status-message': (one) => one.Status?.Message,
  'vpc-peering-connection-id': (one) => one.VpcPeeringConnectionId,
}
