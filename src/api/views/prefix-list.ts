/** Managed prefix lists in the SDK's terms, and the filters of DescribeManagedPrefixLists. Pure. */
import type { ManagedPrefixList, PrefixListState, Tag as TagOutput } from '@aws-sdk/client-ec2'
import type { PrefixList } from '../../model/prefix-list.ts'
import type { ApiSettings } from '../action.ts'
import type { FilterTable } from '../filters.ts'

/** One list. */
export function prefixListView(
  list: Omit<PrefixList, 'state'> & { readonly state: PrefixListState },
  tags: TagOutput[],
  { region }: Pick<ApiSettings, 'region'>,
): ManagedPrefixList {
  return {
    PrefixListId: list.id,
    AddressFamily: list.addressFamily,
    State: list.state,
    PrefixListArn: `arn:aws:ec2:${region}:${list.account}:prefix-list/${list.id}`,
    PrefixListName: list.name,
    MaxEntries: list.maxEntries,
    Version: list.version,
    Tags: tags,
    OwnerId: list.account,
  }
}

/** https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeManagedPrefixLists.html */
export const PREFIX_LIST_FILTERS: FilterTable<ManagedPrefixList> = {
  'owner-id': (list) => list.OwnerId,
  'prefix-list-id': (list) => list.PrefixListId,
  'prefix-list-name': (list) => list.PrefixListName,
}
