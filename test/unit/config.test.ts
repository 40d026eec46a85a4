import { describe, expect, it } from 'vitest'
import { configSchema, instanceMtuBytes } from '../../src/config.ts'

const vxlan = { mode: 'vxlan', address: '10.0.0.1' }

it.each([
  [{}, 1500],
  [{ fabric: vxlan }, 1450],
  [{ fabric: vxlan, network: { mtu: 8950 } }, 8950],
  [{ network: { mtu: 1400 } }, 1400],
])('instances of %j have an MTU of %d', (settings, mtu) => {
  expect(instanceMtuBytes(configSchema.parse(settings))).toBe(mtu)
})

it('refuses VXLAN without an address of this host', () => {
  const { error } = configSchema.safeParse({ fabric: { mode: 'vxlan' } })
  expect(error?.issues.map(({ path, message }) => [path.join('.'), message])).toEqual([
    ['fabric.address', 'is needed with mode vxlan'],
  ])
})

const pool = { name: 'public', ranges: ['203.0.113.16/28'] }
const problemsOf = (pools: unknown, more: object = {}) =>
  configSchema
    .safeParse({ network: { pools }, ...more })
    .error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`)

it('reads ranges of pools: addresses, from one to another, networks without their ends', () => {
  const ranges = ['203.0.113.16/28', '198.51.100.7', '192.0.2.5-192.0.2.9', '203.0.113.64/31']
  const { network } = configSchema.parse({ network: { pools: [{ name: 'public', ranges }] } })
  expect(network.pools).toEqual([
    {
      name: 'public',
      zones: null,
      gateway: null,
      ranges: [
        { first: '203.0.113.17', last: '203.0.113.30' },
        { first: '198.51.100.7', last: '198.51.100.7' },
        { first: '192.0.2.5', last: '192.0.2.9' },
        { first: '203.0.113.64', last: '203.0.113.65' },
      ],
    },
  ])
})

it.each([
  ['no ranges', [{ ...pool, ranges: [] }]],
  ['no name', [{ ranges: pool.ranges }]],
  ['a name that is no label', [{ ...pool, name: 'a b' }]],
  ['what is no range', [{ ...pool, ranges: ['203.0.113.9-203.0.113.8'] }]],
  ['a network with host bits', [{ ...pool, ranges: ['203.0.113.17/28'] }]],
  ['an empty range', [{ ...pool, ranges: [''] }]],
  ['IPv6', [{ ...pool, ranges: ['2001:db8::/64'] }]],
  ['too many addresses', [{ ...pool, ranges: ['10.0.0.0/8'] }]],
  ['loopback', [{ ...pool, ranges: ['127.0.0.8/29'] }]],
  ['link-local', [{ ...pool, ranges: ['169.254.169.254'] }]],
  ['multicast', [{ ...pool, ranges: ['224.0.0.1'] }]],
  ['the same name twice', [pool, { ...pool, ranges: ['198.51.100.7'] }]],
  ['the same address twice', [pool, { ...pool, name: 'other', ranges: ['203.0.113.20'] }]],
  ['the same address twice in one pool', [{ ...pool, ranges: ['203.0.113.1', '203.0.113.0/28'] }]],
  ['no zones', [{ ...pool, zones: [] }]],
  ['addresses of the VPC', [{ ...pool, ranges: ['172.31.0.9'] }]],
  ['a setting that there is none of', [{ ...pool, colour: 'blue' }]],
])('refuses a pool with %s', (_what, pools) => {
  expect(problemsOf(pools)).toHaveLength(1)
})

it.each([
  ['fabric.address', { fabric: { address: '203.0.113.18' } }],
  ['store.nodes', { store: { kind: 'mariadb', nodes: ['10.0.0.1', '203.0.113.19:3306'] } }],
  ['bus.nodes', { bus: { kind: 'rabbitmq', nodes: ['203.0.113.20:5671'] } }],
])('refuses a pool with the address of %s', (setting, more) => {
  expect(problemsOf([pool], more)).toEqual([
    `network.pools.0.ranges.0: 203.0.113.17-203.0.113.30 has addresses of ${setting}`,
  ])
})

describe('network.nat', () => {
  const read = (nat: object) => configSchema.parse({ network: { nat } }).network.nat
  const problems = (network: object) =>
    configSchema
      .safeParse({ network })
      .error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? []
  const VPC = 'vpc-0123456789abcdef0'

  it('has no addresses by default, and takes one, several, and ranges', () => {
    expect(read({})).toEqual({ source: [], vpcs: [], exceptions: [] })
    expect(read({ source: '198.51.100.7' }).source).toEqual(['198.51.100.7'])
    expect(
      read({ vpcs: [{ vpc: VPC, source: ['198.51.100.8', '198.51.100.10-198.51.100.11'] }] }).vpcs,
    ).toEqual([{ vpc: VPC, source: ['198.51.100.8', '198.51.100.10', '198.51.100.11'] }])
  })

  it.each([
    [{ source: 'eth0' }, /must be addresses of this host/],
    [{ source: '127.0.0.1' }, /127\.0\.0\.0\/8/],
    [{ source: '10.0.0.0/8' }, /more than 256/],
    [{ exceptions: ['10.0.0.1/8'] }, /without host bits/],
    [{ vpcs: [{ vpc: 'vpc-1', source: [] }] }, /the id of a VPC/],
    [{ vpcs: [1, 2].map(() => ({ vpc: VPC, source: [] })) }, /there twice/],
    [{ sources: [] }, /sources/i],
  ])('refuses %j', (nat, problem) => {
    expect(problems({ nat }).join()).toMatch(problem)
  })

  it('has no address of a pool, which an instance elsewhere may have', () => {
    const pools = [{ name: 'public', ranges: ['203.0.113.16-203.0.113.20'] }]
    expect(problems({ pools, nat: { source: '203.0.113.17' } }).join()).toMatch(/network\.nat/)
  })

  it('a pool does not hand out its gateway', () => {
    const pool = { name: 'public', ranges: ['203.0.113.16/28'], gateway: '203.0.113.17' }
    expect(problems({ pools: [pool] }).join()).toMatch(/its own gateway/)
    expect(problems({ pools: [{ ...pool, gateway: '203.0.113.31' }] })).toEqual([])
  })
})

const bucketsOf = (buckets: unknown) => configSchema.safeParse({ flowLogs: { buckets } })

it('buckets of flow logs are buckets or folders in one, for some accounts or all', () => {
  expect(configSchema.parse({}).flowLogs.buckets).toBeNull()
  const buckets = [{ to: 'logs/team-b/vpc', accounts: ['000000000002'] }, { to: 'shared' }]
  expect(bucketsOf(buckets).data?.flowLogs.buckets).toEqual([
    { bucket: 'logs', prefix: 'team-b/vpc', accounts: ['000000000002'] },
    { bucket: 'shared', prefix: '', accounts: null },
  ])
})

it.each([
  [[{ to: 'Logs' }], 'flowLogs.buckets.0.to'],
  [[{ to: 'logs/' }], 'flowLogs.buckets.0.to'],
  [[{ to: 'logs/../x' }], 'flowLogs.buckets.0.to'],
  [[{ to: 'logs', accounts: ['2'] }], 'flowLogs.buckets.0.accounts.0'],
  [[{ to: 'logs', accounts: [] }], 'flowLogs.buckets.0.accounts'],
  [[{ to: 'logs', account: '000000000002' }], 'flowLogs.buckets.0'],
])('buckets of flow logs are not %j', (buckets, path) => {
  expect(bucketsOf(buckets).error?.issues.map((issue) => issue.path.join('.'))).toEqual([path])
})

it.each([
  ['IPv6', { api: { sharedAddress: '2001:db8::1' } }],
  ['a network', { api: { sharedAddress: '10.0.0.0/24' } }],
  ['a name', { api: { sharedAddress: 'api.example' } }],
  ['loopback', { api: { sharedAddress: '127.0.0.2' } }],
  ['the metadata service', { api: { sharedAddress: '169.254.169.254' } }],
  ['multicast', { api: { sharedAddress: '224.0.0.18' } }],
  ['broadcast', { api: { sharedAddress: '255.255.255.255' } }],
  ['an address between VPCs and hosts', { api: { sharedAddress: '100.64.0.9' } }],
  ['an address of instances', { api: { sharedAddress: '172.31.0.100' } }],
  ['a floating IP', { api: { sharedAddress: '203.0.113.17' }, network: { pools: [pool] } }],
  ["the host's own", { api: { sharedAddress: '10.0.0.1' }, fabric: { address: '10.0.0.1' } }],
  [
    "an engine's",
    { api: { sharedAddress: '10.0.0.2' }, store: { kind: 'mariadb', nodes: ['10.0.0.2:3306'] } },
  ],
  ['what nobody listens at', { api: { sharedAddress: '10.0.0.9', listen: '10.0.0.1' } }],
])('refuses to share %s among hosts', (_, settings) => {
  const { error } = configSchema.safeParse(settings)
  expect(error?.issues.map(({ path }) => path.join('.'))).toEqual(['api.sharedAddress'])
})

it('takes a shared address of the network of the hosts', () => {
  const settings = { api: { sharedAddress: '10.0.0.100' }, fabric: { address: '10.0.0.1' } }
  expect(configSchema.parse(settings).api.sharedAddress).toBe('10.0.0.100')
})

const fenced = {
  fence: { enabled: true },
  cluster: { secretFile: '/etc/atoll/secret' },
  store: { kind: 'mariadb', nodes: ['10.0.0.2'] },
  fabric: { address: '10.0.0.1' },
}

it.each([
  ['one host alone', { ...fenced, store: {} }, 'fence.enabled'],
  ['hosts that do not know each other', { ...fenced, cluster: {} }, 'fence.enabled'],
  ['a host that nobody reaches', { ...fenced, fabric: {} }, 'fence.enabled'],
  [
    'the port of VXLAN',
    { ...fenced, fabric: { address: '10.0.0.1', mode: 'vxlan', port: 8772 } },
    'fence.port',
  ],
  [
    'a level that needs a watchdog',
    { ...fenced, fence: { enabled: true, level: 'softdog' } },
    'fence.level',
  ],
  ['a watchdog without a path', { fence: { watchdog: 'watchdog' } }, 'fence.watchdog'],
])('refuses a fence for %s', (_, settings, path) => {
  const { error } = configSchema.safeParse(settings)
  expect(error?.issues.map((issue) => issue.path.join('.'))).toEqual([path])
})

it('has no fence unless a setting says so', () => {
  expect(configSchema.parse({}).fence).toMatchObject({ enabled: false, level: 'none' })
  const watchdog = { enabled: true, level: 'watchdog', watchdog: '/dev/watchdog' }
  expect(configSchema.parse({ ...fenced, fence: watchdog }).fence).toMatchObject(watchdog)
})
