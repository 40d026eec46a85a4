/**
 * `dhcp`: exchanges (DISCOVER, OFFER, REQUEST, ACK) a second with 200 clients, each on a link of
 * its own, against dnsmasq and Kea, which have the same clients on a bridge.
 *
 * A client begins an exchange when its last one has ended; then all together begin three times as
 * many a second as were answered so. Our limit of five answers a second and NIC is lifted, by the
 * constructor's limits. The bridge does not flood what clients broadcast to other clients, so the
 * servers are measured, and not the bridge.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { nicLinkName } from '../../src/model/names.ts'
import type { NicWant } from '../../src/model/want.ts'
import { processorSeconds } from '../kit/daemon-processes.ts'
import { createNetns, eventually, type Netns } from '../kit/netns.ts'
import type { ClientSettings, Load } from './dhcp/clients.ts'
import { type Benchmark, type BenchResult, quantile } from './figures.ts'
import { wantOf } from './many-instances.ts'

const NICS = 200
const ROUNDS = 3
const SECONDS = 3
const OVERLOAD = 3
const DNSMASQ_RATIO = 30
const KEA_RATIO = 2
const KEA_COST = 0.5
const OVERLOAD_SHARE = 0.9
const NETWORK = '172.16.0.0/12'
const GATEWAY = '172.16.0.1'
const CLIENTS = fileURLToPath(new URL('dhcp/clients.ts', import.meta.url))
const SERVER = fileURLToPath(new URL('dhcp/server.ts', import.meta.url))

/** The benchmark `dhcp`. Needs root. */
export const dhcp: Benchmark = {
  name: 'dhcp',
  about: `DHCP exchanges a second with ${NICS} clients, against dnsmasq and Kea`,
  async run(progress) {
    const directory = await mkdtemp(join(tmpdir(), 'dhcp-'))
    const sites: Site[] = []
    try {
      progress('starting servers')
      sites.push(await ours())
      sites.push(await peer('dnsmasq', await dnsmasq(directory)))
      sites.push(await peer('Kea', await kea(directory)))
      const runs = new Map<SiteName, Round[]>()
      for (let round = 0; round <= ROUNDS; round += 1)
        for (const site of sites) {
          progress(`${site.name}, round ${round} of ${ROUNDS}`)
          const measured = await measure(site)
          // The first round warms up.
          if (round > 0) runs.set(site.name, [...(runs.get(site.name) ?? []), measured])
        }
      return resultOf(runs)
    } finally {
      for (const site of sites) await site.destroy()
      await rm(directory, { recursive: true, force: true })
    }
  },
}

type SiteName = 'Atoll' | 'dnsmasq' | 'Kea'

/** A server, and its clients in a namespace of their own. */
interface Site {
  readonly name: SiteName
  readonly server: ChildProcess
  readonly clients: Netns
  destroy(): Promise<void>
}

interface Round {
  /** Exchanges a second. */
  readonly peak: number
  /** Processor time of the server for each exchange, in µs. */
  readonly microseconds: number
  /** Exchanges a second while three times as many are begun. */
  readonly overloaded: number
}

const NIC_WANTS: readonly NicWant[] = wantOf(NICS, 0).local.instances.flatMap(({ nics }) => nics)

/** Each NIC has a routed link and a permanent neighbour, as the daemon makes them. */
async function ours(): Promise<Site> {
  const [machine, clients] = [await createNetns('dhcp'), await createNetns('clients')]
  await setUp(machine, [
    `address add ${GATEWAY}/32 dev lo`,
    ...NIC_WANTS.flatMap((nic, at) => {
      const link = nicLinkName(nic.id)
      return [
        ...pair(link, nic, at, clients),
        `route add ${nic.ip}/32 dev ${link}`,
        `neighbour add ${nic.ip} lladdr ${nic.mac} dev ${link} nud permanent`,
      ]
    }),
  ])
  await bringUp(clients)
  const server = start(machine, [process.execPath, SERVER, String(NICS)])
  if (server.stdout === null) throw new Error('no stdout')
  await once(server.stdout, 'data')
  return { name: 'Atoll', server, clients, destroy: () => end(machine, clients) }
}

/** The same clients on a bridge, whose address the server has. */
async function peer(
  name: SiteName,
  { argv, port }: { readonly argv: readonly string[]; readonly port: string },
): Promise<Site> {
  const [machine, clients] = [await createNetns('dhcp'), await createNetns('clients')]
  await setUp(machine, [
    'link add br0 type bridge',
    `address add ${GATEWAY}/12 dev br0`,
    'link set br0 up',
    ...NIC_WANTS.flatMap((nic, at) => [
      ...pair(`p${at}`, nic, at, clients),
      `link set p${at} master br0`,
    ]),
  ])
  const ports = NIC_WANTS.map((_, at) => `link set dev p${at} bcast_flood off flood off\n`)
  await machine.must(['bridge', '-batch', '-'], { stdin: ports.join('') })
  await bringUp(clients)
  const server = start(machine, argv)
  await eventually(`${name} listens`, async () => {
    const listening = await machine.must(['sh', '-c', 'ss -lnup; ss -lnwp; ss -lnp --packet'])
    return listening.includes(port)
  })
  return { name, server, clients, destroy: () => end(machine, clients) }
}

function pair(link: string, nic: NicWant, at: number, clients: Netns): readonly string[] {
  return [
    `link add ${link} type veth peer name c${at} address ${nic.mac} netns ${clients.pid}`,
    `link set ${link} up`,
  ]
}

async function setUp(machine: Netns, lines: readonly string[]): Promise<void> {
  await machine.must(['sysctl', '-qw', 'net.ipv6.conf.all.disable_ipv6=1'])
  await machine.must(['ip', '-batch', '-'], { stdin: lines.map((line) => `${line}\n`).join('') })
}

