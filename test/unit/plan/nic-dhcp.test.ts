import { expect, it } from 'vitest'
import { ipv4, RESOLVER_ADDRESS } from '../../../src/model/addr.ts'
import type { DhcpConfiguration } from '../../../src/model/dhcp-options.ts'
import { toldTo } from '../../../src/plan/nic-dhcp.ts'

const ZONE = 'atoll.internal'
const gateway = ipv4('10.0.0.1')
const own = [gateway, RESOLVER_ADDRESS]
const other = ipv4('192.0.2.53')
const nothing = {
  ...{ domainNames: [], nameServers: [], timeServers: [] },
  ...{ netbiosServers: [], netbiosNodeType: undefined },
}

function told(dhcp?: Partial<DhcpConfiguration>, resolver?: false) {
  const set = { domainNames: [], nameServers: [], timeServers: [] }
  return toldTo({ gateway, resolver, dhcp: dhcp === undefined ? dhcp : { ...set, ...dhcp } }, ZONE)
}

it('is the zone and the host’s resolver without a set', () => {
  expect(told()).toEqual({ ...nothing, domainNames: [ZONE], nameServers: own })
  expect(told(undefined, false)).toEqual({ ...nothing, domainNames: [ZONE] })
})

it('is what the set says, and nothing else', () => {
  expect(told({})).toEqual(nothing)
  const set = { domainNames: ['corp.example'], nameServers: [other], timeServers: [other] }
  expect(told(set)).toEqual({ ...nothing, ...set })
  const netbios = { netbiosServers: [other], netbiosNodeType: 2 } as const
  expect(told(netbios)).toEqual({ ...nothing, ...netbios })
})

it('searches the zone as well where the host’s resolver is told', () => {
  const mixed = {
    domainNames: ['corp.example'],
    nameServers: [other, 'AmazonProvidedDNS' as const],
  }
  expect(told(mixed)).toMatchObject({
    domainNames: ['corp.example', ZONE],
    nameServers: [other, ...own],
  })
  expect(told({ ...mixed, domainNames: [ZONE] }).domainNames).toEqual([ZONE])
  expect(told(mixed, false)).toMatchObject({
    domainNames: ['corp.example'],
    nameServers: [other],
  })
})
