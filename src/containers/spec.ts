/**
 * Describes an instance to the Docker Engine. Pure.
 *
 * No Docker network (our NIC is plugged in from outside), no restart policy (the agent restarts it,
 * with its NIC), limits from the instance type, and our entry script before the image's own
 * command.
 */
import type { ContainerCreateOptions } from 'dockerode'
import { bug } from '../model/errors.ts'
import type { InstanceLimits } from '../model/limits.ts'
import {
  containerName,
  DISK_LABEL,
  GUEST_LABEL,
  INIT_LABEL,
  INSTANCE_LABEL,
  NETWORK_LABEL,
} from '../model/names.ts'
import { MIB } from '../model/sizes.ts'
import type { InstanceWant, NicWant } from '../model/want.ts'
import { toldTo } from '../plan/nic-dhcp.ts'
import { GUEST_KIT_MOUNT } from './guest-kit.ts'

/** The properties of an image that its containers depend on. */
export interface DockerImage {
  /** The engine's content id, `sha256:…` of the image configuration. */
  readonly id: string
  readonly architecture: string
  /** Entrypoint and Cmd together. Empty when the image names none. */
  readonly command: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  /** The signal that asks its first program to end. Null when the image names none. */
  readonly stopSignal: string | null
}

/**
 * `dhcp`: the guest configures its NIC itself. `init`: its first program is an init, which may
 * configure the NIC and gets the right to, but address and route are set from outside first.
 * `plain`: an ordinary program, for which everything is set.
 */
export type GuestNetwork = 'dhcp' | 'init' | 'plain'

/** Value of the image label `atoll.network` for a guest with a DHCP client. */
const DHCP = 'dhcp'
/** Value of the image label `atoll.init` for a command that must be the first program. */
const NO_INIT = 'none'
const INIT_PROGRAMS =
  /^(?:\/sbin\/init|\/bin\/init|\/usr\/sbin\/init|\/init|\/linuxrc|.*\/systemd)$/
