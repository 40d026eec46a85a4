/**
 * Network namespaces of VPCs: made, named, linked to the machine's own namespace, and removed.
 *
 * A name is a bind mount of the namespace, as ip-netns(8) makes it, so the namespace outlives this
 * process and is found again. It is made in the mount namespace of process 1, because a service
 * manager may give this process one that ends with it. A namespace whose name somebody removes
 * while this process runs gets it back: the sockets inside keep it alive. So does one in which a
 * virtual machine runs, whenever its name was removed.
 */
import {
  closeSync,
  fstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  statfsSync,
  statSync,
} from 'node:fs'
import { join } from 'node:path'
import { errnoOf } from '../../lib/errno.ts'
import type { Log } from '../../lib/log.ts'
import { createQueues } from '../../lib/queue.ts'
import { failureOf, type Runner } from '../../lib/runner.ts'
import type { Ipv4 } from '../../model/addr.ts'
import { unavailable } from '../../model/errors.ts'
import {
  isNicLink,
  namespaceName,
  networkOfNamespace,
  passingLinkName,
  peerLinkName,
} from '../../model/names.ts'
import { MACHINE_NETWORK } from '../../model/peering.ts'
import { TRANSIT_PREFIX, transitOf } from '../../model/transit.ts'
import type { NamespaceHost, VpcNamespaces } from '../host.ts'
import type { Libc } from '../libc.ts'
import { attempt, createNamespaceHost } from '../namespace-host.ts'
import { createIp, type Ip } from '../netlink/ip.ts'
import { openRouteNetlink } from '../netlink/netlink.ts'
import type { Descriptors } from '../sockets/descriptors.ts'
import type { LinkSocketOf } from '../sockets/udp.ts'
import { createVpcForwarding } from './forwarding.ts'
import { createNicLock, type LockPrograms } from './lock.ts'
import { openTapNamespaces } from './lost-namespaces.ts'
import { inNamespace, makeNamespace, type NamespaceHandle, withoutName } from './netns.ts'
import { removeLink, retryWhileVanishing } from './nics.ts'
import { createPeerLinks, type PeerNamespace } from './peer-link.ts'
import { ensureSetting } from './sysctl.ts'
import { ensureTransit, intactTransits } from './transit-link.ts'

/** Where ip-netns(8) keeps names. */
export const NAMESPACE_DIRECTORY = '/run/netns'
/** Of the daemon that is installed on a machine. */
const USUAL_RUNTIME_DIRECTORY = '/run/atoll'
/** File system type of mounted namespaces (NSFS_MAGIC of linux/magic.h). */
const NSFS = 0x6e73_6673
const LOOPBACK_INDEX = 1

/**
 * Where the names are that the daemon with this runtime directory makes: where ip-netns(8) looks,
 * unless it is not the machine's usual daemon.
 */
export function namespaceDirectory(runtimeDir: string): string {
  return runtimeDir === USUAL_RUNTIME_DIRECTORY ? NAMESPACE_DIRECTORY : join(runtimeDir, 'netns')
}

interface Parts {
  /** Of the machine's own namespace. */
  readonly machine: Ip
  /** Where the names are. */
  readonly directory: string
  readonly libc: Libc
  readonly descriptors: Descriptors
  readonly linkSocketOf: LinkSocketOf
  readonly lockPrograms: LockPrograms
  readonly runner: Runner
  readonly log: Log
}

/** A namespace that this process has open. */
interface Opened {
  readonly handle: NamespaceHandle
  readonly inode: number
  readonly device: number
  readonly ip: Ip
  readonly host: NamespaceHost
}

