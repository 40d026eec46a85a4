/**
 * The way to a state makes no difference: a host that was in state A and then in B has the kernel
 * state, sockets and answers of a host that was only ever in B. So it is with the same daemon, with
 * one that was started in between, and with one that was started after the one before died between
 * two services of a pass. Project Calico tests its Felix in this way. The short mode goes through
 * some of the states, the long mode (`../long-files.ts`) through all, and in more ways.
 */

import { Resolver } from 'node:dns/promises'
import { mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { DOCKER } from '../../src/containers/declaration.ts'
import { createLinuxHost } from '../../src/host/linux.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { createMetrics } from '../../src/lib/metrics.ts'
import { QEMU } from '../../src/machines/declaration.ts'
import { ipv4, RESOLVER_ADDRESS } from '../../src/model/addr.ts'
import { ipHostLabel } from '../../src/model/hostname.ts'
import type { HostWant } from '../../src/model/want.ts'
import type { Snapshot } from '../../src/plan/want.ts'
import { createDhcp } from '../../src/services/dhcp/dhcp.ts'
import { createDns } from '../../src/services/dns/dns.ts'
import { createFirewall } from '../../src/services/firewall/firewall.ts'
import { createLinks } from '../../src/services/links.ts'
import { createMetadata } from '../../src/services/metadata/metadata.ts'
import type { HostService } from '../../src/services/service.ts'
import { LONE_FIREWALL } from '../../tools/kit/instance.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { createNetns } from '../../tools/kit/netns.ts'
import { differences, kernelState } from '../kit/kernel-state.ts'
import {
  everyAddress,
  FABRIC_ADDRESS,
  newPlanner,
  readAfter,
  reversed,
  STATES,
  type State,
  type StateSettings,
  walkOfPairs,
} from '../kit/states.ts'
import { isLong } from '../long-files.ts'

const ZONE = 'atoll.internal'
/** The metadata service listens here once more, for callers on the loopback network. */
const LOOPBACK = { address: ipv4('127.0.0.1'), port: 8080 }
const KEY = new Uint8Array(32).fill(7)
const ANSWER_MS = 20_000
const FAULTS_SHOWN = 5
/** Of one walk; every step takes about 0.3 s. */
const WALK_MS = 600_000
vi.setConfig({ testTimeout: WALK_MS, hookTimeout: WALK_MS })

const states = STATES.filter((state) => isLong || !state.isLong)
const addresses = everyAddress(states).slice(0, 6)
const names = [
  'web',
  ...new Set(states.flatMap(({ records }) => records.nics.map(({ instance }) => instance))),
  ...addresses.map(ipHostLabel),
].map((label) => `${label}.${ZONE}`)

/** A daemon's services, on the real kernel. */
interface Daemon {
  readonly settings: StateSettings
  readonly services: readonly HostService[]
  /** One pass; `until`: it dies behind so many services. */
  pass(records: Snapshot, until?: number): Promise<void>
  close(): Promise<void>
}

function startDaemon(settings: StateSettings, forwardingFile: string): Daemon {
  const { fabric, mtu, instanceToHostPorts } = settings
  const host = createLinuxHost({ log: silentLog, forwardingFile })
  const common = { metrics: createMetrics(), clock: systemClock, log: silentLog }
  const { metrics } = common
  const metadata = {
    ...{ ...common, key: KEY },
    settings: { zone: ZONE, region: 'atoll-1', architecture: 'x86_64' },
  }
  const firewall = { ...LONE_FIREWALL, fabric, instanceToHostPorts }
  const dns = {
    ...{ zone: ZONE, forwarders: [], timeoutMs: 100, ttlSeconds: 30, forwardLocal: true },
    ...{ cacheEntries: 10, maxOutstanding: 10 },
  }
  const services = [
    createFirewall({ host, metrics, settings: firewall, instanceMemoryMiB: 2048 }),
    createLinks({
      ...{ host, metrics, mtu, fabric, drivers: [QEMU, DOCKER] },
      foundLoose: () => undefined,
    }),
    createDhcp({ ...common, host, settings: { leaseSeconds: 3600, mtu, zone: ZONE } }),
    createDns({ ...common, settings: dns }),
    createMetadata(metadata),
  ]
  const twin = createMetadata({ ...metadata, metrics: createMetrics(), listen: LOOPBACK })
  const signal = new AbortController().signal
  const plan = newPlanner()
  let records: Snapshot | null = null
  return {
    settings,
    services,
    async pass(read, until = services.length) {
      records = records === null ? read : readAfter(records, read)
      const want = plan(records)
      const pass = { want, resync: false, signal, log: silentLog }
      for (const service of services.slice(0, until)) await service.apply(pass)
      if (until === services.length) await twin.apply({ ...pass, want: onLoopback(want) })
    },
    async close() {
      for (const service of [...services, twin]) await service.close()
      await host.close()
    },
  }
}

/**
 * The same instances with addresses of the loopback network, so that this process can ask as them.
 */
function onLoopback(want: HostWant): HostWant {
  const instances = want.local.instances.map((instance) => ({
    ...instance,
    nics: instance.nics.map((nic) => ({ ...nic, ip: ipv4(loopbackOf(nic.ip)) })),
  }))
  return { ...want, local: { ...want.local, instances } }
}

function loopbackOf(address: string): string {
  return address.replace(/^\d+/, '127')
}

/** A host where nothing of ours is; the calling thread is in it until it is closed. */
async function newMachine(): Promise<() => Promise<void>> {
  const netns = await createNetns('pairs')
  await netns.must([
    'sh',
    '-ec',
    `ip link add up0 type veth peer name out0; ip addr add 198.51.100.1/24 dev up0
     ip link add fab0 type veth peer name fab1; ip addr add ${FABRIC_ADDRESS}/24 dev fab0
     for link in up0 out0 fab0 fab1; do sysctl -qw net.ipv6.conf.$link.disable_ipv6=1
     ip link set $link up; done; ip route add default via 198.51.100.2`,
  ])
  const leave = netns.enter()
  return async () => {
    leave()
    await netns.destroy()
  }
}

/** What the resolver and the metadata service answer. */
async function answers(): Promise<readonly string[]> {
  const resolver = new Resolver({ timeout: ANSWER_MS, tries: 1 })
  resolver.setServers([RESOLVER_ADDRESS])
  resolver.setLocalAddress(RESOLVER_ADDRESS)
  const resolved = names.map(async (name) => {
    const found = await resolver.resolve4(name).catch(({ code }: { code: string }) => [code])
    return `name ${name} ${found.toSorted().join(' ')}`
  })
  const paths = ['instance-id', 'mac', 'security-groups', 'tags/instance/Name', 'local-ipv4']
  const told = addresses.flatMap((from) => [
    ...paths.map(async (path) => `metadata ${from} ${path} ${await read(from, path)}`),
  ])
  return Promise.all([...resolved, ...told])
}

async function read(from: string, path: string): Promise<string> {
  const answer = Promise.withResolvers<string>()
  const options = { host: LOOPBACK.address, port: LOOPBACK.port, localAddress: loopbackOf(from) }
  request({ ...options, agent: false, path: `/latest/meta-data/${path}` }, (response) => {
    let body = ''
    response.on('data', (chunk) => {
      body += chunk
    })
    response.on('end', () => answer.resolve(`${response.statusCode} ${body}`))
  })
    .on('error', () => answer.resolve('refused'))
    .end()
  return answer.promise
}

async function all(): Promise<readonly string[]> {
  return [...(await kernelState()), ...(await answers())]
}

const directory = mkdtempSync(join(tmpdir(), 'atoll-pairs-'))
afterAll(() => rmSync(directory, { recursive: true }))

/** Where a machine remembers what it was before: another for each. */
function newForwardingFile(): string {
  return join(mkdtempSync(join(directory, 'machine-')), 'forwarding')
}

/** Each state on a machine of its own. */
async function fromScratch(state: State): Promise<readonly string[]> {
  const close = await newMachine()
  const daemon = startDaemon(state.settings, newForwardingFile())
  await daemon.pass(state.records)
  const found = await all()
  await daemon.close()
  await close()
  return found
}

/** Goes through states on one machine, and compares each with what it is from scratch. */
interface Walk {
  /** `how` says from where and in which way the host comes to this state, for a report. */
  arrive(how: string, state: State, arrival: Arrival): Promise<void>
  /** What was found to differ, and the machine gone. */
  end(): Promise<readonly string[]>
}

interface Arrival {
  readonly records: State['records']
  /** Whether the daemon that made the state before has ended, and another one makes this. */
  readonly restart: boolean
  /** What such a daemon had begun before, and behind how many services it died. */
  readonly begun?: { readonly state: State; readonly until: number }
}

async function startWalk(): Promise<Walk> {
  const faults: string[] = []
  let machine: (() => Promise<void>) | null = null
  let daemon: Daemon | null = null
  let file = ''

  const close = async () => {
    await daemon?.close()
    await machine?.()
    daemon = null
    machine = null
  }
  const daemonWith = async (settings: StateSettings, restart: boolean): Promise<Daemon> => {
    if (daemon !== null && !restart && daemon.settings === settings) return daemon
    await daemon?.close()
    daemon = startDaemon(settings, file)
    return daemon
  }
  return {
    async arrive(how, state, { records, restart, begun }) {
      if (machine === null) {
        machine = await newMachine()
        file = newForwardingFile()
      }
      if (begun !== undefined) {
        const dying = await daemonWith(begun.state.settings, restart)
        await dying.pass(begun.state.records, begun.until)
      }
      const current = await daemonWith(state.settings, restart)
      await current.pass(records)
      const differing = differences(expected(state), await all())
      if (differing.length === 0) return
      faults.push(`${how}:\n${differing.join('\n')}`)
      // What comes next is to be judged by itself.
      await close()
    },
    async end() {
      await close()
      return faults
    },
  }
}

const scratch = new Map<State, readonly string[]>()

function expected(state: State): readonly string[] {
  const found = scratch.get(state)
  if (found === undefined) throw new Error(`${state.name} was not made from scratch`)
  return found
}

beforeAll(async () => {
  for (const state of states) scratch.set(state, await fromScratch(state))
})

test('the walk has each pair of states, and the states differ', () => {
  const walk = walkOfPairs(states.length)
  const steps = walk.slice(1).map((to, at) => `${walk[at]} ${to}`)
  expect(new Set(steps).size).toBe(states.length ** 2)
  expect(steps).toHaveLength(states.length ** 2)
  expect(new Set([...scratch.values()].map((lines) => lines.join('\n'))).size).toBe(states.length)
})

test('from scratch twice is the same', async () => {
  for (const state of states)
    expect(differences(expected(state), await fromScratch(state)), state.name).toEqual([])
})

/** Every step of the walk, made by `step`; what differs afterwards. */
async function everyPair(
  step: (walk: Walk, before: State, state: State, at: number) => Promise<void>,
): Promise<readonly string[]> {
  const walk = await startWalk()
  const way = walkOfPairs(states.length).flatMap((at) => states[at] ?? [])
  for (const [at, state] of way.entries()) {
    const before = way[at - 1]
    if (before !== undefined) await step(walk, before, state, at)
  }
  return walk.end()
}

function faultsIn(faults: readonly string[]): string {
  return faults.slice(0, FAULTS_SHOWN).join('\n\n')
}

test('by the same daemon, from records that are read in either order', async () => {
  const faults = await everyPair((walk, before, state, at) =>
    walk.arrive(`${before.name} -> ${state.name}`, state, {
      records: at % 2 === 0 ? state.records : reversed(state.records),
      restart: false,
    }),
  )
  expect(faultsIn(faults)).toBe('')
})

/** How many services have done their part: firewall, then links, DHCP, DNS. */
const CUTS = [1, 2, 3, 4] as const

test('by a daemon that is started after a pass that was cut between two services', async () => {
  const faults = await everyPair(async (walk, before, state, at) => {
    const until = CUTS[at % CUTS.length] ?? 1
    await walk.arrive(`${until} services of ${before.name} -> ${state.name}`, state, {
      ...{ records: state.records, restart: true },
      begun: { state: before, until },
    })
  })
  expect(faultsIn(faults)).toBe('')
})

test.runIf(isLong)(
  'by the same daemon after such a pass (only in the long mode: it takes a minute)',
  async () => {
    const faults = await everyPair(async (walk, before, state, at) => {
      const until = CUTS[(at + 1) % CUTS.length] ?? 1
      await walk.arrive(`${until} services of ${before.name} -> ${state.name}`, state, {
        ...{ records: state.records, restart: false },
        begun: { state: before, until },
      })
    })
    expect(faultsIn(faults)).toBe('')
  },
)

test.runIf(isLong)(
  'by a daemon that is started after a whole pass (only in the long mode: it takes a minute)',
  async () => {
    const faults = await everyPair((walk, before, state) =>
      walk.arrive(`${before.name} -> restart -> ${state.name}`, state, {
        records: state.records,
        restart: true,
      }),
    )
    expect(faultsIn(faults)).toBe('')
  },
)
