/**
 * The port `Host` on Linux: rtnetlink for links, addresses, routes and neighbours, /proc/sys for
 * settings, nft for rules, and a device-bound socket for each NIC.
 *
 * It acts on the network namespace of the thread that calls `createLinuxHost`. Every answer is read
 * from the kernel; nothing is cached. Errors: `unavailable`, with the kernel's errno as cause.
 */
import type { Log } from '../lib/log.ts'
import { createQueues } from '../lib/queue.ts'
import type { Runner } from '../lib/runner.ts'
import { systemRunner } from '../lib/runner.ts'
import { AtollError, unavailable } from '../model/errors.ts'
import type { Flow } from '../model/flow.ts'
import type { Host } from './host.ts'
import { type Libc, loadLibc } from './libc.ts'
import { createIp, type Ip } from './netlink/ip.ts'
import { openNetfilterNetlink, openRouteNetlink } from './netlink/netlink.ts'
import { type Conntrack, createConntrack } from './network/conntrack.ts'
import { ensureFabricLink } from './network/fabric.ts'
import { createForwarding, type Forwarding } from './network/forwarding.ts'
import { attachGuest, isGuestAttached } from './network/guest.ts'
import { readHostRouting } from './network/host-routing.ts'
import { watchKernel } from './network/kernel-watch.ts'
import { createNicLock, type NicLock } from './network/lock.ts'
import { ensureHostEnd, readNicIndexes, readNics, removeLink } from './network/nics.ts'
import { ensureFabricRoutes, ensureGatewayLink } from './network/routes.ts'
import { ensureSharedTables } from './network/shared-tables.ts'
import { listenUnix, openTap, tapMaker } from './network/tap.ts'
import { createDockerUser } from './nftables/docker-user.ts'
import { createNft, type Nft } from './nftables/nft.ts'
import { createNftState, type NftState } from './nftables/nft-state.ts'
import { openRulesWatch, type RulesWatch } from './nftables/rules-watch.ts'
import { limitUserNamespace } from './processes/tables.ts'
import { type Descriptors, loadDescriptors } from './sockets/descriptors.ts'
import { bindUdpToDevice } from './sockets/udp.ts'

/** The machine on which this process runs. `runner` starts nft and iptables. */
export function createLinuxHost(options: {
  readonly log: Log
  readonly runner?: Runner
  /** File that says whether the machine was a router before Atoll. */
  readonly forwardingFile?: string
}): Host {
  const runner = options.runner ?? systemRunner
  const libc = loadLibc()
  const descriptors = loadDescriptors()
  const makeTap = tapMaker(descriptors)
  const ip = createIp(openRouteNetlink())
  const nft = createNft(runner)
  const nftState = createNftState(openNetfilterNetlink())
  const rulesWatch = openRulesWatch(() => nftState.generation())
  const conntrack = createConntrack()
  const dockerUser = createDockerUser(runner)
  const lock = createNicLock(ip, options.log)
  const forwarding = createForwarding(options.forwardingFile ?? null)
  // One change of a NIC at a time, because two services may change the same one.
  const nicLock = createQueues<string>()

  return {
    ...packetPath({ ip, rulesWatch, lock, conntrack, forwarding }),
    ensureGateway: (link, addresses) =>
      attempt(`${link} cannot be set up`, () => ensureGatewayLink(ip, link, addresses)),

    nics: () => attempt('links cannot be read', () => readNics(ip, lock)),
    nicIndexes: () => attempt('links cannot be read', () => readNicIndexes(ip)),
    ensureNic: (spec) =>
      nicLock(spec.hostLink, () =>
        attempt(`${spec.hostLink} cannot be set up`, () =>
          ensureHostEnd(ip, lock, spec, spec.kind === 'tap' ? makeTap : undefined),
        ),
      ),
    removeNic: (hostLink) =>
      nicLock(hostLink, () =>
        attempt(`${hostLink} cannot be removed`, () => removeLink(ip, hostLink)),
      ),
    plugNic: (spec, pid, setup, limited) =>
      nicLock(spec.hostLink, () =>
        attempt(`${spec.hostLink} cannot be plugged into process ${pid}`, () =>
          attachGuest(libc, ip, lock, spec, pid, setup, limited),
        ),
      ),
    isPlugged: (spec, pid, setup) =>
      nicLock(spec.hostLink, () =>
        attempt(`the namespace of process ${pid} cannot be read`, () =>
          isGuestAttached(libc, ip, spec, pid, setup),
        ),
      ),

    ...handover(descriptors, ip, runner),

    ensureFabric: (link, spec) =>
      attempt(`${link} cannot be set up`, () => ensureFabricLink(ip, link, spec)),
    ensureRoutes: (routes, vpcs, link = null) =>
      attempt('routes cannot be set', () => ensureFabricRoutes(ip, routes, vpcs, link)),

    ...rules(nft, nftState, rulesWatch),
    ensureDockerCoexistence: async (nicLinkPattern) => {
      const added = await dockerUser.ensure(nicLinkPattern)
      if (added) options.log.info({ nicLinkPattern }, 'instances accepted in DOCKER-USER')
      return added
    },

    ...sockets(libc),
    close: async () => {
      lock.end()
      ip.close()
      rulesWatch.close()
      nftState.close()
      conntrack.close()
    },
  }
}