/** The namespaces, and what this process has open in them. */
export function createVpcNamespaces(parts: Parts): VpcNamespaces & {
  close(): Promise<void>
} {
  const names = createNames(parts.runner, parts.directory)
  const open = new Map<number, Opened>()
  const inTurn = createQueues<number>()
  const lock = createNicLock(parts.machine, parts.lockPrograms, parts.log)

  const shut = async (network: number) => {
    const one = open.get(network)
    open.delete(network)
    await one?.host.close()
    one?.handle.close()
  }
  /** The namespace that this process has open, else the one of that name, else a new one. */
  const find = async (network: number, changed: string[]): Promise<Opened> => {
    const known = open.get(network)
    const named = names.open(network)
    if (known !== undefined) {
      named?.close()
      if (named?.inode === known.inode) return known
      await names.set(network, known.handle)
      changed.push('name')
      return known
    }
    const lost = named === null ? await findLost(parts, network) : null
    const handle =
      named === null ? (lost ?? makeNamespace(parts.libc)) : withoutName(parts.libc, named)
    if (named === null) {
      await names.set(network, handle).catch((error: unknown) => {
        handle.close()
        throw error
      })
      changed.push(lost === null ? 'namespace' : 'name')
    }
    const one = openIn(parts, network, handle)
    open.set(network, one)
    return one
  }

  return {
    opened: (network) => open.get(network)?.host,
    list: async () => names.list(),
    named: (networks) =>
      new Set(
        networks.filter((one) => {
          const known = open.get(one)
          return known !== undefined && names.leadsTo(one, known)
        }),
      ),
    linked: (networks) => intactTransits(parts.machine, networks),
    ensure: (network) =>
      inTurn(network, () =>
        attempt(`the network namespace of VPC number ${network} cannot be made`, async () => {
          const changed: string[] = []
          const { ip, handle, host } = await find(network, changed)
          await ip.setLink(LOOPBACK_INDEX, { up: true })
          changed.push(
            ...(await retryWhileVanishing(() =>
              ensureTransit(
                { machine: parts.machine, lock, away: ip, namespaceFd: handle.fd },
                network,
              ),
            )),
          )
          return { host, changed }
        }),
      ),
    ensurePeerLinks: createPeerLinks(() => sidesOf(open, { ip: parts.machine, lock })),
    remove: (network) =>
      inTurn(network, () =>
        attempt(`the network namespace of VPC number ${network} cannot be removed`, async () => {
          const known = open.get(network)
          if (known !== undefined) await removeNics(known.ip)
          await shut(network)
          await removeNamespace(parts, names, network)
        }),
      ),
    async close() {
      for (const network of [...open.keys()]) await shut(network)
    },
  }
}

/** The open namespaces by number, and the machine's own, for links between them. */
function sidesOf(
  open: ReadonlyMap<number, Opened>,
  machine: PeerNamespace,
): ReadonlyMap<number, PeerNamespace> {
  const opened = [...open].map(([network, { ip, handle }]) => [network, { ip, fd: handle.fd }])
  return new Map([[MACHINE_NETWORK, machine], ...opened] as [number, PeerNamespace][])
}

/**
 * Removes all that there are, whoever made them, with their NICs and links. Returns their names.
 * Errors: `unavailable`.
 */
export async function removeVpcNamespaces(
  parts: Pick<Parts, 'libc' | 'machine' | 'runner'>,
  directory: string,
): Promise<readonly string[]> {
  const names = createNames(parts.runner, directory)
  const found = names.list()
  for (const network of found)
    await attempt(`${namespaceName(network)} cannot be removed`, () =>
      removeNamespace(parts, names, network),
    )
  return found.map(namespaceName)
}

/** The namespace of the VPC that has lost its name, if a virtual machine keeps it alive. */
async function findLost(
  { machine, libc, descriptors }: Pick<Parts, 'machine' | 'libc' | 'descriptors'>,
  network: number,
): Promise<NamespaceHandle | null> {
  const { link, address } = transitOf(network)
  // Its other end is in there, or there is no such namespace.
  if ((await machine.link(link))?.peerElsewhere !== true) return null
  let found: NamespaceHandle | null = null
  for (const handle of openTapNamespaces(descriptors)) {
    const isIt = found === null && (await hasAddress(libc, handle, address))
    if (isIt) found = handle
    else handle.close()
  }
  return found
}

async function hasAddress(libc: Libc, handle: NamespaceHandle, address: Ipv4): Promise<boolean> {
  const ip = createIp(inNamespace(libc, handle.fd, openRouteNetlink))
  try {
    const found = await ip.addresses()
    return found.some((one) => one.ip === address && one.prefix === TRANSIT_PREFIX)
  } finally {
    ip.close()
  }
}

async function removeNamespace(
  { libc, machine }: Pick<Parts, 'libc' | 'machine'>,
  names: Names,
  network: number,
): Promise<void> {
  const handle = names.open(network)
  if (handle !== null)
    try {
      const ip = createIp(inNamespace(libc, handle.fd, openRouteNetlink))
      await removeNics(ip).finally(() => ip.close())
    } finally {
      handle.close()
    }
  await names.clear(network)
  // The kernel ends a namespace some time later; its links should not wait for that.
  await removeLink(machine, transitOf(network).link)
  await removeLink(machine, peerLinkName(network))
}