/** An init within a shell's command: `sh -c 'setup && exec /sbin/init'`. */
const INIT_IN_SCRIPT =
  /(?:^|[\s;&|"'])(?:(?:\/usr)?\/s?bin\/init|\/init|\S*\/systemd)(?=$|[\s;&|"'])/
/** Small inits of images. They reap zombies and forward signals. */
const SMALL_INITS: ReadonlySet<string> = new Set([
  ...['tini', 'tini-static', 'docker-init', 'dumb-init', 'catatonit', 'my_init', 'runit-init'],
  ...['openrc-init', 's6-svscan', 'pid1'],
])
/** systemd.special(7): this signal powers it off. SIGTERM means something else to it. */
const SYSTEMD = /(?:^|\/)systemd$/
const SYSTEMD_STOP_SIGNAL = 'SIGRTMIN+3'

/**
 * CPU time is allocated in periods of this length. Unlike NanoCpus, the engine accepts more than
 * the machine has.
 */
const CPU_PERIOD_US = 100_000
/** The console's output is stored in at most two files of this size. */
const CONSOLE_FILE_SIZE = '128k'
const CONSOLE_FILES = '2'

/** The restrictions of a guest whose root is the host's root. */
const SHARED_ROOT = {
  CapDrop: ['MKNOD', 'NET_RAW', 'SETFCAP', 'AUDIT_WRITE'],
  SecurityOpt: ['no-new-privileges'],
}

/** The kind of an image's guests, by its label and the name of its first program. */
export function guestNetwork(
  labels: Readonly<Record<string, string>>,
  command: readonly string[],
): GuestNetwork {
  if (labels[NETWORK_LABEL] === DHCP) return 'dhcp'
  const program = command[0]
  return program === undefined || INIT_PROGRAMS.test(program) ? 'init' : 'plain'
}

/**
 * Whether the engine's small init (tini) must be the first program. Otherwise a program that is no
 * init would have to do what only an init can do: wait for orphans, and handle every signal
 * (pid_namespaces(7)). An image's own init stays first, and so does the command of an image with
 * the label `atoll.init=none`.
 */
export function needsInit(
  labels: Readonly<Record<string, string>>,
  command: readonly string[],
): boolean {
  const [program] = command
  if (program === undefined || labels[INIT_LABEL] === NO_INIT) return false
  if (SMALL_INITS.has(program.slice(program.lastIndexOf('/') + 1))) return false
  return !command.some((word) => INIT_PROGRAMS.test(word) || INIT_IN_SCRIPT.test(word))
}

/** The image's stop signal. For systemd, its own one if the image names none. */
function stopSignalOf({ stopSignal, command }: DockerImage): string | null {
  return stopSignal ?? (SYSTEMD.test(command[0] ?? '') ? SYSTEMD_STOP_SIGNAL : null)
}

/**
 * The instance's own names for its /etc/hosts, so that they resolve while DNS does not answer. One
 * line, with the full name first, which `hostname --fqdn` returns (hosts(5)). The engine writes the
 * file at each start.
 */
function ownNames(guest: Guest, zone: string): string {
  return `${guest.hostname}.${zone} ${guest.hostname}:${primaryNic(guest).ip}`
}

/** The first NIC, eth0, which has the default route and the resolver. */
export function primaryNic(guest: Guest): GuestNic {
  const nic = guest.nics[0]
  if (nic === undefined) throw bug('an instance without a NIC', { instance: guest.id })
  return nic
}

/**
 * The contents of its resolv.conf. For empty lists the engine would copy the host's. So loopback
 * means that there is no resolver (resolv.conf(5)), and the root that nothing is searched.
 */
export function resolving(
  guest: Guest,
  zone: string,
): { readonly Dns: string[]; readonly DnsSearch: string[] } {
  const { nameServers, domainNames } = toldTo(primaryNic(guest), zone)
  return {
    Dns: nameServers.length === 0 ? ['127.0.0.1'] : [...nameServers],
    DnsSearch: domainNames.length === 0 ? ['.'] : [...domainNames],
  }
}

type GuestNic = Pick<NicWant, 'ip' | 'gateway' | 'dhcp' | 'resolver'>

/** What of an instance its container is made from. The rest is plugged in, or is in its kit. */
export interface Guest extends Pick<InstanceWant, 'id' | 'hostname' | 'type'> {
  readonly nics: readonly GuestNic[]
}

/** The properties of the host that a container depends on. */
export interface ContainerContext {
  /** The instance's guest kit. */
  readonly kitDir: string
  readonly zone: string
  /**
   * Whether the engine gives containers a user namespace, in which root is an unprivileged user of
   * the host.
   */
  readonly hasUserNamespace: boolean
  /** Whether the file system can limit its size. */
  readonly hasQuota: boolean
  readonly limits: InstanceLimits
}

/**
 * The arguments of the engine's "create container".
 *
 * A container whose root is the host's root gets less: no control of its network (which is always
 * set from outside, whatever the image says), no devices or raw packets, and no programs that raise
 * a user's privileges.
 */
export function renderContainer(
  guest: Guest,
  image: DockerImage,
  { kitDir, zone, hasUserNamespace, hasQuota, limits }: ContainerContext,
): ContainerCreateOptions {
  const asked = guestNetwork(image.labels, image.command)
  const network = hasUserNamespace ? asked : 'plain'
  const memoryBytes = guest.type.memoryMiB * MIB
  const stopSignal = stopSignalOf(image)
  return {
    name: containerName(guest.id),
    Image: image.id,
    Hostname: guest.hostname,
    // The engine cannot set it in a user namespace. There it is set when the NIC is plugged in.
    ...(hasUserNamespace ? {} : { Domainname: zone }),
    Labels: {
      [INSTANCE_LABEL]: guest.id,
      [GUEST_LABEL]: network,
      [DISK_LABEL]: String(guest.type.diskGiB),
    },
    Entrypoint: [`${GUEST_KIT_MOUNT}/busybox`, 'sh', `${GUEST_KIT_MOUNT}/enter`, network],
    Cmd: [...image.command],
    // It would run before the guest has its NIC and its limits, and nobody reads what it finds.
    Healthcheck: { Test: ['NONE'] },
    ...(stopSignal === null ? {} : { StopSignal: stopSignal }),
    HostConfig: {
      Init: needsInit(image.labels, image.command),
      NetworkMode: 'none',
      ExtraHosts: [ownNames(guest, zone)],
      ...resolving(guest, zone),
      Mounts: [{ Type: 'bind', Source: kitDir, Target: GUEST_KIT_MOUNT, ReadOnly: true }],
      Memory: memoryBytes,
      MemorySwap: memoryBytes,
      CpuPeriod: CPU_PERIOD_US,
      CpuQuota: guest.type.vcpus * CPU_PERIOD_US,
      ...(hasQuota ? { StorageOpt: { size: `${guest.type.diskGiB}G` } } : {}),
      ShmSize: limits.sharedMemoryBytes,
      PidsLimit: limits.processes,
      Ulimits: [
        { Name: 'nofile', Soft: limits.openFiles, Hard: limits.openFiles },
        { Name: 'core', Soft: 0, Hard: 0 },
      ],
      // reboot(2) in a container's PID namespace only ends its own init. So an init can power off
      // and reboot as on a machine.
      CapAdd: [
        ...(asked === 'plain' ? [] : ['SYS_BOOT']),
        ...(network === 'plain' ? [] : ['NET_ADMIN']),
      ],
      ...(hasUserNamespace ? {} : SHARED_ROOT),
      LogConfig: {
        Type: 'json-file',
        Config: { 'max-size': CONSOLE_FILE_SIZE, 'max-file': CONSOLE_FILES },
      },
    },
  }
}

/** The GiB that a container may write. Null: an older version created it without a limit. */
export function diskLimitOf(labels: Readonly<Record<string, string>>): number | null {
  const limit = Number(labels[DISK_LABEL])
  return Number.isInteger(limit) && limit > 0 ? limit : null
}

/** The kind of guest that a container was created as. */
export function guestNetworkOf(labels: Readonly<Record<string, string>>): GuestNetwork {
  const kind = labels[GUEST_LABEL]
  return kind === 'dhcp' || kind === 'init' ? kind : 'plain'
}
