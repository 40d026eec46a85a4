/**
 * Records to fill a store with: small complete ones, and arbitrary ones for properties.
 *
 * `nth` makes ids from numbers, so that a test can say which record it means and in which order
 * they come.
 */

import fc from 'fast-check'
import type { Account } from '../../../src/model/account-records.ts'
import {
  cidr,
  formatMacBytes,
  ipv4FromNumber,
  type Mac,
  parseMac,
} from '../../../src/model/addr.ts'
import type { ClientToken } from '../../../src/model/client-token.ts'
import { FIRST_DRIVERS } from '../../../src/model/driver.ts'
import { type AccountId, formatId, type HostName, type IdPrefix } from '../../../src/model/ids.ts'
import { NO_PREFERENCE } from '../../../src/model/metadata-options.ts'
import type {
  Group,
  Host,
  Image,
  Instance,
  KeyPair,
  Nic,
  Subnet,
  Vpc,
} from '../../../src/model/records.ts'
import type { Store } from '../../../src/store/store.ts'
import { instanceRecord } from '../../kit/records.ts'

export const NOW = '2026-11-22T08:33:27.000Z'

/** The id of this kind with this number; ids ascend with their numbers. */
export function nth<P extends IdPrefix>(prefix: P, number: number) {
  const bytes = new Uint8Array(9)
  new DataView(bytes.buffer).setUint32(0, number)
  return formatId(prefix, bytes)
}

/** The MAC with this number. */
function nthMac(number: number): Mac {
  const bytes = new Uint8Array(6)
  bytes[0] = 2
  new DataView(bytes.buffer).setUint32(2, number)
  const mac = parseMac(formatMacBytes(bytes))
  if (mac === undefined) throw new RangeError(`no MAC has number ${number}`)
  return mac
}

export const ACCOUNT = '000000000001' as AccountId
export const OTHER_ACCOUNT = '000000000002' as AccountId
export const HOST = 'host-1' as HostName
export const OTHER_HOST = 'host-2' as HostName

/** What a host says with its lease. */
export const SAID = { lastSeenAt: NOW, shortOf: null }
const fresh = { metadata: NO_PREFERENCE, status: 'active', createdAt: null, quotas: {} } as const
export const account: Account = { id: ACCOUNT, name: 'default', ...fresh }
export const otherAccount: Account = { id: OTHER_ACCOUNT, name: 'other', ...fresh }
export const vpc: Vpc = {
  id: nth('vpc', 1),
  account: ACCOUNT,
  cidr: cidr('172.31.0.0/16'),
  isDefault: true,
  network: null,
  dnsSupport: true,
  dnsHostnames: true,
}
export const subnet: Subnet = {
  id: nth('subnet', 1),
  vpc: vpc.id,
  account: ACCOUNT,
  cidr: cidr('172.31.0.0/20'),
  zone: 'atoll-1a',
  isDefault: true,
  mapPublicIp: false,
}
export const otherSubnet: Subnet = {
  ...subnet,
  id: nth('subnet', 2),
  cidr: cidr('172.31.16.0/20'),
  isDefault: false,
}
export const group: Group = {
  id: nth('sg', 1),
  vpc: vpc.id,
  account: ACCOUNT,
  name: 'default',
  description: 'default VPC security group',
}
export const otherGroup: Group = { ...group, id: nth('sg', 2), name: 'web' }
/** Another VPC, with a subnet and the id of a group. */
export const farVpc: Vpc = {
  ...vpc,
  id: nth('vpc', 2),
  cidr: cidr('10.9.0.0/16'),
  isDefault: false,
}
export const farSubnet: Subnet = {
  ...subnet,
  id: nth('subnet', 9),
  vpc: farVpc.id,
  cidr: cidr('10.9.0.0/20'),
  isDefault: false,
}
export const farGroup = nth('sg', 9)

/** A host as its daemon announces it. */
export const hostRow: Parameters<Parameters<Parameters<Store['change']>[0]>[0]['upsertHost']>[0] = {
  name: HOST,
  zone: 'atoll-1a',
  version: '0.1.0',
  vcpus: 8,
  memoryMiB: 4096,
  diskGiB: 100,
  fabricAddress: null,
  identity: 'one',
  ...SAID,
}
/** What the store makes of `hostRow`. */
export const freshHost: Host = {
  ...hostRow,
  life: null,
  state: 'active',
  fenceLevel: null,
  storage: null,
  storageAddress: null,
  live: true,
  drainingSinceMs: null,
  usedVcpus: 0,
  usedMemoryMiB: 0,
  usedDiskGiB: 0,
  generation: 1,
}

export function image(number: number, change: Partial<Image> = {}): Image {
  return {
    id: nth('ami', number),
    account: ACCOUNT,
    name: `image-${number}`,
    description: '',
    location: 'docker://busybox:latest',
    driver: FIRST_DRIVERS.container,
    architecture: 'x86_64',
    state: 'pending',
    stateReason: null,
    digest: null,
    repositoryDigest: null,
    host: HOST,
    diskGiB: 3,
    sourceImage: null,
    sourceInstance: null,
    capture: null,
    deprecatedAt: null,
    deregisteredAt: null,
    createdAt: NOW,
    ...change,
  }
}