/**
 * A machine that still runs holds its tap open, and with it the whole namespace, for which nothing
 * has a name then.
 */
async function removeNics(ip: Ip): Promise<void> {
  for (const { name } of await ip.links()) if (isNicLink(name)) await removeLink(ip, name)
}

/** Opens the port inside. What is made there never sends IPv6. */
function openIn({ machine, ...parts }: Parts, network: number, handle: NamespaceHandle): Opened {
  const inside = <T>(act: () => T) => inNamespace(parts.libc, handle.fd, act)
  inside(() => {
    for (const which of ['all', 'default']) ensureSetting(`ipv6/conf/${which}/disable_ipv6`, '1')
  })
  const ip = createIp(inside(openRouteNetlink), inside)
  const passing = passingLinkName(network)
  const host = createNamespaceHost({
    ...parts,
    ip,
    forwarding: createVpcForwarding(inside),
    // Its socket and its outer packets stay where it is made.
    makeVxlan: async (device) => {
      await removeLink(machine, passing)
      await machine.addVxlan({ ...device, name: passing })
      const made = await machine.link(passing)
      if (made === undefined) throw new Error(`${passing} vanished while it was being made`)
      await machine.setLink(made.index, { namespaceFd: handle.fd, name: device.name })
    },
    // Docker has no chains inside.
    coexistWithDocker: async () => false,
  })
  const { ino: inode, dev: device } = fstatSync(handle.fd)
  return { handle, inode, device, ip, host }
}

/** Names of namespaces. */
interface Names {
  list(): readonly number[]
  /** Null when there is none of that name. */
  open(network: number): (NamespaceHandle & { readonly inode: number }) | null
  /** Whether it is the name of this namespace. */
  leadsTo(network: number, namespace: Pick<Opened, 'inode' | 'device'>): boolean
  /** Gives the name to a namespace, and takes it from another. */
  set(network: number, handle: NamespaceHandle): Promise<void>
  clear(network: number): Promise<void>
}

const CLEAR = `while umount -l "$1/$2" 2>/dev/null; do :; done; rm -f "$1/$2"`
const SET = `mkdir -p "$1"; ${CLEAR}; : >"$1/$2"; mount --no-canonicalize --bind "$3" "$1/$2"`

function createNames(run: Runner, directory: string): Names {
  const { prefix, root } = firstProcess()
  const seen = join(root, directory)
  const shell = async (script: string, ...args: readonly string[]) => {
    const [program = 'sh', ...rest] = [...prefix, 'sh', '-ec', script, 'sh', directory, ...args]
    const result = await run(program, rest)
    if (result.exitCode !== 0)
      throw unavailable(
        'the name of a network namespace cannot be set',
        new Error(failureOf(result)),
      )
  }
  const path = (network: number) => join(seen, namespaceName(network))
  const inode = (network: number) => {
    try {
      return statfsSync(path(network)).type === NSFS ? statSync(path(network)).ino : null
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return null
      throw error
    }
  }
  return {
    leadsTo(network, { inode, device }) {
      const found = statSync(path(network), { throwIfNoEntry: false })
      return found?.ino === inode && found.dev === device
    },
    list() {
      try {
        return readdirSync(seen).flatMap((name) => networkOfNamespace(name) ?? [])
      } catch (error) {
        if (errnoOf(error) === 'ENOENT') return []
        throw error
      }
    },
    open(network) {
      const found = inode(network)
      if (found === null) return null
      const fd = openSync(path(network), 'r')
      return { fd, inode: found, close: () => closeSync(fd) }
    },
    set: (network, { fd }) => shell(SET, namespaceName(network), `/proc/${process.pid}/fd/${fd}`),
    clear: (network) => shell(CLEAR, namespaceName(network)),
  }
}

/**
 * How files of process 1 are reached, where its mount namespace is another: what a program is
 * started with, and where its files are seen. A machine's service manager has its services in mount
 * namespaces of their own (systemd.exec(5), "ProtectSystem").
 */
function firstProcess(): { readonly prefix: readonly string[]; readonly root: string } {
  const own = { prefix: [], root: '/' }
  try {
    if (readlinkSync('/proc/1/ns/mnt') === readlinkSync('/proc/self/ns/mnt')) return own
    statSync('/proc/1/root/run')
    return { prefix: ['nsenter', '--target', '1', '--mount', '--'], root: '/proc/1/root' }
  } catch {
    return own
  }
}
