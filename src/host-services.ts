/** What a pass of the agent applies on this host. */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Config, instanceMtuBytes } from './config.ts'
import type { Drivers } from './drivers.ts'
import type { Host, NamespaceHost } from './host/host.ts'
import { namespaceDirectory } from './host/network/vpc-namespaces.ts'
import type { SharedStorage } from './host/shared-storage.ts'
import { certificateFiles } from './lib/certificates.ts'
import type { Clock } from './lib/clock.ts'
import type { Log } from './lib/log.ts'
import type { Metrics } from './lib/metrics.ts'
import { systemRunner } from './lib/runner.ts'
import type { SecretCipher } from './lib/secret-cipher.ts'
import type { Ipv4 } from './model/addr.ts'
import type { HostRouting } from './model/host-routing.ts'
import { FORWARDING_FILE, NEXT_HOPS_FILE } from './model/names.ts'
import { poolWith } from './model/pools.ts'
import type { HostMonitors } from './preconditions.ts'
import type { CounterRooms } from './services/firewall/counters.ts'
import { createFirewall } from './services/firewall/firewall.ts'
import { createFloatingIpFlows, createFloatingIps } from './services/floating-ips.ts'
import { createFlowLogs } from './services/flow-logs/flow-logs.ts'
import type { FlowLogOutput } from './services/flow-logs/writer.ts'
import { createLinks, createRoutesToPeers } from './services/links.ts'
import { createRoleCredentials } from './services/metadata/role-credentials.ts'
import { createNextHops, type NextHopHook } from './services/next-hops.ts'
import type { HostService } from './services/service.ts'
import { createStandIns } from './services/stand-ins.ts'
import { createStorageRemovals } from './services/volumes/storage-removals.ts'
import { createVolumes } from './services/volumes/volumes.ts'
import { createDivision } from './services/vpcs/division.ts'
import { createVpcs, type Vpcs } from './services/vpcs/vpcs.ts'
import { createYielding } from './services/yielded-addresses.ts'
import type { Serving } from './serving.ts'
import { firewallSettings, vpcFirewallSettings } from './settings.ts'
import type { StartGate } from './workloads/driver.ts'
import type { LiveNetwork } from './workloads/moves/live-networks.ts'
import type { MovesSettings } from './workloads/moves/moves.ts'

/** What the services are made of. */
export interface HostServicesParts {
  readonly config: Config
  readonly log: Log
  readonly metrics: Metrics
  readonly clock: Clock
  readonly host: Host
  readonly monitors: Pick<HostMonitors, 'services' | 'inVpc'>
  readonly drivers: Pick<Drivers, 'declarations' | 'services' | 'foundLoose'>
  /** The storage that this host shares with others. Null: none. */
  readonly shared: SharedStorage | null
  /** DHCP, DNS and metadata. */
  readonly serving: Serving
  /** Seals the credentials of instances' roles. Null or absent: instances get none. */
  readonly tokens?: SecretCipher | null
  readonly rooms: CounterRooms
  readonly flowLogs: FlowLogOutput
  /** Memory of the machine that instances may have. */
  readonly instanceMemoryMiB: number
  /** How long a pass waits for the namespaces of VPCs, in milliseconds. */
  readonly vpcWaitMs?: number
  /** See `MovesSettings.records`. */
  readonly arrivals?: MovesSettings['records']
  /**
   * What leads packets to running instances that arrive, by the number of the VPC; undefined is the
   * machine's own namespace. The services are put in here.
   */
  readonly networks: Map<number | undefined, LiveNetwork>
}

/** The services in one network namespace; `network` is the number of the VPC whose it is. */
function namespaceServices(
  parts: HostServicesParts,
  host: NamespaceHost,
  metrics: Metrics,
  network?: number,
) {
  const { config, log, clock, drivers, rooms, flowLogs: output } = parts
  const { instanceMemoryMiB, tokens: cipher = null } = parts
  const { surroundings, read } = sharedSurroundings(host)
  const mtu = instanceMtuBytes(config)
  const firewall = createFirewall({
    host: { ...host, surroundings: read },
    metrics,
    settings: network === undefined ? firewallSettings(config) : vpcFirewallSettings(config),
    instanceMemoryMiB,
    rooms,
  })
  const links = createLinks({
    ...{ host, metrics, mtu, fabric: config.fabric, drivers: drivers.declarations },
    ...(network === undefined ? { pools: config.network.pools } : { network }),
    foundLoose: (nics) => drivers.foundLoose(nics),
  })
  parts.networks.set(network, { host, judge: firewall.judge, lead: links.lead })
  return {
    packets: [
      firewall,
      links,
      createFloatingIpFlows({ host: { ...host, surroundings } }),
      createFlowLogs({ host, clock, log, metrics, output }),
      ...(network === undefined ? [] : [parts.monitors.inVpc(host, network)]),
    ],
    answers: parts.serving.answers(
      host,
      metrics,
      createRoleCredentials({ cipher, random: randomBytes }),
      network,
    ),
    surroundings,
  }
}

