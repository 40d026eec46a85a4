/** Paths, names and addresses of a lab, all derived from its name and its number of hosts. */
import { join } from 'node:path'

const DISKS = '/var/lib/atoll-lab'
const RUNTIME = '/run/atoll-lab'
/** A lab's name must fit into the names of namespaces, and its hosts into one network. */
const NAME = /^[a-z][a-z0-9]{0,15}$/
const HOSTS_LIMIT = 50
/** The first three hosts have the engines, so that the loss of any one leaves a majority. */
const ENGINE_HOSTS = 3

export interface MachineLayout {
  readonly name: string
  /** Its name in `ip netns`. */
  readonly netns: string
  readonly disk: string
  /** Process id and start time of its first process, while it is on. */
  readonly pidFile: string
}

export interface HostLayout extends MachineLayout {
  /** On the network of the hosts, where engines and daemons connect. */
  readonly fabricAddress: string
  /** The host's address on the outside network. */
  readonly outsideAddress: string
  readonly hasEngines: boolean
  /** Marks a host that is cut off from the fabric, across reboots. */
  readonly cutFile: string
}

export interface LabLayout {
  readonly name: string
  readonly dir: string
  readonly runtimeDir: string
  /** The namespace with the fabric's bridge. */
  readonly fabricNetns: string
  /** The parent of the control groups of the lab's containers. */
  readonly cgroup: string
  readonly outside: MachineLayout
  readonly hosts: readonly HostLayout[]
}

/**
 * The outside machine is the hosts' gateway. Behind it, in a network of their own, are servers (RFC
 * 5737, TEST-NET-2 and -3).
 */
export const OUTSIDE_GATEWAY = '198.51.100.1'
/** The pool of floating IPs: on the network of the gateway, behind no host. */
export const FLOATING_IPS = '198.51.100.128/28'
/** How many of them an account may have. */
export const FLOATING_IPS_OF_ACCOUNT = 12
/** The outside web server and UDP echo server. */
export const OUTSIDE_SERVER = '203.0.113.1'
/** Prefix length of both networks. */
export const PREFIX = 24

/** Throws when the name or number is not allowed, and says what is. */
export function labLayout(name: string, hosts: number): LabLayout {
  if (!NAME.test(name))
    throw new RangeError(
      `a lab's name is up to 16 of a-z and 0-9 and begins with a letter: ${name}`,
    )
  if (!Number.isInteger(hosts) || hosts < 1 || hosts > HOSTS_LIMIT)
    throw new RangeError(`a lab has 1 to ${HOSTS_LIMIT} hosts, not ${hosts}`)
  const dir = join(DISKS, name)
  const runtimeDir = join(RUNTIME, name)
  const machine = (machineName: string): MachineLayout => ({
    name: machineName,
    netns: `${netnsPrefix(name)}${machineName}`,
    disk: join(dir, machineName),
    pidFile: join(runtimeDir, `${machineName}.pid`),
  })
  return {
    name,
    dir,
    runtimeDir,
    fabricNetns: `${netnsPrefix(name)}fabric`,
    cgroup: `/atoll-lab-${name}`,
    outside: machine('outside'),
    hosts: Array.from({ length: hosts }, (_, index) => ({
      ...machine(`h${index + 1}`),
      fabricAddress: `10.0.0.${index + 1}`,
      outsideAddress: `198.51.100.${index + 11}`,
      hasEngines: index < ENGINE_HOSTS,
      cutFile: join(dir, `h${index + 1}.cut`),
    })),
  }
}

/** The prefix of the names of all namespaces of this lab only. */
export function netnsPrefix(name: string): string {
  return `atoll-lab-${name}-`
}
