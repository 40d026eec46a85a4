/**
 * `boot`: a virtual machine from RunInstances to its DHCPACK and to the first answered ping,
 * compared with the same QEMU started by hand. They alternate, so that a slow minute affects both.
 * Then twenty at once, and the memory of each beyond its guest's.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type _InstanceType,
  DescribeImagesCommand,
  RunInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2'
import { configSchema, instanceMtuBytes } from '../../src/config.ts'
import { findProcesses, machineHomes } from '../../src/host/processes/processes.ts'
import { KIB } from '../../src/model/sizes.ts'
import { type Cloud, withCloud } from '../kit/cloud.ts'
import { instanceCalls } from '../kit/instance-calls.ts'
import { eventually } from '../kit/netns.ts'
import { placeTinyGuest, tinyGuest } from '../kit/tiny-guest.ts'
import { type Bare, type Boots, startBare } from './boot-bare.ts'
import { type DhcpWatch, startDhcpWatch } from './dhcp-watch.ts'
import { type Benchmark, type BenchResult, quantile } from './figures.ts'
import { firstAnswers } from './pinger.ts'

const ROUNDS = 15
const AT_ONCE = 20
const TYPE = { name: 'at1.micro' as _InstanceType, memoryMiB: 128, diskGiB: 4 }
const DEADLINE_MS = 240_000
const ADDED_MAX_MS = 100
const ADDED_MAX_SHARE = 0.05
/** So that a small machine has room for all. Both sides use emulation on every machine. */
const CONFIG = 'capacity: {vcpuRatio: 64}\nqemu: {accel: tcg, stopSeconds: 1}\n'

/** The benchmark `boot`. Needs root. */
export const boot: Benchmark = {
  name: 'boot',
  about: `RunInstances to DHCPACK and first ping of a virtual machine, ${ROUNDS} boots and ${AT_ONCE} at once, beside bare QEMU`,
  run: (progress) => withCloud('boot', (cloud) => measure(cloud, progress), CONFIG),
}

interface Side {
  readonly one: { readonly ackMs: number[]; readonly pingMs: number[] }
  readonly many: Boots
  /** Of each of the many, in KiB. */
  readonly beyondKiB: readonly number[]
}

async function measure(cloud: Cloud, progress: (line: string) => void): Promise<BenchResult> {
  const guest = await tinyGuest()
  const mtuBytes = instanceMtuBytes(configSchema.parse({}))
  const bare = await startBare({ ...guest, ...TYPE, mtuBytes })
  const watch = await startDhcpWatch()
  try {
    const image = await register(cloud)
    const launch = (count: number, running?: (pids: readonly number[]) => Promise<void>) =>
      launchMachines(cloud, watch, image, count, running)
    // The first one reads everything from the disk.
    await launch(1)
    await bare.boot(1)
    const atoll = { ackMs: [] as number[], pingMs: [] as number[] }
    const qemu = { ackMs: [] as number[], pingMs: [] as number[] }
    for (let round = 1; round <= ROUNDS; round += 1) {
      note(atoll, await launch(1))
      note(qemu, await bare.boot(1))
      if (round % 5 === 0) progress(`${round} of ${ROUNDS} rounds`)
    }
    const before = await residentKiB(cloud)
    const ours = await crowd(launch)
    const daemonKiB = ((await residentKiB(cloud)) - before) / AT_ONCE
    progress(`${AT_ONCE} at once measured`)
    return summary({ one: atoll, ...ours }, { one: qemu, ...(await crowd(bare.boot)) }, daemonKiB)
  } finally {
    watch.close()
    await bare.close()
  }
}

function note(series: Side['one'], { ackMs, pingMs }: Boots): void {
  series.ackMs.push(...ackMs)
  series.pingMs.push(...pingMs)
}

async function crowd(launch: Bare['boot']): Promise<Omit<Side, 'one'>> {
  let beyondKiB: readonly number[] = []
  const many = await launch(AT_ONCE, async (pids) => {
    beyondKiB = await Promise.all(pids.map(beyondGuestKiB))
  })
  return { many, beyondKiB }
}

async function register(cloud: Cloud): Promise<string> {
  const { location } = await placeTinyGuest(join(cloud.dir, 'state/images'))
  const ImageId = await instanceCalls(cloud.ec2, DEADLINE_MS).register('tiny', location)
  await eventually(
    'the image is available',
    async () => {
      const { Images: [image] = [] } = await cloud.ec2.send(
        new DescribeImagesCommand({ ImageIds: [ImageId] }),
      )
      return image?.State === 'available'
    },
    DEADLINE_MS,
  )
  return ImageId
}

