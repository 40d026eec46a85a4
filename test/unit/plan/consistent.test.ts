import { describe, expect, it } from 'vitest'
import { cidr, ipv4 } from '../../../src/model/addr.ts'
import type { NicId } from '../../../src/model/ids.ts'
import type { PlacedNic } from '../../../src/model/records.ts'
import { consistentRecords } from '../../../src/plan/consistent.ts'
import type { Snapshot } from '../../../src/plan/want.ts'
import {
  defaultRules,
  hostName,
  hostRecord,
  image,
  instanceId,
  network,
  nicRecord,
  numbered,
} from '../../kit/records.ts'

const here = hostName('here')
const there = hostName('there')

function placed(number: number, changes: Partial<PlacedNic> = {}): PlacedNic {
  const id = `eni-${String(number).padEnd(17, '0')}` as NicId
  const nic = nicRecord(instanceId(number), number)
  return { ...nic, id, host: here, nameTag: null, ...changes }
}

function snapshot(changes: Partial<Snapshot> = {}): Snapshot {
  return {
    hosts: [
      hostRecord(here, { fabricAddress: ipv4('192.0.2.1') }),
      hostRecord(there, { fabricAddress: ipv4('192.0.2.2') }),
    ],
    instances: [],
    nics: [placed(1), placed(2), placed(3, { host: there })],
    vpcs: [network.vpc],
    subnets: [network.subnet],
    groups: [network.group],
    groupRules: defaultRules(network.group),
    vpcDns: [],
    routing: [],
    flowLogs: [],
    peerings: [],
    images: [image],
    types: [],
    keyPairs: [],
    tags: [],
    volumes: [],
    profiles: [],
    unreadable: [],
    ...changes,
  }
}

/** What is told of, by table and key. */
const inconsistencies = (changes: Partial<Snapshot>) =>
  consistentRecords(here, snapshot(changes)).unreadable.map(({ table, key }) => `${table} ${key}`)

it('a rule whose prefix list has an unreadable entry is told of, and stays as it was', () => {
  const list = numbered('pl', 1)
  const peer = { kind: 'list', list } as const
  const [own] = defaultRules(network.group)
  if (own === undefined) throw new Error('there is no rule')
  const named = { ...own, id: numbered('sgr', 7), peer }
  const unread = { problem: '', instance: null, host: null, ip: null, vpc: null }
  const records = (of: string) =>
    snapshot({
      groupRules: [own, named],
      unreadable: [{ ...unread, table: 'prefixListEntries', key: `${of}/192.0.2.0/24/1` }],
    })
  const { groupRules, unreadable } = consistentRecords(here, records(list))
  expect(groupRules).toEqual([own])
  expect(unreadable.map(({ table, key }) => `${table} ${key}`)).toContain(
    `securityGroupRules ${named.id}`,
  )
  const other = records(numbered('pl', 2))
  expect(consistentRecords(here, other)).toBe(other)
})

it('a NIC in a group of another VPC is told of', () => {
  const elsewhere = { ...network.group, id: numbered('sg', 2), vpc: numbered('vpc', 2) }
  const nic = placed(2, { groups: [network.group.id, elsewhere.id] })
  const changes = { groups: [network.group, elsewhere], nics: [placed(1), nic] }
  expect(inconsistencies(changes)).toStrictEqual([`placedNics ${nic.id}`])
})

describe('records that fit each other', () => {
  it('stay the very same value', () => {
    const records = snapshot()
    expect(consistentRecords(here, records)).toBe(records)
  })
})

