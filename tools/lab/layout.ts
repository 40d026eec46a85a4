/**
 * Where everything of a lab is and what it is called: decided from its name and its number of hosts
 * alone.
 */
import { join } from 'node:path'

const DISKS = '/var/lib/atoll-lab'
const RUNTIME = '/run/atoll-lab'
/** So that a lab's name fits into the names of namespaces, and its hosts into one network. */
const NAME = /^[a-z][a-z0-9]{0,15}$/
const HOSTS_LIMIT = 50
/** The first three hosts carry the engines: a majority of them survives the loss of any one. */
const ENGINE_HOSTS = 3

export interface MachineLayout {
  readonly name: string
  /** As `ip netns` knows it. */
  readonly netns: string
  readonly disk: string
  /** Number and start time of its first process, while it is on. */
  readonly pidFile: string
}

export interface HostLayout extends MachineLayout {
  /** Among the hosts, where the engines and the daemons meet. */
  readonly fabricAddress: string
  /** Where the world outside reaches the host. */
  readonly outsideAddress: string
  readonly hasEngines: boolean
  /** Marks a host whose fabric is cut, over reboots too. */
  readonly cutFile: string
}

export interface LabLayout {
  readonly name: string
  readonly dir: string
  readonly runtimeDir: string
  /** The namespace that holds the fabric's bridge. */
  readonly fabricNetns: string
  /** Control groups of the lab's containers lie below this one. */
  readonly cgroup: string
  readonly outside: MachineLayout
  readonly hosts: readonly HostLayout[]
}

/**
 * The machine outside is the hosts' gateway; behind it, in a network of its own, are its servers
 * (RFC 5737, TEST-NET-2 and -3).
 */
export const OUTSIDE_GATEWAY = '198.51.100.1'
/** The web server and the UDP echo outside. */
export const OUTSIDE_SERVER = '203.0.113.1'
/** Of both networks, in bits. */
export const PREFIX = 24

/** Throws, saying what is allowed, when there can be no such lab. */
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

/** All namespaces of a lab, and those of no other, begin so. */
export function netnsPrefix(name: string): string {
  return `atoll-lab-${name}-`
}
