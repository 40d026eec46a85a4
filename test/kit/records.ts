/** Records for tests: small and valid, each with a number that makes it different. */
import { cidr, cidrAddress, type Ipv4, macFromRandom } from '../../src/model/addr.ts'
import { ALL_OUT, allFromMembers } from '../../src/model/group-rule.ts'
import {
  type AccountId,
  formatId,
  type GroupId,
  type HostName,
  type IdPrefix,
  type InstanceId,
  parseAccountId,
  parseHostName,
  type SecurityGroupRuleId,
} from '../../src/model/ids.ts'
import { OLDER_METADATA } from '../../src/model/metadata-options.ts'
import { ROOT_DEVICE_NAME } from '../../src/model/names.ts'
import type {
  Group,
  GroupRule,
  Host,
  Image,
  Instance,
  Nic,
  Subnet,
  Volume,
  Vpc,
} from '../../src/model/records.ts'
import type { RuleWant } from '../../src/model/want.ts'

const TIME = '2026-11-22T08:00:00.000Z'

function must<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('a literal of a test is malformed')
  return value
}

/** The `number`-th id of a kind. */
export function numbered<P extends IdPrefix>(prefix: P, number: number) {
  const bytes = new Uint8Array(9)
  new DataView(bytes.buffer).setUint32(4, number)
  return formatId(prefix, bytes)
}

export const account: AccountId = must(parseAccountId('000000000001'))

export function hostName(text: string): HostName {
  return must(parseHostName(text))
}

export function instanceId(number: number): InstanceId {
  return numbered('i', number)
}

/** What the rules of a default group say: everything from its members, everything outwards. */
export function defaultRuleWants(group: GroupId): readonly RuleWant[] {
  return [allFromMembers(group), ALL_OUT].map((match) => ({
    ...match,
    id: `sgr-${match.egress ? 1 : 0}${group.slice('sg-x'.length)}` as SecurityGroupRuleId,
  }))
}

/** The rules of a default group. */
export function defaultRules({
  id,
  vpc,
  account,
}: Pick<Group, 'id' | 'vpc' | 'account'>): readonly GroupRule[] {
  return defaultRuleWants(id).map((rule) => ({ ...rule, group: id, vpc, account, description: '' }))
}

/** A default VPC with one subnet and its default group. */
export const network: { readonly vpc: Vpc; readonly subnet: Subnet; readonly group: Group } = {
  vpc: {
    id: numbered('vpc', 1),
    account,
    cidr: cidr('172.31.0.0/16'),
    isDefault: true,
    network: null,
    dnsSupport: true,
    dnsHostnames: true,
  },
  subnet: {
    id: numbered('subnet', 1),
    vpc: numbered('vpc', 1),
    account,
    cidr: cidr('172.31.0.0/20'),
    zone: 'atoll-1a',
    isDefault: true,
    mapPublicIp: false,
  },
  group: {
    id: numbered('sg', 1),
    vpc: numbered('vpc', 1),
    account,
    name: 'default',
    description: 'default',
  },
}

export const image: Image = {
  id: numbered('ami', 1),
  account,
  name: 'sample',
  description: '',
  location: 'docker://atoll-sample:latest',
  // As an older daemon wrote it: tests give it other locations.
  driver: null,
  architecture: 'x86_64',
  state: 'available',
  stateReason: null,
  digest: `sha256:${'0'.repeat(64)}`,
  repositoryDigest: null,
  host: hostName('here'),
  diskGiB: null,
  sourceInstance: null,
  capture: null,
  createdAt: TIME,
}

export function hostRecord(
  name: HostName,
  more: { readonly fabricAddress?: Ipv4 } = {},
): Host & { readonly identity: string } {
  return {
    name,
    zone: 'atoll-1a',
    state: 'active',
    live: true,
    version: '0.1.0',
    vcpus: 32,
    memoryMiB: 32_768,
    diskGiB: 1000,
    usedVcpus: 0,
    usedMemoryMiB: 0,
    usedDiskGiB: 0,
    generation: 1,
    fabricAddress: more.fabricAddress ?? null,
    identity: name,
    shortOf: null,
    lastSeenAt: TIME,
  }
}

/** A launched instance that no agent has seen yet. */
export function instanceRecord(id: InstanceId, host: HostName): Instance {
  return {
    id,
    account,
    reservation: numbered('r', 1),
    launchIndex: 0,
    image: image.id,
    type: 't3.micro',
    driver: null,
    host,
    keyName: null,
    userData: null,
    state: 'pending',
    wanted: 'run',
    claimed: true,
    bootCount: 1,
    bootSeen: 0,
    transitionReason: '',
    stateReason: null,
    clientToken: null,
    launchedAt: TIME,
    terminatedAt: null,
    metadata: OLDER_METADATA,
  }
}

/** Its NIC, with the `number`-th address that instances may have. */
export function nicRecord(
  instance: InstanceId,
  number: number,
): Nic & { readonly instance: InstanceId } {
  return {
    id: numbered('eni', number),
    instance,
    account,
    vpc: network.vpc.id,
    subnet: network.subnet.id,
    deviceIndex: 0,
    ip: cidrAddress(network.subnet.cidr, 3 + number),
    mac: macFromRandom(Uint8Array.of(0, 0, 0, number >> 8, number & 255)),
    groups: [network.group.id],
    createdAt: TIME,
  }
}

/** The `number`-th volume: the root disk of an instance on this host, changed as given. */
export function volumeRecord(
  number: number,
  { id, host }: Pick<Instance, 'id' | 'host'>,
  changes: Partial<Volume> = {},
): Volume {
  return {
    id: numbered('vol', number),
    account,
    host,
    zone: 'atoll-1a',
    instance: id,
    device: ROOT_DEVICE_NAME,
    sizeGiB: 8,
    deleteOnTermination: true,
    state: 'in-use',
    createdAt: TIME,
    ...changes,
  }
}
