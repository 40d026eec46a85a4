import { expect, it } from 'vitest'
import { cidr, ipv4, METADATA_ADDRESS } from '../../../src/model/addr.ts'
import {
  type CloudNetwork,
  findCollisions,
  type OwnNetwork,
} from '../../../src/model/collisions.ts'

const NOTHING: OwnNetwork = { addresses: [], routes: [], routers: [], resolvers: [], loopback: [] }
const CLOUD: CloudNetwork = {
  vpcs: [cidr('172.31.0.0/16')],
  services: [METADATA_ADDRESS],
  needed: [{ setting: 'store.nodes', ip: ipv4('10.0.0.9') }],
  transits: [cidr('100.64.0.4/31')],
  pools: [],
  zone: 'atoll-1a',
  natSources: [],
  floatingIps: [],
}
const route = (network: string, link: string, gateway: string | null = null) => ({
  network: cidr(network),
  gateway: gateway === null ? null : ipv4(gateway),
  link,
})
const found = (own: Partial<OwnNetwork>, cloud: Partial<CloudNetwork> = {}) =>
  findCollisions({ ...NOTHING, ...own }, { ...CLOUD, ...cloud })

it('an ordinary host, with Docker, libvirt and zeroconf, is in nobody\u2019s way', () => {
  const addresses = [
    { link: 'eth0', ip: ipv4('192.168.1.7'), prefix: 24 },
    { link: 'docker0', ip: ipv4('172.17.0.1'), prefix: 16 },
    { link: 'virbr0', ip: ipv4('192.168.122.1'), prefix: 24 },
  ]
  const routes = [
    route('192.168.1.0/24', 'eth0'),
    route('169.254.0.0/16', 'eth0'),
    route('100.64.0.0/10', 'wg0'),
  ]
  const resolvers = [ipv4('127.0.0.53'), ipv4('192.168.1.1')]
  expect(found({ addresses, routes, resolvers, routers: [ipv4('192.168.1.1')] })).toEqual([])
})

it.each<[string, Partial<OwnNetwork>, RegExp]>([
  [
    'AWS\u2019s default network',
    { addresses: [{ link: 'ens5', ip: ipv4('172.31.40.2'), prefix: 20 }] },
    /ens5 has 172\.31\.40\.2\/20/,
  ],
  [
    'a wider one',
    { addresses: [{ link: 'eth0', ip: ipv4('172.16.4.2'), prefix: 12 }] },
    /eth0 has/,
  ],
  [
    'a network of Docker',
    { addresses: [{ link: 'br-0123456789ab', ip: ipv4('172.31.0.1'), prefix: 16 }] },
    /br-0123456789ab has/,
  ],
  ['a router', { routers: [ipv4('172.31.0.1')] }, /the router of this host, 172\.31\.0\.1/],
  ['a resolver', { resolvers: [ipv4('172.31.0.2')] }, /the resolver 172\.31\.0\.2/],
  [
    'a cloud\u2019s resolver at the metadata address',
    { resolvers: [METADATA_ADDRESS] },
    /resolves names at 169\.254\.169\.254/,
  ],
  [
    'the metadata address',
    { addresses: [{ link: 'dummy0', ip: METADATA_ADDRESS, prefix: 32 }] },
    /dummy0 has 169\.254\.169\.254/,
  ],
])('%s is harm', (_what, own, said) => {
  const [first] = found(own)
  expect(first?.what).toMatch(said)
  expect(first?.harmsHost).toBe(true)
})

it('so is a database inside the VPC', () => {
  const needed = [{ setting: 'store.nodes', ip: ipv4('172.31.3.4') }]
  expect(found({}, { needed })).toMatchObject([
    { what: expect.stringContaining('store.nodes'), harmsHost: true },
  ])
})

