/**
 * `traffic`: what two instances get of the host's network: throughput, new connections and latency
 * beside 500 others, against two namespaces on a bare Linux bridge in the same run; and how near
 * they come to the bandwidth of an instance type.
 */
import { DOCKER } from '../../src/containers/declaration.ts'
import { createLinuxHost } from '../../src/host/linux.ts'
import { nicSpec } from '../../src/host/network/nic.ts'
import { createMetrics } from '../../src/lib/metrics.ts'
import { systemRunner } from '../../src/lib/runner.ts'
import { allFromMembers } from '../../src/model/group-rule.ts'
import type { TypeRate } from '../../src/model/network-rates.ts'
import type { HostWant, InstanceWant } from '../../src/model/want.ts'
import { createFirewall } from '../../src/services/firewall/firewall.ts'
import { createLinks } from '../../src/services/links.ts'
import { LONE_FIREWALL, NO_FABRIC } from '../kit/instance.ts'
import { silentLog } from '../kit/log.ts'
import { createNetns, eventually, type Netns } from '../kit/netns.ts'
import { type Benchmark, type BenchResult, quantile } from './figures.ts'
import { wantOf } from './many-instances.ts'

const INSTANCES = 500
const RULES = 22
const MEMORY_MIB = 512 * 1024
const LARGE_MIB = 64 * 1024
const MTU = 1500
const ROUNDS = 5
const SECONDS = 2
/** Mbit/s of the types that are tried. */
const RATES = [50, 500, 5000] as const
const THROUGHPUT_RATIO = 0.95
const RATE_TOLERANCE = 0.05

/** The benchmark `traffic`; needs root. */
export const traffic: Benchmark = {
  name: 'traffic',
  about: `throughput, connections and latency between two of ${INSTANCES} instances, against a bridge`,
  async run(progress) {
    const ours = await createOurs()
    const bridge = await createBridge()
    try {
      const rounds: Round[] = []
      for (let round = 1; round <= ROUNDS; round++) {
        progress(`round ${round} of ${ROUNDS}`)
        rounds.push({ ours: await measure(ours), bridge: await measure(bridge) })
      }
      const rates: RateRow[] = []
      for (const rate of RATES) {
        progress(`${rate} Mbit/s`)
        await ours.limit(`${rate}.mbit`)
        const [sends, receives] = [await throughput(ours), await throughput(ours, '--reverse')]
        rates.push({ rate, sends, receives })
      }
      return resultOf(rounds, rates)
    } finally {
      await bridge.destroy()
      await ours.destroy()
    }
  },
}

/** Two machines: `client` runs the programs, `server` answers at `address`. */
interface Pair {
  readonly client: Netns
  readonly server: Netns
  readonly address: string
  destroy(): Promise<void>
}

interface Figures {
  /** Mbit/s of one TCP connection, without headers. */
  readonly throughput: number
  /** TCP connections that were opened and closed in a second. */
  readonly connections: number
  /** Median round trip of an ICMP echo, in µs. */
  readonly latency: number
}

interface Round {
  readonly ours: Figures
  readonly bridge: Figures
}

interface RateRow {
  readonly rate: number
  readonly sends: number
  readonly receives: number
}

/** Accepts and closes connections for ever. */
const ACCEPT = `
import socket
server = socket.create_server(("", 7000), backlog=1024)
while True: server.accept()[0].close()
`
/** Opens and closes connections for some seconds; prints how many a second. */
const CONNECT = `
import socket, struct, sys, time
end, count = time.monotonic() + ${SECONDS}, 0
while time.monotonic() < end:
    one = socket.create_connection((sys.argv[1], 7000))
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    one.close()
    count += 1
print(count / ${SECONDS})
`

/** The first two instances of a host that has many, with rules as they are used. */
async function createOurs(): Promise<Pair & { limit(type: string): Promise<void> }> {
  const machine = await createNetns('traffic')
  const leave = machine.enter()
  const host = createLinuxHost({ log: silentLog, runner: systemRunner })
  const rates: readonly TypeRate[] = RATES.map((rate) => ({
    types: `${rate}.mbit`,
    megabitsPerSecond: rate,
    packetsPerSecond: null,
  }))
  const settings = { ...LONE_FIREWALL, rates }
  const metrics = createMetrics()
  const services = [
    createFirewall({ host, metrics, settings, instanceMemoryMiB: MEMORY_MIB }),
    createLinks({
      ...{ host, metrics, mtu: MTU, fabric: NO_FABRIC, drivers: [DOCKER] },
      foundLoose: () => undefined,
    }),
  ]
  const apply = async (want: HostWant) => {
    const signal = new AbortController().signal
    for (const service of services)
      await service.apply({ want, resync: false, signal, log: silentLog })
  }
  const want = withLargeClient(withOpenPorts(wantOf(INSTANCES, RULES)))
  await apply(want)
  const plug = async (guest: InstanceWant | undefined): Promise<Netns> => {
    const nic = guest?.nics[0]
    if (nic === undefined) throw new Error('an instance has a NIC')
    const made = await createNetns('guest')
    const address = { ip: nic.ip, prefix: nic.subnetCidr.prefix, gateway: nic.gateway }
    await host.plugNic(nicSpec(nic, MTU, 'veth'), made.pid, { name: 'eth0', address })
    return made
  }
  const [first, second] = want.local.instances
  const [client, server] = [await plug(first), await plug(second)]
  await serve(server)
  return {
    client,
    server,
    address: second?.nics[0]?.ip ?? '',
    limit: async (type) => {
      const instances = want.local.instances.map((one, at) =>
        at === 0 ? { ...one, type: { ...one.type, name: type } } : one,
      )
      await apply({ ...want, local: { ...want.local, instances } })
    },
    destroy: async () => {
      await host.close()
      leave()
      for (const each of [client, server, machine]) await each.destroy()
    },
  }
}

