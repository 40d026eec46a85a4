/**
 * Network namespaces of VPCs: made, named, linked to the machine's own namespace, and removed.
 *
 * A name is a bind mount of the namespace, as ip-netns(8) makes it, so the namespace outlives this
 * process and is found again. It is made in the mount namespace of process 1, because a service
 * manager may give this process one that ends with it. A namespace whose name somebody removes
 * while this process runs gets it back: the sockets inside keep it alive.
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
import { unavailable } from '../../model/errors.ts'
import { isNicLink, namespaceName, networkOfNamespace, passingLinkName } from '../../model/names.ts'
import { transitOf } from '../../model/transit.ts'
import type { NamespaceHost, VpcNamespaces } from '../host.ts'
import type { Libc } from '../libc.ts'
import { attempt, createNamespaceHost } from '../namespace-host.ts'
import { createIp, type Ip } from '../netlink/ip.ts'
import { openRouteNetlink } from '../netlink/netlink.ts'
import type { Descriptors } from '../sockets/descriptors.ts'
import { createVpcForwarding } from './forwarding.ts'
import { createNicLock } from './lock.ts'
import { inNamespace, makeNamespace, type NamespaceHandle, withoutName } from './netns.ts'
import { removeLink, retryWhileVanishing } from './nics.ts'
import { ensureSetting } from './sysctl.ts'
import { ensureTransit, intactTransits } from './transit-link.ts'

/** Where ip-netns(8) keeps names. */
export const NAMESPACE_DIRECTORY = '/run/netns'
/** File system type of mounted namespaces (NSFS_MAGIC of linux/magic.h). */
const NSFS = 0x6e73_6673
const LOOPBACK_INDEX = 1

interface Parts {
  /** Of the machine's own namespace. */
  readonly machine: Ip
  /** Where the names are. */
  readonly directory: string
  readonly libc: Libc
  readonly descriptors: Descriptors
  readonly runner: Runner
  readonly log: Log
}

/** A namespace that this process has open. */
interface Opened {
  readonly handle: NamespaceHandle
  readonly inode: number
  readonly ip: Ip
  readonly host: NamespaceHost
}

/** The namespaces, and what this process has open in them. */
export function createVpcNamespaces(parts: Parts): VpcNamespaces & {
  /** The port in a namespace that `ensure` has returned. */
  opened(network: number): NamespaceHost | undefined
  close(): Promise<void>
} {
  const names = createNames(parts.runner, parts.directory)
  const open = new Map<number, Opened>()
  const inTurn = createQueues<number>()
  const lock = createNicLock(parts.machine, parts.log)

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
    const handle = named === null ? makeNamespace(parts.libc) : withoutName(parts.libc, named)
    if (named === null) {
      await names.set(network, handle).catch((error: unknown) => {
        handle.close()
        throw error
      })
      changed.push('namespace')
    }
    const one = openIn(parts, network, handle)
    open.set(network, one)
    return one
  }

  return {
    opened: (network) => open.get(network)?.host,
    list: async () => names.list(),
    intact: async (networks) => {
      const named = networks.filter((one) => open.get(one)?.inode === names.inode(one))
      return await intactTransits(parts.machine, named)
    },
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
      lock.end()
      for (const network of [...open.keys()]) await shut(network)
    },
  }
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
  // The kernel ends a namespace some time later; its link should not wait for that.
  await removeLink(machine, transitOf(network).link)
}

/**
 * A machine that still runs holds its tap open, and with it the whole namespace, for which nothing
 * has a name then.
 */
async function removeNics(ip: Ip): Promise<void> {
  for (const { name } of await ip.links()) if (isNicLink(name)) await removeLink(ip, name)
}

/** Opens the port inside. What is made there never sends IPv6. */
function openIn(
  { machine, libc, descriptors, runner, log }: Parts,
  network: number,
  handle: NamespaceHandle,
): Opened {
  const inside = <T>(act: () => T) => inNamespace(libc, handle.fd, act)
  inside(() => {
    for (const which of ['all', 'default']) ensureSetting(`ipv6/conf/${which}/disable_ipv6`, '1')
  })
  const ip = createIp(inside(openRouteNetlink), inside)
  const passing = passingLinkName(network)
  const host = createNamespaceHost({
    ...{ ip, libc, descriptors, runner, log },
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
  return { handle, inode: fstatSync(handle.fd).ino, ip, host }
}

/** Names of namespaces. */
interface Names {
  list(): readonly number[]
  /** Null when there is none of that name. */
  open(network: number): (NamespaceHandle & { readonly inode: number }) | null
  /** Which namespace has the name; null: none. */
  inode(network: number): number | null
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
    inode,
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
