/** Translates the configuration into the settings of each part. */

import { hash } from 'node:crypto'
import { uptime } from 'node:os'
import { join } from 'node:path'
import type { HostRuntimeSettings } from './agent/host-runtime.ts'
import type { ApiSettings } from './api/action.ts'
import type { AuditSettings } from './api/audit/audit.ts'
import type { Config, Environment } from './config.ts'
import type { Host } from './host/host.ts'
import type { OutboundSettings } from './images/outbound.ts'
import { parseReach } from './images/outbound-policy.ts'
import { certificateFiles } from './lib/certificates.ts'
import { parseIpv4 } from './model/addr.ts'
import type { DriverDeclaration } from './model/driver.ts'
import { AUDIT_DIRECTORY, FLOW_LOG_DIRECTORY, RECORDS_DIRECTORY } from './model/names.ts'
import { type NatSettings, PLAIN_NAT } from './model/nat.ts'
import { networksOfPools } from './model/pools.ts'
import { chooseProxies } from './model/proxies.ts'
import { MIB } from './model/sizes.ts'
import { buildName } from './parts/services-build.ts'
import type { Surroundings } from './plan/explain.ts'
import type { FirewallSettings } from './plan/ruleset.ts'
import type { FlowLogSettings } from './services/flow-logs/sinks.ts'
import type { HostAnnouncement } from './store/records/host.ts'

/**
 * With many hosts, the loss of one is known within five seconds. A lease survives three seconds
 * without the database, as when a Galera node is lost. It is not renewed more often than necessary,
 * because renewals are most of an idle host's load.
 */
const CLUSTER_LEASE = { leaseMs: 4_300, renewMs: 1_400 }
/** On a single host nobody waits for its loss. */
const LONE_LEASE = { leaseMs: 60_000, renewMs: 15_000 }

/** The URL of the API for a client on this machine. */
export function apiEndpoint({ api }: Config): string {
  return api.url ?? `https://${api.listen === '0.0.0.0' ? '127.0.0.1' : api.listen}:${api.port}`
}

/**
 * The CA (a file that everybody may read) with which a client verifies the API. Null: the client's
 * own list of CAs suffices.
 */
export function apiAuthority({ api, tls }: Config): string | null {
  return api.tls.certificateFile === null ? certificateFiles(tls.directory).ca : api.tls.caFile
}

/**
 * Where the records of a host are that shares them with nobody: in a directory of their own where
 * processes without rights use them.
 */
export function databaseFile({ stateDir, api }: Pick<Config, 'stateDir' | 'api'>): string {
  const directory = api.workers === 0 ? stateDir : join(stateDir, RECORDS_DIRECTORY)
  return join(directory, 'atoll.db')
}

/** Names the code and the settings of this daemon, for the processes of its API. */
export function apiBuild(config: Config): string {
  return `${buildName()} ${hash('sha256', JSON.stringify(config))}`
}

/** The settings of EC2 actions, whether they are called over HTTP or the bus. */
export function apiSettings(config: Config, drivers: readonly DriverDeclaration[]): ApiSettings {
  return {
    host: config.host.name,
    region: config.host.region,
    dnsZone: config.dns.zone,
    endpoint: config.api.url === null ? null : new URL(config.api.url).host,
    drivers,
    maxInstancesPerLaunch: config.api.maxInstancesPerLaunch,
    reserve: config.capacity.reserve,
    quotas: config.api.quotas,
    rates: config.network.rates,
    nicLimits: config.network.interfaces,
    vpcPlace: 'own',
    fabricMode: config.fabric.mode,
    defaultNetwork: config.network,
    pools: config.network.pools,
    flowLogBuckets: config.flowLogs.buckets,
  }
}

/** For fetching images. */
export function outboundSettings(
  { images, store, bus }: Config,
  { proxies }: Pick<Environment, 'proxies'>,
): OutboundSettings {
  const except = (proxies.except ?? '').split(',').filter((one) => one.trim() !== '')
  const reach = images.reach.flatMap((text) => parseReach(text) ?? [])
  const engines = [...store.nodes, ...bus.nodes]
  return { reach, engines, proxy: { ...chooseProxies(images.proxy, proxies), except } }
}

