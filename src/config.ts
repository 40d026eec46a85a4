/**
 * Settings: the schema, and the only reader of process.env.
 *
 * Every key has a default and a one-line description, so an empty file is a complete configuration.
 * `config-file.ts` reads and prints the YAML, and the table in `docs/` is generated from here.
 */
import { hostname } from 'node:os'
import { z } from 'zod'
import { audit } from './config-audit.ts'
import { fabric } from './config-fabric.ts'
import { fence, refuseLoneFence } from './config-fence.ts'
import { flowLogs } from './config-flow-logs.ts'
import { refusePrivateDirectories } from './config-image-directories.ts'
import { imageSettings } from './config-image-settings.ts'
import { levers } from './config-levers.ts'
import { metrics } from './config-metrics.ts'
import { moves } from './config-moves.ts'
import { nat } from './config-nat.ts'
import { nicLimits } from './config-nic-limits.ts'
import { nextHopHook, pools, refuseTakenPools } from './config-pools.ts'
import { rates } from './config-rates.ts'
import { recovery } from './config-recovery.ts'
import { refuseTakenSharedAddress } from './config-shared-address.ts'
import { storage } from './config-storage.ts'
import { usage } from './config-usage.ts'
import {
  absolutePath,
  dnsName,
  ipv4Network,
  ipv4Text,
  label,
  needsNodes,
  nodeList,
  port,
  reachedNetwork,
  zoneName,
} from './config-values.ts'
import { warmInstances } from './config-warm.ts'
import { apiSection, engineTls, ownTls } from './config-wire.ts'
import { cidrContains } from './model/addr.ts'
import { fabricOverheadBytes } from './model/fabric.ts'
import { parseHostName } from './model/ids.ts'
import { type NamedProxies, namedProxies } from './model/proxies.ts'
import { RESERVED_CAPACITIES } from './model/recovery.ts'

/** The daemon's configuration file without `--config`. */
export const DEFAULT_CONFIG_FILE = '/etc/atoll/atoll.yaml'

/** This machine's name, made a valid host name. */
function defaultHostName(): string {
  const first = hostname().toLowerCase().split('.')[0] ?? ''
  return parseHostName(first) ?? 'atoll'
}

