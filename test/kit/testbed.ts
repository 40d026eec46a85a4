/**
 * One host with a network of its own, for lab tests: the host's namespace (entered), an "outside"
 * machine on its uplink, and guests that are connected as containers are. The services under test
 * are the real ones on the real kernel.
 */
import { DOCKER } from '../../src/containers/declaration.ts'
import type { Host } from '../../src/host/host.ts'
import { createLinuxHost } from '../../src/host/linux.ts'
import { nicSpec } from '../../src/host/network/nic.ts'
import { systemClock } from '../../src/lib/clock.ts'
import type { Metrics } from '../../src/lib/metrics.ts'
import { createMetrics } from '../../src/lib/metrics.ts'
import { type Runner, systemRunner } from '../../src/lib/runner.ts'
import { QEMU } from '../../src/machines/declaration.ts'
import { cidr, cidrAddress, gatewayOf, ipv4, macFromRandom } from '../../src/model/addr.ts'
import type { GroupId } from '../../src/model/ids.ts'
import { formatId } from '../../src/model/ids.ts'
import {
  addressesOf,
  type HostWant,
  type InstanceWant,
  type NicWant,
} from '../../src/model/want.ts'
import type { FirewallSettings } from '../../src/plan/ruleset.ts'
import { createFirewall, type Firewall } from '../../src/services/firewall/firewall.ts'
import { createFloatingIpFlows, createFloatingIps } from '../../src/services/floating-ips.ts'
import { createLinks, type Links } from '../../src/services/links.ts'
import type { HostService } from '../../src/services/service.ts'
import { hostWant, instance, LONE_FIREWALL, NO_FABRIC } from '../../tools/kit/instance.ts'
import { silentLog } from '../../tools/kit/log.ts'
import type { Netns } from '../../tools/kit/netns.ts'
import { createNetns } from '../../tools/kit/netns.ts'

import { defaultRuleWants } from './records.ts'

const TEST_VPC = cidr('172.31.0.0/16')
const TEST_SUBNET = cidr('172.31.0.0/20')
export const TEST_GATEWAY = gatewayOf(TEST_SUBNET)
/** The host's own address on its uplink, and the outside machine's. */
export const UPLINK_ADDRESS = ipv4('198.51.100.1')
export const OUTSIDE_ADDRESS = ipv4('198.51.100.2')
export const TEST_MTU = 1500

/** The group that `testInstance` means by a number. */
export function testGroup(number: number): GroupId {
  return formatId('sg', new Uint8Array(9).fill(number))
}

/**
 * Instance number `number` (1 to 4000) with one NIC at that index of the subnet, in the given
 * groups.
 */
export function testInstance(number: number, groups: readonly number[]): InstanceWant {
  const base = instance(1)
  const bytes = Uint8Array.of(number >> 8, number & 255, 1, 2, 3, 4, 5, 6, 7)
  const [nic] = base.nics
  if (nic === undefined) throw new Error('an instance has a NIC')
  const testNic: NicWant = {
    ...nic,
    id: formatId('eni', bytes),
    ip: cidrAddress(TEST_SUBNET, number),
    mac: macFromRandom(Uint8Array.of(0, 0, 0, number >> 8, number & 255)),
    vpcCidr: TEST_VPC,
    subnetCidr: TEST_SUBNET,
    gateway: TEST_GATEWAY,
    groups: groups.map((group) => ({ id: testGroup(group), name: `group-${group}` })),
  }
  return { ...base, id: formatId('i', bytes), nics: [testNic] }
}

/** What the records say when there are just these instances, all on this host. */
export function testWant(...instances: readonly InstanceWant[]): HostWant {
  const nics = instances.flatMap((each) => each.nics)
  const ids = [...new Set(nics.flatMap((nic) => nic.groups.map((group) => group.id)))]
  const [nic] = instance(1).nics
  if (nic === undefined) throw new Error('an instance has a NIC')
  const want = hostWant(...instances)
  return {
    ...want,
    shared: {
      ...want.shared,
      subnets: [{ id: nic.subnet, cidr: TEST_SUBNET, gateway: TEST_GATEWAY }],
      vpcs: [{ id: nic.vpc, cidr: TEST_VPC }],
      groups: ids.map((id) => ({
        id,
        members: nics
          .filter((each) => each.groups.some((group) => group.id === id))
          .flatMap(addressesOf),
        rules: defaultRuleWants(id),
      })),
    },
  }
}