it.each([
  ['a VPN that is wider', route('172.16.0.0/12', 'tun0', '10.8.0.1')],
  ['a VPN that is narrower', route('172.31.64.0/24', 'wg0')],
  ['a cloud\u2019s own metadata', route('169.254.169.254/32', 'eth0')],
])('%s is told of, and no reason not to begin', (_what, one) => {
  expect(found({ routes: [one] })).toMatchObject([
    { what: expect.stringContaining(one.link), harmsHost: false },
  ])
})

const pool = (first: string, last: string, zones: string[] | null = null) => ({
  name: 'public',
  zones,
  ranges: [{ first: ipv4(first), last: ipv4(last) }],
})
const ETH0 = { link: 'eth0', ip: ipv4('203.0.113.7'), prefix: 24 }
const ROUTER = ipv4('203.0.113.1')

it.each([
  [
    'its own address',
    ETH0,
    pool('203.0.113.5', '203.0.113.9'),
    /203\.0\.113\.7, the address of eth0/,
  ],
  ['its router', ETH0, pool('203.0.113.1', '203.0.113.2'), /203\.0\.113\.1, .* router/],
])('a pool with %s would cut off the host', (_what, address, one, what) => {
  const own = { addresses: [address], routers: [ROUTER] }
  expect(found(own, { pools: [one] })).toMatchObject([
    { what: expect.stringMatching(what), harmsHost: true },
  ])
})

it('a pool may not have the address of a resolver, or of an engine', () => {
  const own = { addresses: [ETH0], routers: [ROUTER], resolvers: [ipv4('203.0.113.8')] }
  expect(found(own, { pools: [pool('203.0.113.8', '203.0.113.8')] })).toHaveLength(1)
  expect(found(own, { pools: [pool('10.0.0.8', '10.0.0.9')] })).toHaveLength(1)
})

it('a pool needs a way: its network, or a default route to whoever sends its packets here', () => {
  const one = pool('203.0.113.100', '203.0.113.109')
  expect(found({ addresses: [ETH0] }, { pools: [one] })).toEqual([])
  expect(found({ routers: [ipv4('10.0.0.1')] }, { pools: [one] })).toEqual([])
  expect(found({}, { pools: [one] })).toMatchObject([{ harmsHost: false }])
  expect(found({}, { pools: [pool('203.0.113.100', '203.0.113.109', ['atoll-1b'])] })).toEqual([])
})

it('a pool does not work inside a VPC', () => {
  const own = { routers: [ROUTER] }
  expect(found(own, { pools: [pool('172.31.9.1', '172.31.9.2')] })).toMatchObject([
    { what: expect.stringMatching(/overlaps the VPC 172\.31\.0\.0\/16/), harmsHost: false },
  ])
})

it.each<[string, Partial<OwnNetwork>, RegExp]>([
  [
    'a VPN in the range between hosts and VPCs',
    { addresses: [{ link: 'tailscale0', ip: ipv4('100.64.0.5'), prefix: 32 }] },
    /tailscale0 has 100\.64\.0\.5, which the link 100\.64\.0\.4\/31/,
  ],
  [
    'a route to an address of that range',
    { routes: [route('100.64.0.4/32', 'tailscale0')] },
    /the route to 100\.64\.0\.4\/32 on tailscale0/,
  ],
])('%s is no harm to the host, and is told', (_what, own, said) => {
  const [first, ...others] = found(own)
  expect(first?.what).toMatch(said)
  expect(first?.harmsHost).toBe(false)
  expect(others).toEqual([])
})

it('names an address to go out with that no link of the host has', () => {
  const natSources = [ipv4('198.51.100.7'), ipv4('198.51.100.8'), ipv4('198.51.100.9')]
  const addresses = [{ link: 'eth0', ip: ipv4('198.51.100.7'), prefix: 24 }]
  const collisions = found({ addresses, loopback: [ipv4('198.51.100.8')] }, { natSources })
  expect(collisions).toMatchObject([
    { what: expect.stringContaining('198.51.100.9'), harmsHost: false },
  ])
})