const sections = z.strictObject({
  host: z
    .strictObject({
      name: label
        .prefault(defaultHostName)
        .describe("Name of this host, unique in the cluster; default: the machine's host name"),
      region: zoneName.default('atoll-1').describe('Region that the API reports'),
      zone: zoneName.default('atoll-1a').describe('Availability zone of this host'),
    })
    .prefault({}),
  stateDir: absolutePath
    .default('/var/lib/atoll')
    .describe('What must survive a reboot: records, ledger, credentials, instance files'),
  runtimeDir: absolutePath
    .default('/run/atoll')
    .describe('What must not survive a reboot: sockets and process ids'),
  cluster: z
    .strictObject({
      secretFile: absolutePath
        .nullable()
        .default(null)
        .describe(
          "File with the cluster's secret, the same on all hosts (openssl rand -hex 32). All keys, passwords and certificates are derived from it",
        ),
    })
    .prefault({}),
  tls: ownTls,
  store: z
    .strictObject({
      kind: z
        .enum(['sqlite', 'mariadb'])
        .default('sqlite')
        .describe(
          'sqlite: a file in stateDir, for one host; mariadb: MariaDB or Galera, for many hosts',
        ),
      nodes: nodeList
        .default([])
        .describe('MariaDB nodes in order of preference, the same on all hosts: 10.0.0.1:3306'),
      database: z
        .string()
        .regex(/^[a-z][a-z0-9_]{0,63}$/, 'must be lower-case letters, digits and _')
        .default('atoll')
        .describe('Name of the database'),
      user: z.string().min(1).max(80).default('atoll').describe('User of the database'),
      passwordFile: absolutePath
        .nullable()
        .default(null)
        .describe("File with the user's password; null: derived from the cluster's secret"),
      tls: engineTls,
    })
    .superRefine(needsNodes('sqlite'))
    .prefault({}),
  bus: z
    .strictObject({
      kind: z
        .enum(['local', 'rabbitmq'])
        .default('local')
        .describe('local: in process, for one host; rabbitmq: a broker, for many hosts'),
      nodes: nodeList.default([]).describe('RabbitMQ nodes in order of preference: 10.0.0.1:5671'),
      vhost: z.string().min(1).max(128).default('/').describe('Virtual host on the broker'),
      user: z.string().min(1).max(80).default('atoll').describe('User of the broker'),
      passwordFile: absolutePath
        .nullable()
        .default(null)
        .describe("File with the user's password; null: derived from the cluster's secret"),
      tls: engineTls,
    })
    .superRefine(needsNodes('local'))
    .prefault({}),
  fabric,
  fence,
  moves,
  api: apiSection,
  network: z
    .strictObject({
      vpc: ipv4Network
        .prefault('172.31.0.0/16')
        .describe('Range of the default VPC; used at the first start only'),
      subnet: ipv4Network
        .prefault('172.31.0.0/20')
        .describe(
          'Default subnet of the first zone, inside the VPC; other zones get subnets of the same size',
        ),
      mtu: z
        .int()
        .min(576)
        .max(9000)
        .nullable()
        .default(null)
        .describe(
          'MTU of instance links, in bytes; null: 1500, or 1450 where fabric.mode is vxlan (1413 with fabric.encryption)',
        ),
      instanceToHostPorts: z
        .array(port)
        .max(64)
        .default([])
        .describe('TCP ports of the host itself that instances may reach, e.g. [8773] for the API'),
      reach: z
        .array(reachedNetwork)
        .max(256)
        .default([])
        .describe(
          'Networks that instances may reach beside their VPC and the default route: directly connected networks, Docker containers, engines',
        ),
      rates,
      interfaces: nicLimits,
      pools,
      nextHopHook,
      nat,
    })
    .superRefine(({ vpc, subnet }, context) => {
      if (!cidrContains(vpc, subnet.network) || subnet.prefix < vpc.prefix)
        context.addIssue({
          code: 'custom',
          path: ['subnet'],
          message: 'must lie inside network.vpc',
        })
    })
    .prefault({}),
  dhcp: z
    .strictObject({
      leaseSeconds: z
        .int()
        .min(60)
        .max(604_800)
        .default(3600)
        .describe('Lease time, in seconds; clients renew at half of it'),
    })
    .prefault({}),
  dns: z
    .strictObject({
      zone: dnsName.default('atoll.internal').describe('Zone of instance names'),
      forwarders: z
        .array(ipv4Text)
        .max(8)
        .nullable()
        .default(null)
        .describe("Resolvers for all other names; null: those of the host's /etc/resolv.conf"),
      timeoutMs: z
        .int()
        .min(100)
        .max(30_000)
        .default(2000)
        .describe('How long to wait for one forwarder before the next is asked, in milliseconds'),
      ttlSeconds: z.int().min(0).max(86_400).default(30).describe('TTL of instance names'),
      forwardLocal: z
        .boolean()
        .default(true)
        .describe(
          'Forward names below .local, too; false: answer that they do not exist (RFC 6762)',
        ),
      cacheEntries: z
        .int()
        .min(0)
        .max(1_000_000)
        .default(10_000)
        .describe('Maximum number of forwarded answers in the cache'),
      maxOutstanding: z
        .int()
        .min(1)
        .max(65_536)
        .default(1000)
        .describe('Maximum number of forwarded queries that wait at once'),
    })
    .prefault({}),
  docker: z
    .strictObject({
      socket: absolutePath.default('/var/run/docker.sock').describe('Docker Engine socket'),
      loginsFile: absolutePath
        .nullable()
        .default('/root/.docker/config.json')
        .describe(
          'Docker credentials of this host (docker login), used to pull images; every client may then register what these credentials reach. null: no credentials are used',
        ),
      stopSeconds: z
        .int()
        .min(1)
        .max(300)
        .default(10)
        .describe('How long a container may take to stop before it is killed, in seconds'),
    })
    .prefault({}),
  qemu: z
    .strictObject({
      accel: z
        .enum(['auto', 'kvm', 'tcg'])
        .default('auto')
        .describe(
          'kvm: hardware virtualization; tcg: emulation, slow; auto: kvm if a tiny test guest runs with it',
        ),
      stopSeconds: z
        .int()
        .min(1)
        .max(3600)
        .default(90)
        .describe(
          'How long a virtual machine may take to power off before it is killed, in seconds',
        ),
      firstUser: z
        .int()
        .min(1)
        .max(2_000_000_000)
        .default(1_900_000_000)
        .describe(
          'First of the 16,777,216 user ids that virtual machines run as, one each; nothing else may use them',
        ),
    })
    .prefault({}),
  images: imageSettings,
  capacity: z
    .strictObject({
      vcpuRatio: z
        .number()
        .min(0.1)
        .max(64)
        .default(16)
        .describe('vCPUs that may be allocated per processor of the host'),
      memoryRatio: z
        .number()
        .min(0.1)
        .max(8)
        .default(1)
        .describe('Memory that may be allocated per byte of memory of the host, after the reserve'),
      reserveMemoryMiB: z
        .int()
        .min(0)
        .max(1_048_576)
        .default(512)
        .describe('Memory kept for the host, in MiB'),
      diskRatio: z
        .number()
        .min(0.1)
        .max(1000)
        .default(10)
        .describe(
          'Disk that may be allocated to volumes per byte of the file system of stateDir; disks are sparse',
        ),
      reserveDiskMiB: z
        .int()
        .min(0)
        .max(1_048_576)
        .default(512)
        .describe('With less free disk than this (in MiB), the host takes no new instances'),
      reserve: z
        .enum(RESERVED_CAPACITIES)
        .default('none')
        .describe(
          'one-host: launches and moves leave so much room that instances with the tag atoll:recover find some when their host is lost, whichever one that is; the same on all hosts that answer the API',
        ),
    })
    .prefault({}),
  agent: z
    .strictObject({
      intervalSeconds: z
        .number()
        .min(0.2)
        .max(300)
        .default(10)
        .describe('Longest time between two checks of the records, in seconds'),
      resyncSeconds: z
        .number()
        .min(1)
        .max(3600)
        .default(120)
        .describe('Longest time between two full checks of the kernel state, in seconds'),
    })
    .prefault({}),
  warmInstances,
  storage,
  levers,
  recovery,
  usage,
  metrics,
  audit,
  flowLogs,
  log: z
    .strictObject({
      level: z
        .enum(['debug', 'info', 'warn', 'error', 'silent'])
        .default('info')
        .describe('Lowest level that is logged'),
      format: z
        .enum(['auto', 'json', 'pretty'])
        .default('auto')
        .describe('auto: JSON, or readable text if stderr is a terminal'),
    })
    .prefault({}),
})

