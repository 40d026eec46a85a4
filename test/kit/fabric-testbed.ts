/**
 * Several hosts with a fabric between them, for lab tests: each a namespace with the real firewall
 * and links on the real kernel, an uplink to one "outside" machine, and a link to the fabric, which
 * is one segment (`direct`) or a router with a subnet for each host (`vxlan`). A stranger is on the
 * fabric, too.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DOCKER } from '../../src/containers/declaration.ts'
import type { Host } from '../../src/host/host.ts'
import { createLinuxHost } from '../../src/host/linux.ts'
import { nicSpec } from '../../src/host/network/nic.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { createMetrics } from '../../src/lib/metrics.ts'
import { cidr, type Ipv4, ipv4 } from '../../src/model/addr.ts'
import type { FabricSettings } from '../../src/model/fabric.ts'
import { parseHostName } from '../../src/model/ids.ts'
import { NFT_TABLE } from '../../src/model/names.ts'
import type { HostWant, InstanceWant } from '../../src/model/want.ts'
import { type DropReason, dropCounterName } from '../../src/plan/nft-text.ts'
import type { FirewallSettings } from '../../src/plan/ruleset.ts'
import { createFirewall } from '../../src/services/firewall/firewall.ts'
import { createFloatingIpFlows, createFloatingIps } from '../../src/services/floating-ips.ts'
import { createLinks } from '../../src/services/links.ts'
import type { HostService } from '../../src/services/service.ts'
import { LONE_FIREWALL } from '../../tools/kit/instance.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { createNetns, type Netns } from '../../tools/kit/netns.ts'
import { renderRuleset } from './rules-text.ts'
import { testWant } from './testbed.ts'

/** The outside machine on every host's uplink. */
export const OUTSIDE = ipv4('198.51.100.254')
/** On the network of the uplinks. */
export const FLOATING_IPS = cidr('198.51.100.200/29')
/** A port of the hosts that instances may connect to, on any host. */
export const OPEN_PORT = 8773
const PREFIX = 20

export interface FabricHost {
  readonly netns: Netns
  /** The port; another one after `kill`. */
  host: Host
  readonly address: Ipv4
  readonly uplink: Ipv4
  /** Where the names of VPCs' namespaces are. */
  readonly namespaceDirectory: string
  /** Changed by a test, it holds from the next pass on with `restart`. */
  settings: FabricSettings
  /** One pass of firewall and links; `restart` with services that remember nothing. */
  pass(want: HostWant, options?: { readonly restart?: boolean }): Promise<void>
  /** Ends the services, and closes all that this process has open on the host. */
  kill(): Promise<void>
  /** A namespace with the instance's NIC plugged in and set up. */
  plug(instance: InstanceWant): Promise<Netns>
  drops(reason: DropReason): Promise<number>
  /** The script that a pass loads for this want. */
  rules(want: HostWant): Promise<string>
  /** Does something with this process inside the host. */
  inside<T>(work: () => Promise<T>): Promise<T>
}

export interface FabricTestbed {
  readonly hosts: readonly FabricHost[]
  readonly outside: Netns
  /** The segment's bridge, or the router. */
  readonly wire: Netns
  /** On the fabric, but no host of the cluster. */
  readonly stranger: Netns
  readonly mtu: number
  /** What the records say of these instances, listed by host. */
  wants(guestSpecs: readonly (readonly InstanceWant[])[]): readonly HostWant[]
  destroy(): Promise<void>
}

/** What a host of the testbed applies, with services that remember nothing. */
export type BuildServices = (
  host: Host,
  fabric: FabricSettings,
  mtu: number,
) => readonly HostService[]

/** `count` hosts, empty. */
export async function createFabricTestbed(
  mode: FabricSettings['mode'],
  count: number,
  build: BuildServices = servicesOf,
): Promise<FabricTestbed> {
  const directory = await mkdtemp(join(tmpdir(), 'atoll-testbed-'))
  const wire = await createNetns('wire')
  const outside = await createNetns('outside')
  const stranger = await createNetns('stranger')
  const guests: Netns[] = []
  const mtu = mode === 'vxlan' ? 1450 : 1500
  await wire.must([
    'sh',
    '-ec',
    mode === 'vxlan' ? 'sysctl -qw net.ipv4.ip_forward=1' : 'ip link add br0 up type bridge',
  ])
  // With a fixed address: else it changes with each port, and neighbours send to the old one.
  const outsideLink = `ip link add br0 up address 02:00:00:00:00:fe type bridge; ip a add ${OUTSIDE}/24 dev br0`
  await outside.must(['sh', '-ec', outsideLink])
  await joinFabric(mode, wire, stranger, 66)
  const hosts: FabricHost[] = []
  for (let number = 1; number <= count; number++)
    hosts.push(await createHost(mode, { wire, outside, number, mtu, guests, build, directory }))
  return {
    hosts,
    outside,
    wire,
    stranger,
    mtu,
    wants: (guestSpecs) => wantsOf(hosts, guestSpecs),
    destroy: async () => {
      for (const made of hosts) {
        await made.kill()
        for (const network of await made.host.vpcs.list())
          await made.inside(() => made.host.vpcs.remove(network))
        await made.host.close()
      }
      await rm(directory, { recursive: true, force: true })
      const machines = [...guests, ...hosts.map((each) => each.netns), stranger, outside, wire]
      for (const each of machines) await each.destroy()
    },
  }
}

function fabricAddress(mode: FabricSettings['mode'], number: number): Ipv4 {
  return ipv4(mode === 'vxlan' ? `10.77.${number}.2` : `10.77.0.${number}`)
}

