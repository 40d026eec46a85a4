/** A set of DHCP options, as a client reads it. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { dhcpOptionsView } from '../../../../src/api/views/dhcp-options.ts'
import { ipv4 } from '../../../../src/model/addr.ts'
import { account, numbered } from '../../../kit/records.ts'
import { RUNS, seenBySdk, someTags } from '../../../kit/views.ts'

const values = (words: readonly string[]) => words.map((Value) => ({ Value }))

it('is all that a client reads', async () => {
  const names = fc.array(fc.constantFrom('atoll.internal', 'a', 'xn--e1afmkfd.example'))
  const servers = fc.array(fc.constantFrom('AmazonProvidedDNS' as const, ipv4('10.0.0.2')))
  await fc.assert(
    fc.asyncProperty(names, servers, someTags, async (domainNames, nameServers, tags) => {
      const set = { id: numbered('dopt', 1), account, domainNames, nameServers }
      const view = dhcpOptionsView({ ...set, timeServers: [ipv4('10.0.0.3')] }, tags)
      const name = { Key: 'domain-name', Values: values([domainNames.join(' ')]) }
      const resolvers = { Key: 'domain-name-servers', Values: values(nameServers) }
      expect(await seenBySdk('DescribeDhcpOptions', { DhcpOptions: [view] })).toStrictEqual({
        DhcpOptions: [
          {
            DhcpConfigurations: [
              ...(domainNames.length === 0 ? [] : [name]),
              ...(nameServers.length === 0 ? [] : [resolvers]),
              { Key: 'ntp-servers', Values: [{ Value: '10.0.0.3' }] },
            ],
            DhcpOptionsId: set.id,
            OwnerId: account,
            Tags: tags,
          },
        ],
      })
    }),
    RUNS,
  )
})