describe('records that do not', () => {
  const nic = (changes: Partial<PlacedNic>) => [placed(1), placed(2, changes)]
  it.each([
    ['the gateway as an address', nic({ ip: ipv4('172.31.0.1') })],
    ['the network as an address', nic({ ip: ipv4('172.31.0.0') })],
    ['the broadcast address', nic({ ip: ipv4('172.31.15.255') })],
    ['an address outside', nic({ ip: ipv4('172.31.16.9') })],
    ['the address of another', nic({ ip: placed(1).ip })],
    ['the MAC of another', nic({ mac: placed(1).mac })],
    ['an id whose link is another’s', nic({ id: `${placed(1).id.slice(0, -1)}f` as NicId })],
    ['a subnet that is not there', nic({ subnet: numbered('subnet', 9) })],
    ['another VPC than its subnet', nic({ vpc: numbered('vpc', 9) })],
  ])('lose a NIC with %s, and no other', (_what, nics) => {
    expect(inconsistencies({ nics })).toStrictEqual([`placedNics ${nics[1]?.id}`])
  })

  it.each([
    ['of a VPC', '172.31.0.200'],
    ['of a host', '192.0.2.2'],
    ['of another NIC', '203.0.113.9'],
  ])('lose a floating IP %s, but not the NIC', (_what, publicIp) => {
    const nics = [
      placed(1, { publicIp: ipv4('203.0.113.9') }),
      placed(2, { publicIp: ipv4(publicIp) }),
    ]
    const { nics: kept } = consistentRecords(here, snapshot({ nics }))
    expect(kept).toStrictEqual([nics[0], { ...nics[1], publicIp: null }])
    expect(inconsistencies({ nics })).toStrictEqual([`addresses ${publicIp}`])
  })

  it('may have links of the same name on two hosts', () => {
    const id = `${placed(1).id.slice(0, -1)}f` as NicId
    expect(inconsistencies({ nics: [placed(1), placed(2, { id, host: there })] })).toStrictEqual([])
  })

  it.each([
    ['inside it', '172.31.8.0/24'],
    ['around it', '172.31.0.0/16'],
  ])('lose a second subnet %s, and keep the default one', (_where, text) => {
    const second = { ...network.subnet, id: numbered('subnet', 0), isDefault: false }
    expect(
      inconsistencies({ subnets: [{ ...second, cidr: cidr(text) }, network.subnet] }),
    ).toStrictEqual([`subnets ${second.id}`])
  })

  it('lose a VPC that holds the default one, and not the default one', () => {
    const large = { ...network.vpc, id: numbered('vpc', 0), isDefault: false }
    expect(
      inconsistencies({ vpcs: [{ ...large, cidr: cidr('172.16.0.0/12') }, network.vpc] }),
    ).toStrictEqual([`vpcs ${large.id}`])
  })

  it('may be VPCs with the same range, each of which has a number of its own', () => {
    const own = { ...network.vpc, id: numbered('vpc', 2), isDefault: false, network: 1 }
    const other = { ...own, id: numbered('vpc', 3), network: 2 }
    const vpcs = [network.vpc, own, other]
    const subnets = vpcs.map(({ id: vpc }, at) => ({
      ...network.subnet,
      vpc,
      id: numbered('subnet', at + 1),
    }))
    const nics = subnets.map(({ id: subnet, vpc }, at) =>
      placed(at + 1, { subnet, vpc, ip: placed(1).ip, groups: [] }),
    )
    expect(inconsistencies({ vpcs, subnets, nics })).toStrictEqual([])
    const twice = [network.vpc, own, { ...other, network: 1 }]
    expect(inconsistencies({ vpcs: twice, subnets, nics })).toStrictEqual([
      `vpcs ${other.id}`,
      `subnets ${subnets[2]?.id}`,
      `placedNics ${nics[2]?.id}`,
    ])
  })

  it('lose a VPC that holds the address of a host, and not the host', () => {
    const evil = { ...network.vpc, id: numbered('vpc', 0), isDefault: false }
    const vpcs = [{ ...evil, cidr: cidr('192.0.2.0/24') }, network.vpc]
    expect(inconsistencies({ vpcs })).toStrictEqual([`vpcs ${evil.id}`])
    expect(
      inconsistencies({
        vpcs: vpcs.map((vpc) => ({ ...vpc, network: vpc === vpcs[0] ? 1 : null })),
      }),
    ).toStrictEqual([])
  })

  it.each([
    ['this host', '192.0.2.1'],
    ['another host', '192.0.2.2'],
    ['an instance', '172.31.0.77'],
  ])('lose a host with the address of %s', (_whose, text) => {
    const evil = hostRecord(hostName('z'), { fabricAddress: ipv4(text) })
    expect(inconsistencies({ hosts: [...snapshot().hosts, evil] })).toStrictEqual(['peers z'])
  })

  it('never lose the host that looks', () => {
    const evil = hostRecord(hostName('a'), { fabricAddress: ipv4('192.0.2.1') })
    expect(inconsistencies({ hosts: [evil, ...snapshot().hosts] })).toStrictEqual(['peers a'])
  })
})
