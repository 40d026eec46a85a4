/**
 * How an instance is described to the Docker Engine. Pure.
 *
 * No network of Docker's (our NIC is plugged in from outside), no restart policy (the agent
 * restarts, with the NIC), limits from the instance type, our entry script before the image's own
 * command.
 */
import type { ContainerCreateOptions } from 'dockerode'
import { RESOLVER_ADDRESS } from '../model/addr.ts'
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
import { GUEST_KIT_MOUNT } from './guest-kit.ts'

/** What of an image decides how its containers are made. */
export interface DockerImage {
  /** The engine's content id, `sha256:…` of the image configuration. */
  readonly id: string
  readonly architecture: string
  /** Entrypoint and Cmd in one; empty when the image names none. */
  readonly command: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  /** The signal that asks its first program to end; null when the image names none. */
  readonly stopSignal: string | null
}

/**
 * `dhcp`: the guest configures its NIC by itself. `init`: its first program is an init, which may,
 * so it gets the right to, but address and route are set from outside first. `plain`: an ordinary
 * program that finds everything set.
 */
export type GuestNetwork = 'dhcp' | 'init' | 'plain'

/** Value of the image label `atoll.network` for a guest that runs a DHCP client. */
const DHCP = 'dhcp'
/** Value of the image label `atoll.init` for a command that wants to be the first program. */
const NO_INIT = 'none'
const INIT_PROGRAMS =
  /^(?:\/sbin\/init|\/bin\/init|\/usr\/sbin\/init|\/init|\/linuxrc|.*\/systemd)$/