/** The last rule of the group lets in everything from its members, after all others. */
function withOpenPorts(want: HostWant): HostWant {
  const groups = want.shared.groups.map((group) => ({
    ...group,
    rules: group.rules.map((rule, at) =>
      at === group.rules.length - 1 ? { ...allFromMembers(group.id), id: rule.id } : rule,
    ),
  }))
  return { ...want, shared: { ...want.shared, groups } }
}

/** The first instance has memory for so many connections that its budget does not end them. */
function withLargeClient({ local, shared }: HostWant): HostWant {
  const instances = local.instances.map((one, at) =>
    at === 0 ? { ...one, type: { ...one.type, memoryMiB: LARGE_MIB } } : one,
  )
  return { local: { ...local, instances }, shared }
}

/** Two namespaces on a bridge without rules. */
async function createBridge(): Promise<Pair> {
  const machine = await createNetns('bridge')
  const [client, server] = [await createNetns('guest'), await createNetns('guest')]
  await machine.must(['sh', '-ec', 'ip link add br0 type bridge; ip link set br0 up'])
  for (const [at, guest] of [client, server].entries()) {
    await machine.must([
      'sh',
      '-ec',
      `ip link add p${at} type veth peer name eth0 netns ${guest.pid}; ip link set p${at} master br0 up`,
    ])
    await guest.must([
      'sh',
      '-ec',
      `ip addr add 172.16.0.${at + 1}/24 dev eth0; ip link set eth0 up`,
    ])
  }
  await serve(server)
  return {
    client,
    server,
    address: '172.16.0.2',
    destroy: async () => {
      for (const each of [client, server, machine]) await each.destroy()
    },
  }
}

async function serve(server: Netns): Promise<void> {
  server.spawn(['iperf3', '--server'])
  server.spawn(['python3', '-c', ACCEPT])
  await eventually('both servers listen', async () => {
    const listening = await server.must(['ss', '-ltn'])
    return listening.includes(':5201') && listening.includes(':7000')
  })
}

async function measure(pair: Pair): Promise<Figures> {
  return {
    throughput: await throughput(pair),
    connections: Number(await pair.client.must(['python3', '-c', CONNECT, pair.address])),
    latency: await latency(pair),
  }
}

/** Mbit/s that arrive, after a first second that is not counted. */
async function throughput({ client, address }: Pair, ...more: string[]): Promise<number> {
  const argv = ['iperf3', '--client', address, '--time', `${SECONDS}`, '--omit', '1', '--json']
  const report = JSON.parse(await client.must([...argv, ...more])) as {
    readonly end: { readonly sum_received: { readonly bits_per_second: number } }
  }
  return report.end.sum_received.bits_per_second / 1e6
}

/** Median round trip, in µs. */
async function latency({ client, address }: Pair): Promise<number> {
  const said = await client.must(['ping', '-c', '500', '-i', '0.002', '-q', address])
  const [, average] = /= [\d.]+\/([\d.]+)\//.exec(said) ?? []
  return Number(average) * 1000
}

function resultOf(rounds: readonly Round[], rates: readonly RateRow[]): BenchResult {
  const series = (side: keyof Round, figure: keyof Figures) =>
    rounds.map((round) => round[side][figure])
  const median = (side: keyof Round, figure: keyof Figures) => quantile(series(side, figure), 0.5)
  const ratio = (figure: keyof Figures) => median('ours', figure) / median('bridge', figure)
  const row = (name: string, figure: keyof Figures) => [
    name,
    median('ours', figure).toFixed(0),
    median('bridge', figure).toFixed(0),
    ratio(figure).toFixed(2),
  ]
  const farthest = Math.max(
    ...rates.flatMap(({ rate, sends, receives }) =>
      [sends, receives].map((measured) => Math.abs(measured / rate - 1)),
    ),
  )
  return {
    name: 'traffic',
    head: ['', `two of ${INSTANCES} instances`, 'a bridge', 'ratio'],
    rows: [
      row('Mbit/s of one TCP connection', 'throughput'),
      row('new TCP connections a second', 'connections'),
      row('round trip, µs', 'latency'),
    ],
    targets: [
      {
        text: `throughput at least ${THROUGHPUT_RATIO} of the bridge's`,
        measured: ratio('throughput').toFixed(2),
        met: ratio('throughput') >= THROUGHPUT_RATIO,
      },
      {
        text: `TCP within ${RATE_TOLERANCE * 100} % of the bandwidth of the type`,
        measured: rates
          .map(
            ({ rate, sends, receives }) =>
              `${rate}: sends ${sends.toFixed(0)}, receives ${receives.toFixed(0)} Mbit/s`,
          )
          .join('; '),
        met: farthest <= RATE_TOLERANCE,
      },
    ],
    notes: [
      `medians of ${ROUNDS} alternating rounds of ${SECONDS} s; every instance has ${RULES} rules`,
    ],
    raw: Object.fromEntries(
      (['ours', 'bridge'] as const).flatMap((side) =>
        (['throughput', 'connections', 'latency'] as const).map((figure) => [
          `${figure}, ${side}`,
          series(side, figure),
        ]),
      ),
    ),
  }
}
