/**
 * What the port to the machine does in one network namespace: rtnetlink for links, addresses,
 * routes and neighbours, /proc/sys for settings, nft for rules, and a device-bound socket for each
 * NIC.
 *
 * Sockets are made inside the namespace when it is opened, and act there from anywhere. Settings,
 * programs, taps and later sockets are made by entering it for one synchronous call. Every answer
 * is read from the kernel; nothing is cached. Errors: `unavailable`, with the kernel's errno as
 * cause.
 */
import type { Log } from '../lib/log.ts'
import { createQueues } from '../lib/queue.ts'
import type { Runner } from '../lib/runner.ts'
import { AtollError, unavailable } from '../model/errors.ts'
import type { Flow } from '../model/flow.ts'
import type { NamespaceHost } from './host.ts'
import type { Libc } from './libc.ts'
import type { Ip } from './netlink/ip.ts'
import { openNetfilterNetlink } from './netlink/netlink.ts'
import { askArp } from './network/arp-question.ts'
import { type Conntrack, createConntrack } from './network/conntrack.ts'
import { ensureFabricLink, type MakeVxlan } from './network/fabric.ts'
import type { Forwarding } from './network/forwarding.ts'
import { attachGuest, isGuestAttached, reattachGuest } from './network/guest.ts'
import { readHostRouting } from './network/host-routing.ts'
import { injectFrame } from './network/inject.ts'
import { watchKernel } from './network/kernel-watch.ts'
import { createNicLock, type LockPrograms, type NicLock } from './network/lock.ts'
import type { Inside } from './network/netns.ts'
import { ensureHostEnd, readNicIndexes, readNics, removeLink } from './network/nics.ts'
import { ensureRouterRoutes } from './network/router-routes.ts'
import { ensureFabricRoutes, ensureGatewayLink } from './network/routes.ts'
import { ensureSharedTables } from './network/shared-tables.ts'
import { openTap, reattachTap, tapMaker } from './network/tap.ts'
import { hasLegacyRules, isForeignTable, readForeignRules } from './nftables/foreign-rules.ts'
import { createNft } from './nftables/nft.ts'
import { createNftState } from './nftables/nft-state.ts'
import { openRulesWatch, type RulesWatch } from './nftables/rules-watch.ts'
import { openTraceWatch } from './nftables/trace-watch.ts'
import type { Descriptors } from './sockets/descriptors.ts'
import { createServiceSockets } from './sockets/listen.ts'
import { createServiceDescriptors } from './sockets/service-descriptors.ts'
import { type LinkSocketOf, openUdpOnDevice } from './sockets/udp.ts'

/** What the port of one namespace is made of. */
export interface NamespaceParts {
  /** Of the namespace. Closing the port closes it. */
  readonly ip: Ip
  readonly forwarding: Forwarding
  /** Makes a VXLAN device in the namespace. */
  readonly makeVxlan: MakeVxlan
  readonly coexistWithDocker: (patterns: readonly string[]) => Promise<boolean>
  readonly libc: Libc
  readonly descriptors: Descriptors
  readonly linkSocketOf: LinkSocketOf
  readonly lockPrograms: LockPrograms
  /** Starts nft. */
  readonly runner: Runner
  readonly log: Log
}

/** The port. */
export function createNamespaceHost(parts: NamespaceParts): NamespaceHost {
  const { ip, forwarding, makeVxlan, libc, descriptors, runner } = parts
  const { inside } = ip
  const conntrack = createConntrack({ inside })
  const lock = createNicLock(ip, parts.lockPrograms, parts.log)
  const rules = openRules(inside, within(inside, runner))
  const path = packetPath({ ip, rulesWatch: rules.watch, lock, conntrack, forwarding })
  return {
    ...path,
    ...nics(parts, lock),
    ensureGateway: (link, addresses) =>
      attempt(`${link} cannot be set up`, () => ensureGatewayLink(ip, link, addresses)),
    openTap: (link) => attempt(`${link} cannot be opened`, () => openTap(descriptors, ip, link)),
    reattachTap: (link, holder) =>
      attempt(`${link} cannot be given back to process ${holder.pid}`, () =>
        reattachTap({ descriptors, libc, ip }, link, holder),
      ),
    ensureFabric: (link, spec) =>
      attempt(`${link} cannot be set up`, () => ensureFabricLink(ip, link, spec, makeVxlan)),
    ensureRoutes: (routes, vpcs, link = null) =>
      attempt('routes cannot be set', () => ensureFabricRoutes(ip, routes, vpcs, link)),
    ensureRouterRoutes: (wanted) =>
      attempt('routes of subnets cannot be set', () => ensureRouterRoutes(ip, wanted)),
    ...rules.port,
    ensureDockerCoexistence: parts.coexistWithDocker,
    injectFrame: (link, from, frame) =>
      attempt(`no packet can be sent from ${link}`, async () => {
        const found = await ip.link(link)
        if (found === undefined) throw unavailable(`there is no link ${link}`)
        const addressed = Uint8Array.from(frame)
        addressed.set([...macBytes(found.mac), ...macBytes(from)])
        inside(() => injectFrame(found.index, addressed))
      }),
    answersArp: (link, asked, clock) =>
      attempt(`${link} cannot be asked`, () => askArp({ ip, libc }, link, asked, clock)),
    linkNames: async () =>
      new Map((await ip.links()).map(({ index, name }) => [index, name] as const)),
    bindUdp: (link, port) =>
      attempt(`UDP port ${port} cannot be bound on ${link}`, async () =>
        parts.linkSocketOf(openUdpOnDevice(libc, inside, link, port)),
      ),
    sockets: createServiceSockets(inside, libc),
    descriptors: createServiceDescriptors(inside, libc),
    close: async () => {
      ip.close()
      rules.close()
      conntrack.close()
    },
  }
}