/** The same within a shell's command: `sh -c 'setup && exec /sbin/init'`. */
const INIT_IN_SCRIPT =
  /(?:^|[\s;&|"'])(?:(?:\/usr)?\/s?bin\/init|\/init|\S*\/systemd)(?=$|[\s;&|"'])/
/** Programs that images bring to be the first one: they reap, and hand signals on. */
const SMALL_INITS: ReadonlySet<string> = new Set([
  ...['tini', 'tini-static', 'docker-init', 'dumb-init', 'catatonit', 'my_init', 'runit-init'],
  ...['openrc-init', 's6-svscan', 'pid1'],
])
/** systemd.special(7): it powers off by this signal, and takes SIGTERM for something else. */
const SYSTEMD = /(?:^|\/)systemd$/
const SYSTEMD_STOP_SIGNAL = 'SIGRTMIN+3'

/**
 * CPU time is handed out in periods of this length; unlike NanoCpus the engine does not refuse more
 * than the machine has.
 */
const CPU_PERIOD_US = 100_000
/** The console that is kept: at most two files of this size. */
const CONSOLE_FILE_SIZE = '128k'
const CONSOLE_FILES = '2'

/** What the host's own root is denied when it is a guest. */
const SHARED_ROOT = {
  CapDrop: ['MKNOD', 'NET_RAW', 'SETFCAP', 'AUDIT_WRITE'],
  SecurityOpt: ['no-new-privileges'],
}

/** Which kind of guest an image makes, by its label and the name of its first program. */
export function guestNetwork(
  labels: Readonly<Record<string, string>>,
  command: readonly string[],
): GuestNetwork {
  if (labels[NETWORK_LABEL] === DHCP) return 'dhcp'
  const program = command[0]
  return program === undefined || INIT_PROGRAMS.test(program) ? 'init' : 'plain'
}

/**
 * Whether the engine's own small init (tini) is to be the first program, before the image's.
 * Otherwise a program that is no init gets what only an init can do: orphans to wait for, and no
 * signal that it has no handler for (pid_namespaces(7)). An image's own init stays the first; so
 * does whatever an image with the label `atoll.init=none` names.
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

/** What the image says, and for systemd what it needs when the image says nothing. */
function stopSignalOf({ stopSignal, command }: DockerImage): string | null {
  return stopSignal ?? (SYSTEMD.test(command[0] ?? '') ? SYSTEMD_STOP_SIGNAL : null)
}

/**
 * The instance's own names in its /etc/hosts, so that they resolve while nobody answers for the
 * DNS. One line, its full name first: that is what `hostname --fqdn` goes by (hosts(5)). The engine
 * writes the file anew at each start.
 */
function ownNames(want: InstanceWant, zone: string): string {
  return `${want.hostname}.${zone} ${want.hostname}:${primaryNic(want).ip}`
}

/** The first NIC, eth0: it carries the default route and the resolver. */
function primaryNic(want: InstanceWant): NicWant {
  const nic = want.nics[0]
  if (nic === undefined) throw bug('an instance without a NIC', { instance: want.id })
  return nic
}

/** What of the host decides how a container is made. */
export interface ContainerGround {
  /** The instance's guest kit. */
  readonly kitDir: string
  readonly zone: string
  /** Whether the engine gives its containers a user namespace: their root is nobody on the host. */
  readonly hasUserNamespace: boolean
  /** Whether the file system can hold it to a size. */
  readonly hasQuota: boolean
  readonly limits: InstanceLimits
}

/**
 * The arguments for the engine's "create container".
 *
 * Where the root of a container is the host's root, it gets less: no right over its network (which
 * is then set from outside, whatever the image says), none to make devices or raw packets, and no
 * program that makes a user more than it was.
 */
export function renderContainer(
  want: InstanceWant,
  image: DockerImage,
  { kitDir, zone, hasUserNamespace, hasQuota, limits }: ContainerGround,
): ContainerCreateOptions {
  const asked = guestNetwork(image.labels, image.command)
  const network = hasUserNamespace ? asked : 'plain'
  const memoryBytes = want.type.memoryMiB * MIB
  const stopSignal = stopSignalOf(image)
  return {
    name: containerName(want.id),
    Image: image.id,
    Hostname: want.hostname,
    // Within a user namespace the engine cannot set it; it is set when the NIC is plugged in.
    ...(hasUserNamespace ? {} : { Domainname: zone }),
    Labels: {
      [INSTANCE_LABEL]: want.id,
      [GUEST_LABEL]: network,
      [DISK_LABEL]: String(want.type.diskGiB),
    },
    Entrypoint: [`${GUEST_KIT_MOUNT}/busybox`, 'sh', `${GUEST_KIT_MOUNT}/enter`, network],
    Cmd: [...image.command],
    ...(stopSignal === null ? {} : { StopSignal: stopSignal }),
    HostConfig: {
      Init: needsInit(image.labels, image.command),
      NetworkMode: 'none',
      ExtraHosts: [ownNames(want, zone)],
      Dns: [primaryNic(want).gateway, RESOLVER_ADDRESS],
      DnsSearch: [zone],
      Mounts: [{ Type: 'bind', Source: kitDir, Target: GUEST_KIT_MOUNT, ReadOnly: true }],
      Memory: memoryBytes,
      MemorySwap: memoryBytes,
      CpuPeriod: CPU_PERIOD_US,
      CpuQuota: want.type.vcpus * CPU_PERIOD_US,
      ...(hasQuota ? { StorageOpt: { size: `${want.type.diskGiB}G` } } : {}),
      ShmSize: limits.sharedMemoryBytes,
      PidsLimit: limits.processes,
      Ulimits: [
        { Name: 'nofile', Soft: limits.openFiles, Hard: limits.openFiles },
        { Name: 'core', Soft: 0, Hard: 0 },
      ],
      // reboot(2) in a container's PID namespace ends only its own init: an init can power off and
      // reboot as on a machine.
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

/**
 * How many GiB a container of ours may write; null: an older version made it, which set no limit.
 */
export function diskLimitOf(labels: Readonly<Record<string, string>>): number | null {
  const limit = Number(labels[DISK_LABEL])
  return Number.isInteger(limit) && limit > 0 ? limit : null
}

/** The kind of guest that a container of ours was made as. */
export function guestNetworkOf(labels: Readonly<Record<string, string>>): GuestNetwork {
  const kind = labels[GUEST_LABEL]
  return kind === 'dhcp' || kind === 'init' ? kind : 'plain'
}