/** Like `Bare.boot`, through the API. The instances are terminated outside the measured time. */
async function launchMachines(
  cloud: Cloud,
  watch: DhcpWatch,
  image: string,
  count: number,
  running?: (pids: readonly number[]) => Promise<void>,
): Promise<Boots> {
  watch.clear()
  const began = performance.now()
  const { Instances: launched = [] } = await cloud.ec2.send(
    new RunInstancesCommand({
      ImageId: image,
      InstanceType: TYPE.name,
      MinCount: count,
      MaxCount: count,
    }),
  )
  const pings = firstAnswers(
    launched.map(({ PrivateIpAddress = '' }) => PrivateIpAddress),
    DEADLINE_MS,
  )
  const macs = launched.map(({ NetworkInterfaces: [nic] = [] }) => nic?.MacAddress ?? '')
  const [acked, answered] = await Promise.all([watch.acks(macs, DEADLINE_MS), pings])
  await running?.(await processes(cloud))
  const InstanceIds = launched.map(({ InstanceId = '' }) => InstanceId)
  await cloud.ec2.send(new TerminateInstancesCommand({ InstanceIds }))
  const isGone = async () => (await machineHomes(join(cloud.dir, 'state'))).size === 0
  await eventually('the machines are gone', isGone, DEADLINE_MS)
  const since = (moments: readonly number[]) => moments.map((moment) => moment - began)
  return { ackMs: since(acked), pingMs: since(answered) }
}

async function processes(cloud: Cloud): Promise<readonly number[]> {
  const homes = await machineHomes(join(cloud.dir, 'state'))
  return [...(await findProcesses(homes, configSchema.parse({}).qemu.firstUser)).values()]
}

async function residentKiB(cloud: Cloud): Promise<number> {
  const status = await readFile(`/proc/${cloud.daemon().pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1])
}

/**
 * The memory of a QEMU beyond its guest's: its share of all mappings (proc(5), smaps) except the
 * one of the guest's size.
 */
async function beyondGuestKiB(pid: number): Promise<number> {
  const guestKiB = TYPE.memoryMiB * KIB
  const text = await readFile(`/proc/${pid}/smaps`, 'utf8')
  const mappings = text.split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)
  const field = (mapping: string, name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(mapping)?.[1] ?? 0)
  return mappings
    .filter((mapping) => field(mapping, 'Size') !== guestKiB)
    .reduce((sum, mapping) => sum + field(mapping, 'Pss'), 0)
}

function summary(atoll: Side, qemu: Side, daemonKiB: number): BenchResult {
  const p50 = (figures: readonly number[]) => quantile(figures, 0.5)
  const last = (figures: readonly number[]) => Math.max(...figures)
  const row = (name: string, ours: number, theirs: number) => [
    name,
    ours.toFixed(0),
    theirs.toFixed(0),
    (ours - theirs).toFixed(0),
    (ours / theirs).toFixed(3),
  ]
  const added = (text: string, ours: number, theirs: number) => ({
    text: `${text}: at most ${ADDED_MAX_MS} ms and ${ADDED_MAX_SHARE * 100} % more than bare QEMU`,
    measured: `${(ours - theirs).toFixed(0)} ms, ${((ours / theirs - 1) * 100).toFixed(1)} %`,
    met: ours - theirs <= ADDED_MAX_MS && ours / theirs - 1 <= ADDED_MAX_SHARE,
  })
  const mib = (kib: number) => (kib / KIB).toFixed(1)
  return {
    name: 'boot',
    head: ['boot, ms', 'Atoll', 'bare QEMU', 'added', 'ratio'],
    rows: [
      row('one: DHCPACK, p50', p50(atoll.one.ackMs), p50(qemu.one.ackMs)),
      row('one: first ping, p50', p50(atoll.one.pingMs), p50(qemu.one.pingMs)),
      row(`${AT_ONCE} at once: first ping, p50`, p50(atoll.many.pingMs), p50(qemu.many.pingMs)),
      row(`${AT_ONCE} at once: last ping`, last(atoll.many.pingMs), last(qemu.many.pingMs)),
    ],
    targets: [
      added('DHCPACK', p50(atoll.one.ackMs), p50(qemu.one.ackMs)),
      added('first ping', p50(atoll.one.pingMs), p50(qemu.one.pingMs)),
      {
        text: `${AT_ONCE} at once, last ping: at most ${ADDED_MAX_SHARE * 100} % more than bare QEMU`,
        measured: `${((last(atoll.many.pingMs) / last(qemu.many.pingMs) - 1) * 100).toFixed(1)} %`,
        met: last(atoll.many.pingMs) / last(qemu.many.pingMs) - 1 <= ADDED_MAX_SHARE,
      },
    ],
    notes: [
      'Atoll: from sending RunInstances (SDK, SigV4), with the disk, the tap, the rules and the records to be made; bare: from starting the process, with disk and tap made before, on a bridge with dnsmasq.',
      `Memory per guest beyond its own ${TYPE.memoryMiB} MiB, with ${AT_ONCE} at once: QEMU ${mib(p50(atoll.beyondKiB))} MiB under Atoll, ${mib(p50(qemu.beyondKiB))} MiB bare; atolld grew by ${mib(daemonKiB)} MiB for each.`,
      'Emulated (TCG) on both sides.',
    ],
    raw: {
      atollAckMs: atoll.one.ackMs,
      atollPingMs: atoll.one.pingMs,
      bareAckMs: qemu.one.ackMs,
      barePingMs: qemu.one.pingMs,
      atollManyPingMs: atoll.many.pingMs,
      bareManyPingMs: qemu.many.pingMs,
    },
  }
}