async function bringUp(clients: Netns): Promise<void> {
  await setUp(
    clients,
    NIC_WANTS.map((_, at) => `link set c${at} up`),
  )
}

/** The process id is that of the program, which `nsenter` becomes. */
function start(netns: Netns, argv: readonly string[]): ChildProcess {
  const inside = ['nsenter', '--net', `--target=${netns.pid}`, '--', ...argv]
  return spawn('setpriv', ['--pdeathsig', 'KILL', ...inside], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
}

async function end(...all: readonly Netns[]): Promise<void> {
  for (const netns of all) await netns.destroy()
}

async function dnsmasq(directory: string) {
  const argv = [
    ...['dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--pid-file=', '--port=0'],
    ...['--user=root', '--no-ping', '--interface=br0', '--bind-interfaces', '--dhcp-authoritative'],
    ...['--dhcp-range=172.16.4.0,172.16.7.255,1h', '--dhcp-lease-max=2000'],
    `--dhcp-leasefile=${join(directory, 'leases')}`,
  ]
  return { argv, port: ':67' }
}

/** Kea with two threads, and leases in memory. Its packet socket is its own choice. */
async function kea(directory: string) {
  const file = join(directory, 'kea.json')
  const Dhcp4 = {
    'interfaces-config': { interfaces: ['br0'] },
    'lease-database': { type: 'memfile', persist: false },
    'multi-threading': { 'enable-multi-threading': true, 'thread-pool-size': 2 },
    'valid-lifetime': 3600,
    subnet4: [
      {
        subnet: NETWORK,
        pools: [{ pool: '172.16.4.0 - 172.16.7.255' }],
        'option-data': [
          { name: 'routers', data: GATEWAY },
          { name: 'domain-name-servers', data: GATEWAY },
          { name: 'domain-name', data: 'atoll.internal' },
        ],
      },
    ],
    loggers: [{ name: 'kea-dhcp4', severity: 'ERROR', output_options: [{ output: 'stderr' }] }],
  }
  await writeFile(file, JSON.stringify({ Dhcp4 }))
  const runtime = ['env', `KEA_PIDFILE_DIR=${directory}`, `KEA_LOCKFILE_DIR=${directory}`]
  return { argv: [...runtime, 'kea-dhcp4', '-c', file], port: ':67' }
}

async function measure(site: Site): Promise<Round> {
  const before = await processorSeconds(site.server.pid)
  const most = await load(site, null)
  const seconds = (await processorSeconds(site.server.pid)) - before
  const peak = most.ended / most.seconds
  const over = await load(site, Math.max(1, peak) * OVERLOAD)
  return {
    peak,
    microseconds: (seconds * 1e6) / Math.max(1, most.ended),
    overloaded: over.ended / over.seconds,
  }
}

async function load({ clients }: Site, perSecond: number | null): Promise<Load> {
  const links = NIC_WANTS.map(({ mac }, at) => ({ name: `c${at}`, mac }))
  const settings: ClientSettings = { links, seconds: SECONDS, perSecond }
  return JSON.parse(await clients.must([process.execPath, CLIENTS, JSON.stringify(settings)]))
}

function resultOf(runs: ReadonlyMap<SiteName, readonly Round[]>): BenchResult {
  const median = (name: SiteName, figure: keyof Round) =>
    quantile(runs.get(name)?.map((round) => round[figure]) ?? [0], 0.5)
  const names: readonly SiteName[] = ['Atoll', 'dnsmasq', 'Kea']
  const ratio = (peer: SiteName) => median('Atoll', 'peak') / median(peer, 'peak')
  const cost = median('Atoll', 'microseconds') / median('Kea', 'microseconds')
  const share = (name: SiteName) => median(name, 'overloaded') / median(name, 'peak')
  return {
    name: 'dhcp',
    head: ['server', 'exchanges a second', 'µs of processor each', 'at three times the load'],
    rows: names.map((name) => [
      name,
      median(name, 'peak').toFixed(0),
      median(name, 'microseconds').toFixed(0),
      `${median(name, 'overloaded').toFixed(0)} (${(share(name) * 100).toFixed(0)} %)`,
    ]),
    targets: [
      {
        text: `at least ${DNSMASQ_RATIO} times dnsmasq's exchanges`,
        measured: ratio('dnsmasq').toFixed(1),
        met: ratio('dnsmasq') >= DNSMASQ_RATIO,
      },
      {
        text: `at least ${KEA_RATIO} times Kea's exchanges`,
        measured: ratio('Kea').toFixed(2),
        met: ratio('Kea') >= KEA_RATIO,
      },
      {
        text: `at most ${KEA_COST} of Kea's processor time for each`,
        measured: cost.toFixed(2),
        met: cost <= KEA_COST,
      },
      {
        text: `${OVERLOAD_SHARE * 100} % of it at ${OVERLOAD} times the load`,
        measured: `${(share('Atoll') * 100).toFixed(0)} %`,
        met: share('Atoll') >= OVERLOAD_SHARE,
      },
    ],
    notes: [
      `medians of ${ROUNDS} alternating rounds of ${SECONDS} s; ${NICS} clients in one process`,
      'dnsmasq keeps its leases in a file, as packaged; Kea in memory, with two threads',
      'no server pings an address before it offers it; our limit of answers to a NIC is lifted',
    ],
    raw: Object.fromEntries(
      names.flatMap((name) =>
        (['peak', 'microseconds', 'overloaded'] as const).map((figure) => [
          `${name}, ${figure}`,
          runs.get(name)?.map((round) => round[figure]) ?? [],
        ]),
      ),
    ),
  }
}