export function instance(number: number, change: Partial<Instance> = {}): Instance {
  return {
    ...instanceRecord(nth('i', number), HOST),
    account: ACCOUNT,
    reservation: nth('r', number),
    image: nth('ami', 1),
    launchedAt: NOW,
    ...change,
  }
}

/** A NIC of instance `number` with address and MAC of the same number. */
export function nic(number: number, change: Partial<Nic> = {}): Nic {
  return {
    id: nth('eni', number),
    instance: nth('i', number),
    account: ACCOUNT,
    vpc: vpc.id,
    subnet: subnet.id,
    deviceIndex: 0,
    ip: ipv4FromNumber(0xac1f_0000 + number),
    mac: nthMac(number),
    groups: [group.id],
    createdAt: NOW,
    ...change,
  }
}

export function keyPair(number: number, change: Partial<KeyPair> = {}): KeyPair {
  return {
    id: nth('key', number),
    account: ACCOUNT,
    name: `key-${number}`,
    type: 'ed25519',
    fingerprint: 'SHA256:AAAA',
    publicKey: 'ssh-ed25519 AAAA',
    createdAt: NOW,
    ...change,
  }
}

export function clientToken(token: string, change: Partial<ClientToken> = {}): ClientToken {
  return {
    account: ACCOUNT,
    action: 'RunInstances',
    token,
    parametersHash: 'aa',
    result: nth('r', 1),
    createdAt: NOW,
    ...change,
  }
}

/**
 * Inserts what every other record stands on: two accounts, a VPC with two subnets and two groups, a
 * host.
 */
export async function settle(store: Store): Promise<void> {
  await store.change(async (tx) => {
    await tx.insertAccount(account)
    await tx.insertAccount(otherAccount)
    await tx.insertVpc(vpc)
    await tx.insertSubnet(subnet)
    await tx.insertSubnet(otherSubnet)
    await tx.insertGroup(group)
    await tx.insertGroup(otherGroup)
    await tx.upsertHost(hostRow, 60_000)
  })
}

/** Any text that a column may have to hold: Unicode, quotes, line ends, blanks at its end. */
const anyText = fc.string({ unit: 'grapheme', maxLength: 40 })
const anyTime = fc
  .integer({ min: 0, max: 4_000_000_000_000 })
  .map((ms) => new Date(ms).toISOString())
const anyCount = fc.integer({ min: 0, max: 2 ** 31 - 1 })

/** Fields of an instance that a request or a fact may change. */
export const anyInstanceChange = fc.record(
  {
    state: fc.constantFrom(
      'pending' as const,
      'running' as const,
      'shutting-down' as const,
      'terminated' as const,
      'stopping' as const,
      'stopped' as const,
    ),
    wanted: fc.constantFrom('run' as const, 'stop' as const, 'terminate' as const),
    claimed: fc.boolean(),
    bootCount: anyCount,
    bootSeen: anyCount,
    transitionReason: anyText,
    stateReason: fc.option(
      fc.record({ code: anyText, message: anyText }, { noNullPrototype: true }),
    ),
    launchedAt: anyTime,
    check: fc.record(
      {
        bootCount: anyCount,
        result: fc.constantFrom('passed' as const, 'failed' as const, 'unknown' as const),
        since: anyTime,
        answered: fc.constant(true as const),
        rebootAt: anyTime,
      },
      { noNullPrototype: true, requiredKeys: ['bootCount', 'result', 'since'] },
    ),
    rebooted: fc.array(anyTime, { maxLength: 3 }),
    terminatedAt: fc.option(anyTime),
    metadata: fc.option(
      fc.record(
        {
          tokens: fc.constantFrom('optional' as const, 'required' as const),
          endpoint: fc.constantFrom('enabled' as const, 'disabled' as const),
          hopLimit: fc.integer({ min: 1, max: 64 }),
          tags: fc.constantFrom('enabled' as const, 'disabled' as const),
        },
        { noNullPrototype: true },
      ),
    ),
  },
  { requiredKeys: [], noNullPrototype: true },
)

/** Any instance with this number. */
export function anyInstance(number: number): fc.Arbitrary<Instance> {
  return fc
    .record({
      change: anyInstanceChange,
      account: fc.constantFrom(ACCOUNT, OTHER_ACCOUNT),
      host: fc.constantFrom(HOST, OTHER_HOST),
      launchIndex: anyCount,
      keyName: fc.option(anyText),
      userData: fc.option(fc.base64String({ maxLength: 200 })),
      clientToken: fc.option(anyText),
    })
    .map(({ change, ...rest }) => instance(number, { ...rest, ...change }))
}
