/**
 * `vpcs`: what hundreds of VPCs cost a host: a pass in which nothing has changed; the start of the
 * daemon; files, threads and memory; and the latency of packets of one VPC. What one more instance
 * or rule costs is in `firewall`.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism, loadavg } from 'node:os'
import { attachInternetGateway } from '../../src/api/actions/attach-internet-gateway.ts'
import { createInternetGateway } from '../../src/api/actions/create-internet-gateway.ts'
import { createRoute } from '../../src/api/actions/create-route.ts'
import { describeRouteTables } from '../../src/api/actions/describe-route-tables.ts'
import { nicSpec } from '../../src/host/network/nic.ts'
import { statFields } from '../../src/host/processes/stat.ts'
import { MIB } from '../../src/model/sizes.ts'
import type { HostWant } from '../../src/model/want.ts'
import { createNetns, eventually, type Netns } from '../kit/netns.ts'
import { type Benchmark, type BenchResult, quantile } from './figures.ts'
import { call as ask } from './scale/launches.ts'
import { launchIn, sinceAnswer, wantOf } from './vpc-changes.ts'
import { createVpcHost, OUTSIDE, type VpcHost } from './vpc-host.ts'

const SIZES = [1, 50, 500] as const
const IDLE_PASSES = 10
const MTU = 1500
const PING_ROUNDS = 8
const PINGS = 300
const LATENCY_RATIO = 1.1
const START_MS = 1_000
const OUTSIDE_MS = 60_000
const RESYNC_MS = 300_000
const QUIET_LOOK_MS = 100
const QUIET_MS = 2_000
/** Less is used between two looks when nothing is done. */
const QUIET_CPU_MS = 20
const TICKS = 100

/** The benchmark `vpcs`. Needs root. */
export const vpcs: Benchmark = {
  name: 'vpcs',
  about: `a host with ${SIZES.join(', ')} VPCs: passes without change, start, latency of packets`,
  async run(progress) {
    await using parts = new AsyncDisposableStack()
    progress('a host with one VPC, for latency')
    const open = async (size: number) =>
      parts.adopt(await createVpcHost(size), (host) => host.destroy())
    const lone = await openPair(await open(1))
    const before = [await latencyOf(lone)]
    const rows: Row[] = []
    const latencies: { readonly alone: Latency[]; readonly many: Latency[] } = {
      alone: [],
      many: [],
    }
    for (const size of SIZES) {
      progress(`a host with ${size} VPCs`)
      const host = await open(size)
      rows.push(await measure(host, size))
      const pair = await openPair(host)
      for (let round = 0; size === SIZES.at(-1) && round < PING_ROUNDS; round++) {
        progress(`latency, round ${round + 1} of ${PING_ROUNDS}`)
        latencies.alone.push(await latencyOf(lone))
        latencies.many.push(await latencyOf(pair))
      }
      await host.destroy()
    }
    return resultOf(rows, { before, ...latencies })
  },
}

interface Row {
  readonly size: number
  /** Milliseconds. */
  readonly pass: readonly number[]
  readonly passCpu: readonly number[]
  /** Of a pass that reads everything back: until it is quiet again, and with programs. */
  readonly resync: number
  readonly resyncCpu: number
  /** After a start: until a launch in the default VPC is in force, and until VPCs are served. */
  readonly launchAtStart: number
  readonly halfServed: number
  readonly allServed: number
  readonly files: number
  readonly threads: number
  readonly residentMiB: number
}

async function measure(host: VpcHost, size: number): Promise<Row> {
  const [pass, passCpu]: [number[], number[]] = [[], []]
  for (let round = 0; round < IDLE_PASSES; round++) {
    const cpu = process.cpuUsage()
    const began = performance.now()
    await wantOf(host)
    pass.push(performance.now() - began)
    const { user, system } = process.cpuUsage(cpu)
    passCpu.push((user + system) / 1000)
  }
  const status = readFileSync('/proc/self/status', 'utf8')
  const figure = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1])
  const used = {
    files: readdirSync('/proc/self/fd').length,
    threads: figure('Threads'),
    residentMiB: (figure('VmRSS') * 1024) / MIB,
  }
  return { size, pass, passCpu, ...(await resync(host)), ...(await start(host)), ...used }
}

