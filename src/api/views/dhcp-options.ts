/** The DHCP options of a VPC in the SDK's terms, and the filters of DescribeDhcpOptions. Pure. */

import type { DhcpOptions as DhcpOptionsOutput, Tag as TagOutput } from '@aws-sdk/client-ec2'
import type { DhcpOptions } from '../../model/dhcp-options.ts'
import type { FilterTable } from '../filters.ts'

/** One set. */
export function dhcpOptionsView(options: DhcpOptions, tags: TagOutput[]): DhcpOptionsOutput {
  const said = {
    'domain-name': options.domainNames.length === 0 ? [] : [options.domainNames.join(' ')],
    'domain-name-servers': options.nameServers,
    'ntp-servers': options.timeServers,
    'netbios-name-servers': options.netbiosServers ?? [],
    'netbios-node-type':
      options.netbiosNodeType === undefined ? [] : [String(options.netbiosNodeType)],
  }
  return {
    DhcpConfigurations: Object.entries(said)
      .filter(([, values]) => values.length > 0)
      .map(([Key, values]) => ({ Key, Values: values.map((Value) => ({ Value })) })),
    DhcpOptionsId: options.id,
    OwnerId: options.account,
    Tags: tags,
  }
}

/**
 * https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeDhcpOptions.html, "Filter.N".
 */
export const DHCP_OPTIONS_FILTERS: FilterTable<DhcpOptionsOutput> = {
  'dhcp-options-id': (options) => options.DhcpOptionsId,
  key: (options) => options.DhcpConfigurations?.map((one) => one.Key),
  'owner-id': (options) => options.OwnerId,
  value: (options) =>
    options.DhcpConfigurations?.flatMap((one) => one.Values?.map((value) => value.Value)),
}
