/** What a VPC's instances are told by DHCP, as a client reads it. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { dhcpOptionsView } from '../../../../src/api/views/dhcp-options.ts'
import { network } from '../../../kit/records.ts'
import { RUNS, seenBySdk, someTags } from '../../../kit/views.ts'

it('is all that a client reads', async () => {
  const zones = fc.constantFrom('atoll.internal', 'a', 'xn--e1afmkfd.example')
  await fc.assert(
    fc.asyncProperty(zones, someTags, async (zone, tags) => {
      const view = dhcpOptionsView(network.vpc, zone, tags)
      expect(await seenBySdk('DescribeDhcpOptions', { DhcpOptions: [view] })).toStrictEqual({
        DhcpOptions: [
          {
            DhcpConfigurations: [
              { Key: 'domain-name', Values: [{ Value: zone }] },
              { Key: 'domain-name-servers', Values: [{ Value: 'AmazonProvidedDNS' }] },
            ],
            DhcpOptionsId: 'dopt-00000000000000010',
            OwnerId: '000000000001',
            Tags: tags,
          },
        ],
      })
    }),
    RUNS,
  )
})