/** Milliseconds of a processor that this process and programs that it has started have used. */
function usedCpu(): number {
  const { user, system } = process.cpuUsage()
  const fields = statFields(readFileSync('/proc/self/stat', 'utf8'))
  return (user + system) / 1000 + ((Number(fields[13]) + Number(fields[14])) * 1000) / TICKS
}

/** A pass that reads everything back, and what goes on after it. */
async function resync(host: VpcHost): Promise<Pick<Row, 'resync' | 'resyncCpu'>> {
  const [began, before] = [performance.now(), usedCpu()]
  const applied = host.untilApplied(({ service }) => service === 'volumes')
  host.wake({ resync: true })
  await applied
  let [last, lastBusy] = [usedCpu(), performance.now()]
  const isQuiet = async () => {
    const [now, used] = [performance.now(), usedCpu()]
    if (used - last > QUIET_CPU_MS) lastBusy = now
    last = used
    return now - lastBusy > QUIET_MS
  }
  await eventually('it is quiet after a resync', isQuiet, RESYNC_MS, QUIET_LOOK_MS)
  return { resync: lastBusy - began, resyncCpu: usedCpu() - before }
}

/** Starts the daemon again, and launches an instance in the default VPC at once. */
async function start(
  host: VpcHost,
): Promise<Pick<Row, 'launchAtStart' | 'halfServed' | 'allServed'>> {
  const nics = (await wantOf(host)).local.instances.length
  await host.stopDaemon()
  const began = performance.now()
  await host.startDaemon()
  const inForce = host.untilApplied(
    ({ service, want }) =>
      service === 'links' && want.local.instances.some((one) => one.nics[0]?.network === undefined),
  )
  const launchAtStart = await sinceAnswer(inForce, launchIn(host, undefined))
  await host.untilServed(nics + 1)
  const allServed = performance.now() - began
  const halfServed = quantile(host.listeningAt(), 0.5) - began
  return { launchAtStart, halfServed, allServed }
}

/** Two instances of one VPC, as machines. */
interface Pair {
  readonly client: Netns
  readonly server: string
}

/** Plugs in two instances of the first VPC, and ends the daemon. */
async function openPair(host: VpcHost): Promise<Pair> {
  const [subnet] = host.subnets
  const there = ({ local }: HostWant) =>
    local.instances.flatMap((one) => one.nics).filter((nic) => nic.subnet === subnet)
  const isSecondThere = host.untilApplied(
    ({ service, want }) => service === 'vpc-networks' && there(want).length > 1,
  )
  await launchIn(host, subnet)
  await isSecondThere
  const [first, second] = there(await wantOf(host))
  await openWayOut(host, first?.vpc)
  if (first === undefined || second === undefined) throw new Error('there are no two instances')
  const clients: Netns[] = []
  for (const nic of [first, second]) {
    const guest = await createNetns('guest')
    const address = { ip: nic.ip, prefix: nic.subnetCidr.prefix, gateway: nic.gateway }
    const spec = nicSpec(nic, MTU, 'veth')
    await host.host().plugNic(spec, guest.pid, { name: 'eth0', address })
    clients.push(guest)
  }
  const [client] = clients
  if (client === undefined) throw new Error('there is no client')
  const reaches = async () =>
    (await client.run(['ping', '-c', '1', '-W', '1', OUTSIDE])).exitCode === 0
  await eventually('it reaches the outside', reaches, OUTSIDE_MS)
  await host.stop(clients)
  return { client, server: second.ip }
}