export interface Testbed {
  readonly machine: Netns
  readonly outside: Netns
  readonly host: Host
  readonly metrics: Metrics
  readonly services: readonly HostService[]
  readonly firewall: Firewall
  readonly links: Links
  /** One pass of firewall and links over this want. */
  pass(want: HostWant, options?: { readonly resync?: boolean }): Promise<void>
  /** A namespace with the instance's NIC plugged in and set up. The want must have been passed. */
  plug(instance: InstanceWant): Promise<Netns>
  destroy(): Promise<void>
}

/**
 * A host with an uplink and nothing on it. `wrap` may put something between the services and the
 * kernel, `runner` start programs otherwise.
 */
export async function createTestbed(
  options: {
    readonly wrap?: (host: Host) => Host
    readonly runner?: Runner
    readonly firewall?: FirewallSettings
  } = {},
): Promise<Testbed> {
  const machine = await createNetns('host')
  const outside = await createNetns('outside')
  const uplink = [
    'ip',
    'link',
    'add',
    'up0',
    'type',
    'veth',
    'peer',
    'name',
    'eth0',
    'netns',
    `${outside.pid}`,
  ]
  await machine.must(uplink)
  await machine.must([
    'sh',
    '-ec',
    `ip addr add ${UPLINK_ADDRESS}/24 dev up0; ip link set up0 up; ip route add default via ${OUTSIDE_ADDRESS}`,
  ])
  await outside.must([
    'sh',
    '-ec',
    `ip addr add ${OUTSIDE_ADDRESS}/24 dev eth0; ip link set eth0 up`,
  ])
  const leave = machine.enter()
  const { runner = systemRunner } = options
  const linux = createLinuxHost({ log: silentLog, runner })
  const host = options.wrap?.(linux) ?? linux
  const metrics = createMetrics()
  const firewall = createFirewall({
    host,
    metrics,
    settings: options.firewall ?? LONE_FIREWALL,
    instanceMemoryMiB: 2048,
  })
  const links = createLinks({
    ...{ host, metrics, mtu: TEST_MTU, fabric: NO_FABRIC, drivers: [QEMU, DOCKER] },
    foundLoose: () => undefined,
  })
  const services = [
    firewall,
    links,
    createFloatingIpFlows({ host }),
    createFloatingIps({ host, clock: systemClock, pools: [] }),
  ]
  const guests: Netns[] = []
  return {
    machine,
    outside,
    host,
    metrics,
    services,
    firewall,
    links,
    pass: async (want, { resync = false } = {}) => {
      const signal = new AbortController().signal
      for (const service of services) await service.apply({ want, resync, signal, log: silentLog })
    },
    plug: async (guest) => {
      const [nic] = guest.nics
      if (nic === undefined) throw new Error('an instance has a NIC')
      const made = await createNetns('guest')
      guests.push(made)
      const address = { ip: nic.ip, prefix: TEST_SUBNET.prefix, gateway: nic.gateway }
      await linux.plugNic(nicSpec(nic, TEST_MTU, 'veth'), made.pid, { name: 'eth0', address })
      return made
    },
    destroy: async () => {
      await linux.close()
      leave()
      for (const each of [...guests, outside, machine]) await each.destroy()
    },
  }
}

/** The value of a metric, summed over its labels unless `labels` picks one line. */
export async function metricValue(metrics: Metrics, name: string, labels = ''): Promise<number> {
  const lines = (await metrics.render()).split('\n')
  const found = lines.filter((line) => line.startsWith(name) && line.includes(labels))
  return found.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
}
