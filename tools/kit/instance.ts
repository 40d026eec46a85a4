/** Instances in a host's want, for tests. */

import { cidr, gatewayOf, ipv4, macFromRandom } from '../../src/model/addr.ts'
import { FIRST_DRIVERS } from '../../src/model/driver.ts'
import type { FabricSettings } from '../../src/model/fabric.ts'
import type { HostRouting } from '../../src/model/host-routing.ts'
import { formatId, type IdPrefix, parseAccountId, parseHostName } from '../../src/model/ids.ts'
import { OLDER_METADATA } from '../../src/model/metadata-options.ts'
import { PLAIN_NAT } from '../../src/model/nat.ts'
import type { HostWant, InstanceWant } from '../../src/model/want.ts'
import type { FirewallSettings } from '../../src/plan/ruleset.ts'
import type { Pass } from '../../src/services/service.ts'
import { silentLog } from './log.ts'

const NOBODY = parseAccountId('000000000001')

function id<P extends IdPrefix>(prefix: P, last: number) {
  return formatId(prefix, new Uint8Array(9).fill(last))
}

/** Instance number `n`, with a key, user data and two tags, changed as given. */
export function instance(n: number, changes: Partial<InstanceWant> = {}): InstanceWant {
  const subnetCidr = cidr('172.31.0.0/20')
  if (NOBODY === undefined) throw new Error('not an account')
  return {
    id: id('i', n),
    account: NOBODY,
    reservation: id('r', n),
    launchIndex: 0,
    launchedAt: '2026-11-22T08:33:27.123Z',
    run: 'run',
    claimed: true,
    bootCount: 1,
    ran: false,
    image: {
      id: id('ami', 7),
      location: 'docker://busybox:latest',
      digest: null,
      driver: FIRST_DRIVERS.container,
    },
    driver: FIRST_DRIVERS.container,
    type: { name: 't3.micro', vcpus: 2, memoryMiB: 1024, diskGiB: 8 },
    disk: null,
    zone: 'atoll-1a',
    hostname: `ip-172-31-0-${n}`,
    keyName: 'my key',
    publicKey: 'ssh-ed25519 AAAA my key',
    userData: Buffer.from([0, 255, 10, 35, 33]).toString('base64'),
    tags: [
      { key: 'Name', value: 'web' },
      { key: 'not/a segment', value: 'x' },
    ],
    metadata: OLDER_METADATA,
    nics: [
      {
        id: id('eni', n),
        deviceIndex: 0,
        ip: ipv4(`172.31.0.${n}`),
        mac: macFromRandom(new Uint8Array(5).fill(n)),
        vpc: id('vpc', 3),
        vpcCidr: cidr('172.31.0.0/16'),
        subnet: id('subnet', 4),
        subnetCidr,
        gateway: gatewayOf(subnetCidr),
        groups: [{ id: id('sg', 5), name: 'default' }],
      },
    ],
    ...changes,
  }
}

/** The fabric settings of a single host. */
export const NO_FABRIC: FabricSettings = {
  address: null,
  mode: 'direct',
  vni: 4196,
  port: 4789,
  encryption: 'none',
}

/** A host without default route and without connected networks. */
export const NO_HOST_ROUTING: HostRouting = {
  defaultRoutes: [],
  connected: [],
  addresses: [],
  engineBridges: [],
  forwardedBefore: true,
}

/** The firewall settings of a single host. */
export const LONE_FIREWALL: FirewallSettings = {
  instanceToHostPorts: [],
  reach: [],
  pools: [],
  engines: [],
  fabric: NO_FABRIC,
  rates: [],
  countedRules: 1000,
  nat: PLAIN_NAT,
}

/** A want with these instances and nothing shared. */
export function hostWant(...instances: readonly InstanceWant[]): HostWant {
  const host = parseHostName('host-1')
  if (host === undefined) throw new Error('not a host name')
  return {
    local: {
      ...{ host, generation: 1, instances, images: [], volumes: [], captures: [] },
      keptImages: null,
      unreadable: { ids: [], any: false },
    },
    shared: { subnets: [], vpcs: [], groups: [], names: [], peers: [], routes: [] },
  }
}

/** A pass with these instances. */
export function passWith(...instances: readonly InstanceWant[]): Pass {
  const signal = new AbortController().signal
  return { want: hostWant(...instances), resync: false, signal, log: silentLog }
}