/** What this host announces, and its intervals. `machine` has its identity and capacity. */
export function hostRuntimeSettings(
  config: Config,
  machine: Pick<
    HostAnnouncement,
    'version' | 'vcpus' | 'memoryMiB' | 'diskGiB' | 'identity' | 'run'
  >,
): HostRuntimeSettings {
  const { name, zone } = config.host
  return {
    self: { ...machine, name, zone, fabricAddress: config.fabric.address },
    intervalMs: config.agent.intervalSeconds * 1000,
    resyncMs: config.agent.resyncSeconds * 1000,
    leverNoticeMs: config.levers.noticeSeconds * 1000,
    usage: { ...config.usage, machineUptimeMs: () => uptime() * 1000 },
    natCarriers: { pools: config.network.pools },
    warmInstances: config.warmInstances,
    ...(config.store.kind === 'sqlite' ? LONE_LEASE : CLUSTER_LEASE),
  }
}

/** Where flow logs go. */
export function flowLogSettings({ flowLogs, stateDir }: Config): FlowLogSettings {
  return {
    directory: flowLogs.directory ?? join(stateDir, FLOW_LOG_DIRECTORY),
    fileBytes: flowLogs.fileMiB * MIB,
    totalBytes: flowLogs.totalMiB * MIB,
    accountBytes: Math.min(flowLogs.accountMiB ?? flowLogs.totalMiB / 2, flowLogs.totalMiB) * MIB,
    buckets: flowLogs.buckets,
  }
}

/** What is recorded of calls. */
export function auditSettings({ audit, stateDir }: Config): AuditSettings {
  const { directory, fileMiB, totalMiB, ...kept } = audit
  return {
    ...kept,
    directory: directory ?? join(stateDir, AUDIT_DIRECTORY),
    fileBytes: fileMiB * MIB,
    totalBytes: totalMiB * MIB,
  }
}

/**
 * The same of a process of the API, in a directory of its own: two that add to the same files would
 * set them aside twice. All of them together keep to the limit.
 */
export function apiAuditSettings(config: Config, worker = 1): AuditSettings {
  const settings = auditSettings(config)
  const all = join(settings.directory, 'api')
  return {
    ...settings,
    directory: worker === 1 ? all : join(all, `${worker}`),
    totalBytes: Math.floor(settings.totalBytes / Math.max(1, config.api.workers)),
  }
}

/** What instances may reach, what may reach them, and how fast. */
export function firewallSettings({
  network,
  fabric,
  store,
  bus,
  metrics,
}: Config): FirewallSettings {
  const nodes = [...store.nodes, ...bus.nodes].flatMap(
    (node) => parseIpv4(node.split(':')[0] ?? '') ?? [],
  )
  return {
    instanceToHostPorts: network.instanceToHostPorts,
    reach: network.reach,
    pools: networksOfPools(network.pools),
    engines: [...new Set(nodes)].toSorted(),
    fabric,
    rates: network.rates,
    countedRules: metrics.rules,
    nat: network.nat,
  }
}

/** The same inside the namespace of a VPC, where what is outside is behind one link. */
export function vpcFirewallSettings({ fabric, network, metrics }: Config): FirewallSettings {
  return {
    ...{ instanceToHostPorts: [], reach: [], pools: [], engines: [], inVpc: true },
    // Other hosts are behind VXLAN in both modes. The outer packets are in the machine's own
    // namespace.
    fabric: {
      ...fabric,
      mode: fabric.address === null ? 'direct' : 'vxlan',
      encryption: 'none',
    },
    rates: network.rates,
    countedRules: metrics.rules,
    // The way out decides on the address of the host.
    nat: { ...PLAIN_NAT, ...exceptionsOf(network.nat) },
  }
}

/** The exceptions of all VPCs, without the addresses of the host. */
function exceptionsOf({ exceptions, vpcs }: NatSettings): Pick<NatSettings, 'exceptions' | 'vpcs'> {
  return { exceptions, vpcs: vpcs.map((one) => ({ vpc: one.vpc, exceptions: one.exceptions })) }
}

/** What `atoll explain` needs besides the records. Rejects like the host's `surroundings`. */
export async function surroundingsOf(
  config: Config,
  host: Pick<Host, 'surroundings'>,
): Promise<Surroundings> {
  const routing = await host.surroundings()
  const { dns, host: self } = config
  return { ...firewallSettings(config), host: self.name, zone: dns.zone, routing }
}