function rules(
  nft: Nft,
  nftState: NftState,
  rulesWatch: RulesWatch,
): Pick<Host, 'applyRules' | 'listTable' | 'rulesGeneration' | 'rulesChanged' | 'ruleCounters'> {
  return {
    applyRules: (script) => nft.apply(script),
    listTable: (family, name) => nft.list(family, name),
    rulesGeneration: () =>
      attempt('the generation of the rules cannot be read', () => nftState.generation()),
    rulesChanged: (from, now) => rulesWatch.changed(from, now),
    ruleCounters: (family, table) =>
      attempt('counters cannot be read', () => nftState.counters(family, table)),
  }
}

function sockets(libc: Libc): Pick<Host, 'bindUdp'> {
  return {
    bindUdp: (link, port) =>
      attempt(`UDP port ${port} cannot be bound on ${link}`, () =>
        bindUdpToDevice(libc, link, port),
      ),
  }
}

/** What concerns the packet path as a whole. */
function packetPath({
  ip,
  rulesWatch,
  lock,
  conntrack,
  forwarding,
}: {
  readonly ip: Ip
  readonly rulesWatch: RulesWatch
  readonly lock: NicLock
  readonly conntrack: Conntrack
  readonly forwarding: Forwarding
}): Pick<
  Host,
  | 'ensureForwarding'
  | 'ensureSharedTables'
  | 'surroundings'
  | 'watchKernel'
  | 'forgetFlows'
  | 'endFlows'
> {
  return {
    ensureForwarding: () =>
      attempt('IPv4 forwarding cannot be switched on', async () => {
        await ip.addLockRule()
        return forwarding.ensure() ? ['ip_forward'] : []
      }),
    forgetFlows: (filter) =>
      attempt('connections cannot be forgotten', () => conntrack.forget(filter)),
    endFlows: (isOver) =>
      attempt('connections cannot be ended', async () => {
        const own = new Set((await ip.addresses()).map((address) => address.ip))
        const isOwn = ({ source, destination }: Flow) => own.has(source) || own.has(destination)
        return await conntrack.end((flow) => !isOwn(flow) && isOver(flow))
      }),
    watchKernel: (heard) => watchKernel(ip, rulesWatch, lock, heard),
    surroundings: () =>
      attempt('routes cannot be read', async () => ({
        ...(await readHostRouting(ip)),
        forwardedBefore: forwarding.before(),
      })),
    ensureSharedTables: (connections) =>
      attempt('shared tables of the kernel cannot be read', async () =>
        ensureSharedTables(connections),
      ),
  }
}

/** Descriptors for virtual machines, and limits of containers. */
function handover(
  descriptors: Descriptors,
  ip: Ip,
  runner: Runner,
): Pick<Host, 'openTap' | 'listenUnix' | 'limitUserNamespace'> {
  return {
    limitUserNamespace: (pid, limits, domain) => limitUserNamespace(runner, pid, limits, domain),
    openTap: (link) => attempt(`${link} cannot be opened`, () => openTap(descriptors, ip, link)),
    listenUnix: (path) =>
      attempt(`no socket can be made at ${path}`, () => listenUnix(descriptors, path)),
  }
}

/** Turns errors of the kernel into `unavailable`. */
async function attempt<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw error instanceof AtollError ? error : unavailable(what, error)
  }
}
