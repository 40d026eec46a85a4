import fc from 'fast-check'
import { expect, it } from 'vitest'
import { cidr, cidrAddress, cidrSize, gatewayOf, ipv4 } from '../../../src/model/addr.ts'
import type { SharedWant } from '../../../src/model/want.ts'
import { drawAddresses, isAssignable } from '../../../src/plan/placement.ts'
import { resolverAddresses, serviceAddresses } from '../../../src/plan/service-addresses.ts'
import { numbered } from '../../kit/records.ts'

type Networks = Pick<SharedWant, 'vpcs' | 'subnets'>

function networks(vpcs: readonly string[], subnets: readonly string[]): Networks {
  return {
    vpcs: vpcs.map((text, at) => ({ id: numbered('vpc', at), cidr: cidr(text) })),
    subnets: subnets.map((text, at) => {
      const net = cidr(text)
      return { id: numbered('subnet', at), cidr: net, gateway: gatewayOf(net) }
    }),
  }
}

it('DNS answers where software for EC2 looks for it, each address once', () => {
  const shared = networks(
    ['172.31.0.0/16', '10.0.0.0/8'],
    ['172.31.0.0/20', '172.31.16.0/20', '10.1.2.0/28'],
  )
  expect(resolverAddresses(shared).toSorted()).toEqual([
    '10.0.0.2',
    '10.1.2.1',
    '10.1.2.2',
    '169.254.169.253',
    '172.31.0.1',
    '172.31.0.2',
    '172.31.16.1',
    '172.31.16.2',
  ])
  expect(serviceAddresses(shared)).toEqual([...resolverAddresses(shared), '169.254.169.254'])
})

it('a network that is too small for a resolver has none', () => {
  expect(resolverAddresses(networks(['10.0.0.0/31'], []))).toEqual(['169.254.169.253'])
})

it('no instance can ever have the address of a service, wherever its subnet lies in its VPC', () => {
  const placed = fc
    .record({
      prefix: fc.integer({ min: 8, max: 28 }),
      longer: fc.nat(20),
      place: fc.nat(),
      random: fc.nat(),
    })
    .map(({ prefix, longer, place, random }) => {
      const vpc = { network: ipv4('10.0.0.0'), prefix }
      const length = Math.min(30, prefix + longer)
      const index = place % 2 ** (length - prefix)
      const subnet = { network: cidrAddress(vpc, index * 2 ** (32 - length)), prefix: length }
      return { vpc, subnet, random }
    })
  fc.assert(
    fc.property(placed, ({ vpc, subnet, random }) => {
      const services = serviceAddresses({
        vpcs: [{ id: numbered('vpc', 1), cidr: vpc }],
        subnets: [{ id: numbered('subnet', 1), cidr: subnet, gateway: gatewayOf(subnet) }],
      })
      expect(services).toContain(cidrAddress(vpc, 2))
      for (const address of services) expect(isAssignable(subnet, address)).toBe(false)
      const drawn = drawAddresses(subnet, 20, () => random % cidrSize(subnet))
      expect(drawn.filter((address) => services.includes(address))).toEqual([])
    }),
  )
})
