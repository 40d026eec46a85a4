/**
 * Conditions for starting: the daemon's directories exist, no other daemon uses them or runs on
 * this machine, and the cloud's addresses are free on the host's network. The last is also
 * monitored later.
 */
import { chmodSync, mkdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import type { Ledger } from './agent/ledger.ts'
import type { Config } from './config.ts'
import { publishedDirectory } from './config-image-directories.ts'
import { takeDirectoryLock } from './host/files/directory-lock.ts'
import type { NamespaceHost } from './host/host.ts'
import { findAddressConflicts } from './host/network/address-probe.ts'
import { readOwnNetwork } from './host/network/own-network.ts'
import { hasLegacyRules, isForeignTable, readForeignRules } from './host/nftables/foreign-rules.ts'
import { readPortHolders } from './host/sockets/port-holders.ts'
import type { Clock } from './lib/clock.ts'
import { takeProcessLock } from './lib/process-lock.ts'
import { type Runner, systemRunner } from './lib/runner.ts'
import {
  type Cidr,
  gatewayOf,
  METADATA_ADDRESS,
  parseIpv4,
  RESOLVER_ADDRESS,
  resolverOf,
} from './model/addr.ts'
import { type CloudNetwork, type Collision, findCollisions } from './model/collisions.ts'
import {
  explainBlockingChain,
  type Finding,
  findBlockingChains,
  probeAddresses,
} from './model/foreign-rules.ts'
import { DAEMON_LOCK, isNicLink, isTransitLink } from './model/names.ts'
import { namedSources } from './model/nat.ts'
import { isPartProcess } from './parts/children.ts'
import { carriedAddresses } from './plan/carried-gateways.ts'
import { wantedFloatingIps } from './plan/floating.ts'
import { createCollisionWatch } from './services/collisions.ts'
import {
  createInterferenceWatch,
  type Interference,
  type InterferenceWatch,
} from './services/interference.ts'
import type { HostService } from './services/service.ts'
import { createForeignFirewalls } from './services/vpcs/foreign-firewalls.ts'

const PRIVATE = 0o700

/**
 * Creates the directories and locks them. Returns a function that unlocks them. Errors: another
 * daemon uses them, or runs on this machine.
 */
export async function lockDirectories(config: Config): Promise<() => Promise<void>> {
  if (process.getuid?.() !== 0)
    throw new Error('atolld needs root: start it with sudo, or with: systemctl start atolld')
  for (const dir of [config.stateDir, config.runtimeDir]) {
    mkdirSync(dir, { recursive: true, mode: PRIVATE })
    // An existing directory may be open to others. User data, keys and console output are below it.
    chmodSync(dir, PRIVATE)
  }
  // Empty until somebody publishes an image, with `atoll image publish` or by copying a file.
  const published = publishedDirectory(config.stateDir)
  if (config.images.directories.includes(published))
    mkdirSync(published, { recursive: true, mode: 0o755 })
  const locks = [
    takeDirectory('stateDir', config.stateDir),
    takeDirectory('runtimeDir', config.runtimeDir),
  ]
  // Two daemons on one machine would undo each other's links and rules, even with different
  // directories.
  const unlock = await takeProcessLock(DAEMON_LOCK)
  if (unlock === null) throw new Error('another atolld runs on this machine: stop it first')
  await writeFile(join(config.runtimeDir, 'atolld.pid'), `${process.pid}\n`)
  return async () => {
    await unlock()
    for (const release of locks) release()
  }
}

function takeDirectory(setting: 'stateDir' | 'runtimeDir', directory: string): () => void {
  const release = takeDirectoryLock(directory)
  if (release !== null) return release
  throw new Error(
    `another atolld runs with ${setting} ${directory}: stop it, or set ${setting} to another`,
  )
}

/** The cloud's addresses, except its VPCs. */
function cloudNetwork({
  store,
  bus,
  network,
  host,
}: Config): Omit<CloudNetwork, 'vpcs' | 'transits' | 'floatingIps'> {
  const needed = [
    ...store.nodes.map((node) => ['store.nodes', node] as const),
    ...bus.nodes.map((node) => ['bus.nodes', node] as const),
  ].flatMap(([setting, node]) => {
    const ip = parseIpv4(node.split(':')[0] ?? '')
    return ip === undefined ? [] : [{ setting, ip }]
  })
  return {
    services: [METADATA_ADDRESS, RESOLVER_ADDRESS],
    needed,
    pools: network.pools,
    zone: host.zone,
    natSources: namedSources(network.nat),
  }
}

/**
 * Refuses to start if the cloud's addresses would cut off this host or its instances. A host that
 * already has instances starts anyway, and `/healthz` reports the conflict. Errors: what would be
 * cut off, and the fix.
 */
export async function requireFreeAddresses(
  config: Config,
  ledger: Pick<Ledger, 'load'>,
): Promise<void> {
  if (Object.keys(networkInterfaces()).some((name) => isNicLink(name) || isTransitLink(name)))
    return
  const own = await readOwnNetwork()
  const harmful: Pick<Collision, 'what' | 'fix'>[] = findCollisions(own, {
    ...cloudNetwork(config),
    vpcs: await knownVpcs(config, ledger),
    // Nothing of ours is here yet.
    transits: [],
    floatingIps: [],
  }).filter(({ harmsHost }) => harmsHost)
  const services = [METADATA_ADDRESS, RESOLVER_ADDRESS, gatewayOf(config.network.subnet)]
  for (const { protocol, port, address, holder } of await readPortHolders(services, isDaemon))
    harmful.push({
      what: `${holder} has ${protocol} port ${port} at ${address}, and would answer instances in Atoll's place`,
      fix: 'make it listen on its own addresses only, or stop it',
    })
  const [first] = harmful
  if (first === undefined) return
  const all = harmful.map(({ what }) => what).join('; ')
  throw new Error(
    `starting would cut off this host or its instances: ${all}. Fix: ${first.fix}. Nothing was changed.`,
  )
}

/** Whether a process is this one, or serves instances for this host's daemon. */
function isDaemon(pid: number): boolean {
  return pid === process.pid || isPartProcess(pid, 'services')
}

/** The VPCs of the ledger, or the one of the settings. */
async function knownVpcs(config: Config, ledger: Pick<Ledger, 'load'>): Promise<readonly Cidr[]> {
  const want = await ledger.load().catch(() => null)
  // Others are in network namespaces of their own.
  const vpcs = want?.shared.vpcs.filter(({ network }) => network === undefined)
  return vpcs === undefined ? [config.network.vpc] : vpcs.map(({ cidr }) => cidr)
}

/**
 * Services that check what others on this machine and its network do. `/healthz` shows the last
 * findings.
 */
export interface HostMonitors {
  readonly services: readonly HostService[]
  /** The one of other firewalls in the namespace of the VPC with this number. */
  inVpc(host: NamespaceHost, network: number): HostService
  found(): { readonly collisions: readonly Collision[]; readonly interference: Interference }
}

/** Monitors of the host's own network, of other firewalls, and of other machines. */
export function createHostMonitors(
  config: Config,
  host: Parameters<typeof createInterferenceWatch>[0]['host'],
  clock: Clock,
): HostMonitors {
  const cloud = cloudNetwork(config)
  const collisions = createCollisionWatch({ read: readOwnNetwork, cloud, clock })
  const interference = watchInterference(config, host, clock)
  const inVpcs = new Map<number, readonly Finding[]>()
  return {
    services: [collisions, interference],
    inVpc: (host, network) =>
      createForeignFirewalls({
        ...{ host, network, clock, hasPeers: hasPeers(config) },
        found: (findings) => {
          if (findings.length === 0) inVpcs.delete(network)
          else inVpcs.set(network, findings)
        },
      }),
    found: () => {
      const { firewalls, addresses } = interference.found()
      return {
        collisions: collisions.found(),
        interference: { firewalls: [...firewalls, ...[...inVpcs.values()].flat()], addresses },
      }
    },
  }
}

/** Whether there may be other hosts. */
function hasPeers({ store }: Pick<Config, 'store'>): boolean {
  return store.kind !== 'sqlite'
}

/** A runner whose programs end when the signal aborts. */
function until(signal: AbortSignal): Runner {
  return (program, args, run) => systemRunner(program, args, { ...run, signal })
}

/** The monitor of other firewalls and other machines. */
function watchInterference(
  config: Config,
  host: Parameters<typeof createInterferenceWatch>[0]['host'],
  clock: Clock,
): InterferenceWatch {
  const { network, fabric } = config
  const resolver = resolverOf(network.vpc)
  const services = [gatewayOf(network.subnet), ...(resolver === undefined ? [] : [resolver])]
  return createInterferenceWatch({
    host,
    clock,
    read: {
      isForeignTable,
      hasLegacyRules,
      firewalls: async (signal, { transits = [], routedPeers = [], shared }) =>
        findBlockingChains(
          await readForeignRules(until(signal)),
          probeAddresses(network.subnet, {
            hasPeers: hasPeers(config),
            hasVpcs: transits.length > 0,
            isPeered: routedPeers.length > 0,
            isCarrying: hasPeers(config) && carriedAddresses(shared).size > 0,
          }),
        )
          .filter(({ isVital }) => isVital)
          .map(explainBlockingChain),
      addresses: (signal, want) =>
        findAddressConflicts(
          { fabric: fabric.address, services, floatingIps: wantedFloatingIps(want) },
          until(signal),
        ),
    },
  })
}