/** Every setting: its type, limits, default and description. */
export const configSchema = sections
  .superRefine(refusePrivateDirectories)
  .superRefine(refuseTakenPools)
  .superRefine(refuseTakenSharedAddress)
  .superRefine(refuseLoneFence)

/** All settings, complete and checked. */
export type Config = z.output<typeof configSchema>

const ETHERNET_MTU_BYTES = 1500

/** MTU of instance links in bytes: the setting, or what fits a fabric of ordinary Ethernet. */
export function instanceMtuBytes({ network, fabric }: Pick<Config, 'network' | 'fabric'>): number {
  return network.mtu ?? ETHERNET_MTU_BYTES - fabricOverheadBytes(fabric)
}

/** What the command line tools read from the environment. */
export interface Environment {
  /** ATOLL_CONFIG: a configuration file other than the default one. */
  readonly configFile: string | undefined
  /** TERM: the type of the terminal. */
  readonly term: string
  /** HTTP_PROXY, HTTPS_PROXY and NO_PROXY, or their lower-case forms. */
  readonly proxies: NamedProxies
  /** NOTIFY_SOCKET: the service manager's socket for notifications (sd_notify(3)). */
  readonly notifySocket: string | undefined
  /** WATCHDOG_USEC, in milliseconds: how long the service manager waits for a notification. */
  readonly watchdogMs: number | undefined
}

/** The environment of this process, read once by `main.ts` and `cli.ts`. */
export function readEnvironment(): Environment {
  const { env } = process
  const watchdogMs = Number(env['WATCHDOG_USEC']) / 1000
  return {
    configFile: env['ATOLL_CONFIG'],
    term: env['TERM'] ?? 'dumb',
    proxies: namedProxies(env),
    notifySocket: env['NOTIFY_SOCKET'],
    watchdogMs: watchdogMs > 0 ? watchdogMs : undefined,
  }
}