/**
 * The firewall reads what else is on the network, first in each pass. What follows uses the same
 * reading: it must not differ from the rules.
 */
function sharedSurroundings({ surroundings }: NamespaceHost) {
  let last: Promise<HostRouting> | null = null
  const read = () => {
    last = surroundings()
    return last
  }
  return { read, surroundings: () => last ?? read() }
}

/** The namespaces of VPCs. */
export function createHostVpcs(parts: HostServicesParts): Vpcs {
  return createVpcs({
    vpcs: {
      ...parts.host.vpcs,
      remove: async (network) => {
        await parts.host.vpcs.remove(network)
        // Also where an earlier daemon had it served.
        parts.serving.end(network)
      },
    },
    machine: parts.host,
    clock: parts.clock,
    divide: createDivision(parts.instanceMemoryMiB, parts.config.network.nat),
    ...(parts.vpcWaitMs === undefined ? {} : { waitMs: parts.vpcWaitMs }),
    open: (host, network) => {
      const metrics = parts.metrics.share()
      const { packets, answers } = namespaceServices(parts, host, metrics, network)
      const end = () => {
        metrics.end()
        parts.networks.delete(network)
        parts.serving.end(network)
      }
      return { packets, answers, end }
    },
  })
}

/** The pools, who is told where their addresses are, and who else may have them. */
function floatingIpSettings(
  { config, host, clock, log }: HostServicesParts,
  wake: () => void,
  isLeaseHeld: () => boolean,
) {
  const { pools } = config.network
  const hook = nextHopHook(config, host)
  const gatewayOf = (ip: Ipv4) => poolWith(pools, ip)?.gateway ?? undefined
  const yielding = createYielding({
    ...{ clock, log, wake, isLeaseHeld },
    answeredElsewhere: (addresses) =>
      host.answeredElsewhere(
        addresses.map((address) => ({ address, gateway: gatewayOf(address) })),
      ),
  })
  const known = { pools, yielding }
  return hook === null ? known : { ...known, nextHops: createNextHops(hook, { clock, log }) }
}

/** The program that tells routers where floating IPs are; null: there is none. */
export function nextHopHook(
  { network, fabric, stateDir }: Config,
  host: Pick<Host, 'ownAddress'>,
): NextHopHook | null {
  const { nextHopHook: program } = network
  if (program === null) return null
  return {
    program,
    hostAddress: async () => fabric.address ?? (await host.ownAddress()),
    file: join(stateDir, NEXT_HOPS_FILE),
    run: systemRunner,
  }
}

/**
 * Everything that a pass applies, in this order: nothing is on the network before its rules are in.
 * `wake` asks for a pass. Whoever has no lease may have lost addresses to another host. `gate` says
 * when instances that other hosts may start again may be started.
 */
export function createHostServices(
  parts: HostServicesParts,
  vpcs: Vpcs,
  wake: () => void,
  isLeaseHeld: () => boolean,
  gate?: StartGate,
): readonly HostService[] {
  const { config, metrics, host, monitors, drivers } = parts
  const { packets, answers, surroundings } = namespaceServices(parts, host, metrics.share())
  return [
    ...packets.map(vpcs.own),
    ...monitors.services.map(vpcs.own),
    ...answers.map(vpcs.own),
    ...vpcs.services(wake),
    vpcs.own(createRoutesToPeers(host, config.fabric, config.network.pools)),
    // After the links to the namespaces of VPCs.
    vpcs.own(
      createFloatingIps({
        ...{ host: { ...host, surroundings }, clock: parts.clock },
        ...floatingIpSettings(parts, wake, isLeaseHeld),
      }),
    ),
    vpcs.own(createStandIns({ host })),
    ...drivers.services(wake, movesSettings(parts), gate),
    createVolumes({
      ...{ stateDir: config.stateDir, metrics },
      stored: createStorageRemovals(parts.shared, wake),
    }),
  ]
}

/** How instances move to and from other hosts; null: there are none. */
function movesSettings({ config, arrivals, networks }: HostServicesParts): MovesSettings | null {
  const { fabric, tls, moves } = config
  const { address } = fabric
  if (address === null) return null
  const files = certificateFiles(tls.directory)
  const identity = async () => ({
    ca: await readFile(files.ca, 'utf8'),
    cert: await readFile(files.cert, 'utf8'),
    key: await readFile(files.key, 'utf8'),
  })
  return {
    ...{ address, ...moves, identity },
    networkOf: (network) => networks.get(network),
    ...(arrivals === undefined ? {} : { records: arrivals }),
  }
}

/** What `host/linux.ts` keeps in files. */
export function hostFiles(config: Config): {
  /** Remembers whether IP forwarding was on before Atoll. */
  readonly forwardingFile: string
  /** Has the names of VPCs' network namespaces. */
  readonly namespaceDirectory: string
} {
  return {
    forwardingFile: join(config.stateDir, FORWARDING_FILE),
    namespaceDirectory: namespaceDirectory(config.runtimeDir),
  }
}