function macBytes(mac: string): readonly number[] {
  return mac.split(':').map((part) => Number.parseInt(part, 16))
}

/** A runner whose programs are started inside. */
function within(inside: Inside, run: Runner): Runner {
  return (program, args, settings) => inside(() => run(program, args, settings))
}

function nics(
  { ip, libc, descriptors }: NamespaceParts,
  lock: NicLock,
): Pick<
  NamespaceHost,
  'nics' | 'nicIndexes' | 'ensureNic' | 'removeNic' | 'plugNic' | 'replugNic' | 'isPlugged'
> {
  // One change of a NIC at a time: two services may change the same one.
  const nicLock = createQueues<string>()
  const makeTap = tapMaker(descriptors)
  const home = { libc, ip, lock }
  return {
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
          attachGuest(home, spec, pid, setup, limited),
        ),
      ),
    replugNic: (spec, guest, setup) =>
      nicLock(spec.hostLink, () =>
        attempt(`${spec.hostLink} cannot be plugged into process ${guest.pid}`, () =>
          reattachGuest(home, spec, guest, setup),
        ),
      ),
    isPlugged: (spec, pid, setup) =>
      nicLock(spec.hostLink, () =>
        attempt(`the namespace of process ${pid} cannot be read`, () =>
          isGuestAttached(home, spec, pid, setup),
        ),
      ),
  }
}

interface OpenRules {
  readonly watch: RulesWatch
  readonly port: Pick<
    NamespaceHost,
    | 'applyRules'
    | 'listTable'
    | 'rulesGeneration'
    | 'rulesChanged'
    | 'watchRules'
    | 'foreignChains'
    | 'ruleCounters'
    | 'linkCounters'
    | 'elementCounters'
    | 'ruleTexts'
    | 'watchTrace'
  >
  close(): void
}

function openRules(inside: Inside, runner: Runner): OpenRules {
  const nft = createNft(runner)
  const state = createNftState(inside(openNetfilterNetlink))
  const watch = inside(() => openRulesWatch(() => state.generation()))
  return {
    watch,
    port: {
      applyRules: (script) => nft.apply(script),
      listTable: (family, name) => nft.list(family, name),
      rulesGeneration: () =>
        attempt('the generation of the rules cannot be read', () => state.generation()),
      rulesChanged: (from, now) => watch.changed(from, now),
      watchRules: (heard) => watch.onChange(heard),
      foreignChains: async () => {
        const tables = await attempt('tables cannot be read', () => state.tables())
        if (!tables.some(isForeignTable) && !inside(hasLegacyRules)) return []
        return await readForeignRules(runner)
      },
      ruleCounters: () => attempt('counters cannot be read', () => state.counters()),
      elementCounters: (table, set) =>
        attempt('counters cannot be read', () => state.elementCounters(table, set)),
      ruleTexts: (family, table) => nft.ruleTexts(family, table),
      watchTrace: (heard) => inside(() => openTraceWatch(heard)),
      linkCounters: (table, set) =>
        attempt('counters cannot be read', () => state.linkCounters(table, set)),
    },
    close() {
      watch.close()
      state.close()
    },
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
  NamespaceHost,
  | 'ensureForwarding'
  | 'ensureSharedTables'
  | 'surroundings'
  | 'watchKernel'
  | 'forgetFlows'
  | 'endFlows'
  | 'carriedFlows'
  | 'carryOn'
  | 'flowTraffic'
> {
  const ownAddresses = async () => new Set((await ip.addresses()).map((address) => address.ip))
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
        const own = await ownAddresses()
        const isOwn = ({ source, destination }: Flow) => own.has(source) || own.has(destination)
        return await conntrack.end((flow) => !isOwn(flow) && isOver(flow))
      }),
    carriedFlows: (address) =>
      attempt('connections cannot be read', () => conntrack.carried(address)),
    carryOn: (flows) =>
      attempt('connections cannot be taken over', async () => {
        const own = await ownAddresses()
        await conntrack.carryOn(
          flows.filter(({ source, destination }) => !own.has(source) && !own.has(destination)),
        )
      }),
    flowTraffic: () => attempt('connections cannot be read', () => conntrack.traffic()),
    watchKernel: (heard) => watchKernel(ip, rulesWatch, lock, heard),
    surroundings: () =>
      attempt('routes cannot be read', async () => ({
        ...(await readHostRouting(ip)),
        forwardedBefore: forwarding.before(),
      })),
    ensureSharedTables: (connections) =>
      attempt('shared tables of the kernel cannot be read', async () =>
        ip.inside(() => ensureSharedTables(connections)),
      ),
  }
}

/** Turns errors of the kernel into `unavailable`. */
export async function attempt<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw error instanceof AtollError ? error : unavailable(what, error)
  }
}
