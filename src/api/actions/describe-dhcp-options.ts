/** DescribeDhcpOptions. */
import { z } from 'zod'
import { type DhcpOptions, OWN_RESOLVER } from '../../model/dhcp-options.ts'
import { isAmong, refuseIdsWithMaxResults, refuseMissing } from '../describe.ts'
import { missingDhcpOptions, ownDhcpOptions } from '../networks/dhcp-options.ts'
import { describeAction } from '../read.ts'
import { idListSchema, pagedShape } from '../schemas.ts'
import { DHCP_OPTIONS_FILTERS, dhcpOptionsView } from '../views/dhcp-options.ts'
import { tagsIndex } from '../views/tags.ts'

/** The account's sets, and the cloud's own, of which each VPC has one that has no other. */
export const describeDhcpOptions = describeAction({
  name: 'DescribeDhcpOptions',
  input: z.strictObject({
    ...pagedShape(5, 1000, { larger: 'refused' }),
    DhcpOptionsIds: idListSchema('dopt', 'InvalidDhcpOptionsId.Malformed').default([]),
  }),
  check: (asked) => refuseIdsWithMaxResults('DhcpOptionsIds', asked.DhcpOptionsIds, asked),
  rows: ({ DhcpOptionsIds: ids }, { account, read, settings }) =>
    read(async (tx) => {
      const own = (await ownDhcpOptions(tx, account)).map(
        (id): DhcpOptions => ({
          id,
          account,
          domainNames: [settings.dnsZone],
          nameServers: [OWN_RESOLVER],
          timeServers: [],
        }),
      )
      const all = [...own, ...(await tx.dhcpOptions({ account }))]
      refuseMissing(ids, new Set(all.map(({ id }) => id)), missingDhcpOptions)
      const resources = all.map(({ id }) => id)
      const tagsOf = tagsIndex(await tx.tags({ account, resources }))
      const isWanted = isAmong(ids)
      return all
        .filter(({ id }) => isWanted(id))
        .map((options) => ({ options, tags: tagsOf(options.id) }))
    }),
  view: ({ options, tags }) => dhcpOptionsView(options, tags),
  key: (options) => options.DhcpOptionsId ?? '',
  filters: DHCP_OPTIONS_FILTERS,
  tags: (options) => options.Tags ?? [],
  answer: (DhcpOptions) => ({ DhcpOptions }),
})
