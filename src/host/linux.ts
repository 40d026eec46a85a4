/**
 * The port `Host` on Linux. It acts on the network namespace of the thread that calls
 * `createLinuxHost` (`namespace-host.ts`), and on those of VPCs (`network/vpc-namespaces.ts`).
 */
import type { Socket } from 'node:net'
import type { Log } from '../lib/log.ts'
import type { Runner } from '../lib/runner.ts'
import { systemRunner } from '../lib/runner.ts'
import { unavailable } from '../model/errors.ts'
import type { Host, NamespaceHost } from './host.ts'
import { loadLibc } from './libc.ts'
import { attempt, createNamespaceHost } from './namespace-host.ts'
import { createIp } from './netlink/ip.ts'
import { openRouteNetlink } from './netlink/netlink.ts'
import { answeredElsewhere } from './network/address-probe.ts'
import {
  answeringLinks,
  createAnnouncer,
  ensureFloatingIps,
  ownAddress,
} from './network/floating-ips.ts'
import { createForwarding } from './network/forwarding.ts'
import { createLockPrograms } from './network/lock.ts'
import { ensurePoolGateways } from './network/pool-gateways.ts'
import { ensureStandInRoutes } from './network/stand-in-routes.ts'
import { listenUnix, pairedUnix } from './network/tap.ts'
import { createVpcNamespaces, NAMESPACE_DIRECTORY } from './network/vpc-namespaces.ts'
import { createDockerUser } from './nftables/docker-user.ts'
import { limitUserNamespace } from './processes/tables.ts'
import { loadDescriptors } from './sockets/descriptors.ts'
import { loadPassing } from './sockets/passing.ts'
import { createLinkSockets } from './sockets/udp.ts'

/** The machine on which this process runs. `runner` starts nft, iptables and mount. */
export function createLinuxHost(options: {
  readonly log: Log
  readonly runner?: Runner
  /** File that says whether the machine was a router before Atoll. */
  readonly forwardingFile?: string
  /** Where namespaces of VPCs have their names, instead of where ip-netns(8) has them. */
  readonly namespaceDirectory?: string
}): Host {
  const { log, runner = systemRunner } = options
  const libc = loadLibc()
  const descriptors = loadDescriptors()
  const passing = loadPassing()
  const ip = createIp(openRouteNetlink())
  const dockerUser = createDockerUser(runner)
  const announcer = createAnnouncer(ip, libc)
  const lockPrograms = createLockPrograms()
  const linkSocketOf = createLinkSockets(libc)
  const shared = { libc, descriptors, linkSocketOf, lockPrograms, runner, log }
  const own = createNamespaceHost({
    ...shared,
    ip,
    forwarding: createForwarding(options.forwardingFile ?? null),
    makeVxlan: (device) => ip.addVxlan(device),
    coexistWithDocker: async (patterns) => {
      const added = await dockerUser.ensure(patterns)
      if (added) log.info({ patterns }, 'instances accepted in DOCKER-USER')
      return added
    },
  })
  const directory = options.namespaceDirectory ?? NAMESPACE_DIRECTORY
  const vpcs = createVpcNamespaces({ ...shared, machine: ip, directory })
  const at = (network: number | undefined): NamespaceHost => {
    if (network === undefined) return own
    const host = vpcs.opened(network)
    if (host !== undefined) return host
    throw unavailable(`VPC number ${network} has no network namespace yet`)
  }

  return {
    ...own,
    ensureNic: async (spec) => at(spec.network).ensureNic(spec),
    plugNic: async (spec, pid, setup, limited) =>
      at(spec.network).plugNic(spec, pid, setup, limited),
    replugNic: async (spec, guest, setup) => at(spec.network).replugNic(spec, guest, setup),
    isPlugged: async (spec, pid, setup) => at(spec.network).isPlugged(spec, pid, setup),
    openTap: async (hostLink, network) => at(network).openTap(hostLink),
    reattachTap: async (hostLink, holder, network) => at(network).reattachTap(hostLink, holder),
    removeNic: async (hostLink, network) => at(network).removeNic(hostLink),
    limitUserNamespace: (pid, limits, domain) => limitUserNamespace(runner, pid, limits, domain),
    listenUnix: (path) =>
      attempt(`no socket can be made at ${path}`, () => listenUnix(descriptors, path)),
    pairedUnix: () => pairedUnix(descriptors),
    sendDescriptor: (socket, bytes, fd) => passing.sendOver(descriptorOf(socket), bytes, fd),
    ensureFloatingIps: (routes) =>
      attempt('floating IPs cannot be set up', () => ensureFloatingIps(ip, announcer, routes)),
    ownAddress: () => attempt('the address of this host cannot be read', () => ownAddress(ip)),
    ensurePoolGateways: (routes) =>
      attempt('gateways of pools cannot be set up', () => ensurePoolGateways(ip, routes)),
    ensureStandInRoutes: (routes) =>
      attempt('routes to VPCs cannot be set up', () => ensureStandInRoutes(ip, routes)),
    announceFloatingIps: (addresses) =>
      attempt('floating IPs cannot be announced', () => announcer.announce(addresses)),
    answeredElsewhere: async (addresses) =>
      await answeredElsewhere(await answeringLinks(ip, addresses), runner),
    vpcs,
    close: async () => {
      announcer.close()
      await vpcs.close()
      await own.close()
      lockPrograms.end()
    },
  }
}

/**
 * The descriptor behind a connection, which Node has no documented way to ask for. Errors:
 * `unavailable` when it is closed.
 */
export function descriptorOf(socket: Socket): number {
  const handle: unknown = Reflect.get(socket, '_handle')
  const fd: unknown =
    typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : undefined
  if (typeof fd === 'number' && fd >= 0) return fd
  throw unavailable('the connection is closed')
}