/** A machine's link `fab0` with its address, and the way to the others. */
async function joinFabric(
  mode: FabricSettings['mode'],
  wire: Netns,
  machine: Netns,
  number: number,
): Promise<void> {
  const port = `port${number}`
  const address = fabricAddress(mode, number)
  await wire.must(`ip link add ${port} type veth peer name fab0 netns ${machine.pid}`.split(' '))
  await wire.must([
    'sh',
    '-ec',
    mode === 'vxlan'
      ? `ip addr add 10.77.${number}.1/24 dev ${port}; ip link set ${port} up`
      : `ip link set ${port} up master br0`,
  ])
  await machine.must([
    'sh',
    '-ec',
    `ip addr add ${address}/24 dev fab0; ip link set fab0 up
     ${mode === 'vxlan' ? `ip route add 10.77.0.0/16 via 10.77.${number}.1` : ''}`,
  ])
}

async function createHost(
  mode: FabricSettings['mode'],
  at: {
    readonly wire: Netns
    readonly outside: Netns
    readonly number: number
    readonly mtu: number
    readonly guests: Netns[]
    readonly build: BuildServices
    /** Names of namespaces of VPCs are below it. */
    readonly directory: string
  },
): Promise<FabricHost> {
  const { wire, outside, number, mtu, guests, build, directory } = at
  const netns = await createNetns(`host${number}`)
  const uplink = ipv4(`198.51.100.${number}`)
  await joinFabric(mode, wire, netns, number)
  await outside.must(
    `ip link add up${number} type veth peer name up0 netns ${netns.pid}`.split(' '),
  )
  await outside.must(`ip link set up${number} up master br0`.split(' '))
  await netns.must([
    'sh',
    '-ec',
    `ip addr add ${uplink}/24 dev up0; ip link set up0 up; ip route add default via ${OUTSIDE}`,
  ])
  const address = fabricAddress(mode, number)
  const inside = async <T>(work: () => Promise<T>) => {
    const leave = netns.enter()
    try {
      return await work()
    } finally {
      leave()
    }
  }
  const namespaceDirectory = join(directory, netns.name)
  const host = await inside(async () => createLinuxHost({ log: silentLog, namespaceDirectory }))
  let services: readonly HostService[] = []
  const made: FabricHost = {
    netns,
    host,
    address,
    uplink,
    namespaceDirectory,
    settings: { address, mode, vni: 4196, port: 4789, encryption: 'none' },
    inside,
    pass: (want, { restart = false } = {}) =>
      inside(async () => {
        if (restart) await made.kill()
        if (services.length === 0) services = build(made.host, made.settings, mtu)
        const signal = new AbortController().signal
        for (const service of services)
          await service.apply({ want, resync: false, signal, log: silentLog })
      }),
    kill: () =>
      inside(async () => {
        for (const service of services.toReversed()) await service.close()
        services = []
        await made.host.close()
        made.host = createLinuxHost({ log: silentLog, namespaceDirectory })
      }),
    plug: (instance) =>
      inside(async () => {
        const [nic] = instance.nics
        if (nic === undefined) throw new Error('an instance has a NIC')
        const guest = await createNetns('guest')
        guests.push(guest)
        const setup = { ip: nic.ip, prefix: PREFIX, gateway: nic.gateway }
        await made.host.plugNic(nicSpec(nic, mtu, 'veth'), guest.pid, {
          name: 'eth0',
          address: setup,
        })
        return guest
      }),
    rules: (want) =>
      inside(async () =>
        renderRuleset(want, firewallOf(made.settings), await made.host.surroundings()),
      ),
    drops: async (reason) =>
      (await made.host.ruleCounters()).get(`inet ${NFT_TABLE} ${dropCounterName(reason)}`)
        ?.packets ?? 0,
  }
  return made
}

/** The firewall's settings on such a host. */
export function firewallOf(fabric: FabricSettings): FirewallSettings {
  return { ...LONE_FIREWALL, instanceToHostPorts: [OPEN_PORT], pools: [FLOATING_IPS], fabric }
}

function servicesOf(host: Host, fabric: FabricSettings, mtu: number): readonly HostService[] {
  const metrics = createMetrics()
  return [
    createFirewall({ host, metrics, settings: firewallOf(fabric), instanceMemoryMiB: 2048 }),
    createLinks({
      ...{ host, metrics, mtu, fabric, drivers: [DOCKER] },
      foundLoose: () => undefined,
    }),
    createFloatingIpFlows({ host }),
    createFloatingIps({ host, clock: systemClock, pools: [] }),
  ]
}

function wantsOf(
  hosts: readonly FabricHost[],
  guestSpecs: readonly (readonly InstanceWant[])[],
): readonly HostWant[] {
  const all = testWant(...guestSpecs.flat())
  const named = hosts.map(({ address }, index) => {
    const host = parseHostName(`host-${index + 1}`)
    if (host === undefined) throw new Error('not a host name')
    return { host, address, instances: guestSpecs[index] ?? [] }
  })
  return named.map((self) => {
    const others = named.filter((other) => other !== self)
    return {
      local: { ...all.local, host: self.host, instances: self.instances },
      shared: {
        ...all.shared,
        peers: others.map(({ host, address }) => ({ host, address })),
        routes: others.flatMap(({ address, instances }) =>
          instances.flatMap(({ nics }) => nics.map(({ ip }) => ({ ip, via: address }))),
        ),
      },
    }
  })
}
