/** The DHCP options of a VPC in the SDK's terms, and the filters of DescribeDhcpOptions. Pure. */
import type { DhcpOptions, Tag as TagOutput } from '@aws-sdk/client-ec2'
import type { Vpc } from '../../model/records.ts'
import { derivedId } from '../derived-ids.ts'
import type { FilterTable } from '../filters.ts'

/** EC2's name for the cloud's own resolver. */
const OWN_RESOLVER = 'AmazonProvidedDNS'

/** The only set of options of a VPC. */
export function dhcpOptionsView(vpc: Vpc, dnsZone: string, tags: TagOutput[]): DhcpOptions {
  return {
    DhcpConfigurations: [
      { Key: 'domain-name', Values: [{ Value: dnsZone }] },
      { Key: 'domain-name-servers', Values: [{ Value: OWN_RESOLVER }] },
    ],
    DhcpOptionsId: derivedId('dopt', vpc.id),
    OwnerId: vpc.account,
    Tags: tags,
  }
}

/**
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeDhcpOptions.html, "Filter.N".
 */
export const DHCP_OPTIONS_FILTERS: FilterTable<DhcpOptions> = {
  'dhcp-options-id': (options) => options.DhcpOptionsId,
  key: (options) => options.DhcpConfigurations?.map((one) => one.Key),
  'owner-id': (options) => options.OwnerId,
  value: (options) =>
    options.DhcpConfigurations?.flatMap((one) => one.Values?.map((value) => value.Value)),
}