/** An internet gateway for the VPC. */
async function openWayOut(host: VpcHost, vpc: string | undefined): Promise<void> {
  const api = host.api()
  const { InternetGateway } = await ask(api, createInternetGateway, {})
  const GatewayId = (InternetGateway as { readonly InternetGatewayId: string }).InternetGatewayId
  await ask(api, attachInternetGateway, { InternetGatewayId: GatewayId, VpcId: vpc })
  const Filters = [{ Name: 'vpc-id', Values: [vpc] }]
  const { RouteTables } = await ask(api, describeRouteTables, { Filters })
  const [table] = RouteTables as { readonly RouteTableId: string }[]
  const route = { DestinationCidrBlock: '0.0.0.0/0', GatewayId }
  await ask(api, createRoute, { ...route, RouteTableId: table?.RouteTableId })
  host.wake()
}

/** Median round trips, in µs. */
interface Latency {
  readonly inside: number
  readonly outside: number
}

async function latencyOf({ client, server }: Pair): Promise<Latency> {
  return { inside: await roundTrip(client, server), outside: await roundTrip(client, OUTSIDE) }
}

async function roundTrip(client: Netns, address: string): Promise<number> {
  const said = await client.must(['ping', '-c', `${PINGS}`, '-i', '0.002', address])
  const times = [...said.matchAll(/time=([\d.]+) ms/g)].map(([, ms]) => Number(ms) * 1000)
  return quantile(times, 0.5)
}

function resultOf(
  rows: readonly Row[],
  latency: {
    readonly before: readonly Latency[]
    readonly alone: readonly Latency[]
    readonly many: readonly Latency[]
  },
): BenchResult {
  const median = (figures: readonly number[]) => quantile(figures, 0.5)
  const ms = (value: number) => `${value.toFixed(1)} ms`
  const both = (figures: readonly number[]) =>
    `${ms(median(figures))} / ${ms(quantile(figures, 0.95))}`
  const of = (which: keyof typeof latency, path: keyof Latency) =>
    median(latency[which].map((one) => one[path]))
  const ratio = (path: keyof Latency) => of('many', path) / of('alone', path)
  const last = rows.at(-1)
  const worst = Math.max(ratio('inside'), ratio('outside'))
  const line = (path: keyof Latency) =>
    `${of('before', path).toFixed(0)} µs before, ${of('alone', path).toFixed(0)} µs alone, ${of('many', path).toFixed(0)} µs with ${last?.size}`
  return {
    name: 'vpcs',
    head: [
      'VPCs',
      'pass without change, p50 / p95',
      'its processor time, p50',
      'resync',
      'its processor time',
      'start: launch in the default VPC',
      'half served after',
      'all served after',
      'files',
      'threads',
      'memory',
    ],
    rows: rows.map((row) => [
      `${row.size}`,
      both(row.pass),
      ms(median(row.passCpu)),
      ms(row.resync),
      ms(row.resyncCpu),
      ms(row.launchAtStart),
      ms(row.halfServed),
      ms(row.allServed),
      `${row.files}`,
      `${row.threads}`,
      `${row.residentMiB.toFixed(0)} MiB`,
    ]),
    targets: [
      {
        text: `latency beside ${last?.size} VPCs at most ${LATENCY_RATIO} times that alone`,
        measured: `inside the VPC ${ratio('inside').toFixed(2)} (${line('inside')}); to outside ${ratio('outside').toFixed(2)} (${line('outside')})`,
        met: worst <= LATENCY_RATIO,
      },
      {
        text: `a launch in the default VPC while ${last?.size} VPCs start, in force within ${START_MS} ms`,
        measured: ms(last?.launchAtStart ?? 0),
        met: (last?.launchAtStart ?? 0) <= START_MS,
      },
    ],
    notes: [
      `latencies are medians of ${PING_ROUNDS} alternating rounds of ${PINGS} pings; load ${loadavg()[0]?.toFixed(1)} on ${availableParallelism()} processors`,
    ],
    raw: {
      ...Object.fromEntries(rows.map(({ size, pass }) => [`idle pass of ${size}`, pass])),
      ...Object.fromEntries(
        (['alone', 'many'] as const).flatMap((which) =>
          (['inside', 'outside'] as const).map((path) => [
            `latency ${path}, ${which}`,
            latency[which].map((one) => one[path]),
          ]),
        ),
      ),
    },
  }
}
