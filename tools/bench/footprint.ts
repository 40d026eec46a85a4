/**
 * `footprint`: what an idle daemon costs: resident memory with 0 and 50 instances, and processor
 * time.
 */
import { readFile } from 'node:fs/promises'
import { availableParallelism, loadavg } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import {
  type _InstanceType,
  DescribeInstancesCommand,
  RegisterImageCommand,
  RunInstancesCommand,
} from '@aws-sdk/client-ec2'
import { type Cloud, withCloud } from '../kit/cloud.ts'
import { eventually } from '../kit/netns.ts'
import type { Benchmark, BenchResult } from './figures.ts'

const INSTANCES = 50
const IDLE_SECONDS = 60
/** V8 returns memory some seconds after a burst of work. */
const SETTLE_SECONDS = 15
const QUIET_DEADLINE_MS = 180_000
const TICKS_PER_SECOND = 100
const RESIDENT_TARGET_MB = 110
/**
 * So that a small machine has room for all. It only affects placement, which an idle daemon does
 * not do.
 */
const CAPACITY = 'capacity: {vcpuRatio: 64}\n'

/** The benchmark `footprint`. Needs root. */
export const footprint: Benchmark = {
  name: 'footprint',
  about: `memory with 0 and ${INSTANCES} instances, processor time over ${IDLE_SECONDS} idle seconds`,
  run: (progress) => withCloud('bench', (cloud) => measure(cloud, progress), CAPACITY),
}

interface Reading {
  readonly residentMB: number
  readonly cpuPercent: number
}

async function measure(cloud: Cloud, progress: (line: string) => void): Promise<BenchResult> {
  const empty = await idle(cloud)
  progress('measured without instances')
  await launchMany(cloud)
  progress(`${INSTANCES} instances run`)
  const full = await idle(cloud)
  const row = (name: string, { residentMB, cpuPercent }: Reading) => [
    name,
    residentMB.toFixed(1),
    cpuPercent.toFixed(2),
  ]
  const worst = (pick: (reading: Reading) => number) => Math.max(pick(empty), pick(full))
  const memory = worst((reading) => reading.residentMB)
  const cpu = worst((reading) => reading.cpuPercent)
  return {
    name: 'footprint',
    head: ['atolld', 'resident MB', 'CPU % of a core, idle'],
    rows: [row('0 instances', empty), row(`${INSTANCES} instances`, full)],
    targets: [
      {
        text: `resident memory under ${RESIDENT_TARGET_MB} MB`,
        measured: `${memory.toFixed(1)} MB`,
        met: memory < RESIDENT_TARGET_MB,
      },
      { text: 'idle under 1 % of a core', measured: `${cpu.toFixed(2)} %`, met: cpu < 1 },
    ],
    notes: [
      `Resident memory is VmRSS (10^6 bytes), read at the end of ${IDLE_SECONDS} idle seconds.`,
    ],
    raw: {
      residentMB: [empty.residentMB, full.residentMB],
      cpuPercent: [empty.cpuPercent, full.cpuPercent],
    },
  }
}

async function launchMany(cloud: Cloud): Promise<void> {
  const { ImageId } = await cloud.ec2.send(
    new RegisterImageCommand({ Name: 'footprint', ImageLocation: 'docker://atoll-sample:latest' }),
  )
  await cloud.ec2.send(
    new RunInstancesCommand({
      ImageId,
      InstanceType: 'at1.nano' as _InstanceType,
      MinCount: INSTANCES,
      MaxCount: INSTANCES,
    }),
  )
  await eventually(
    'all instances run',
    async () => {
      const { Reservations = [] } = await cloud.ec2.send(new DescribeInstancesCommand({}))
      const states = Reservations.flatMap(({ Instances = [] }) =>
        Instances.map((one) => one.State?.Name),
      )
      return states.length === INSTANCES && states.every((state) => state === 'running')
    },
    180_000,
  )
}

/** Waits until the daemon is idle, then measures. */
async function idle(cloud: Cloud): Promise<Reading> {
  const pid = cloud.daemon().pid
  const isQuiet = () => (loadavg()[0] ?? 0) < availableParallelism()
  await eventually('the machine is quiet', isQuiet, QUIET_DEADLINE_MS)
  await delay(SETTLE_SECONDS * 1000)
  const before = await cpuSeconds(pid)
  const began = performance.now()
  await delay(IDLE_SECONDS * 1000)
  const seconds = (performance.now() - began) / 1000
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const kibibytes = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1])
  return {
    residentMB: (kibibytes * 1024) / 1e6,
    cpuPercent: (((await cpuSeconds(pid)) - before) / seconds) * 100,
  }
}

/** User and system time of a process so far (proc(5), fields 14 and 15 of stat). */
async function cpuSeconds(pid: number | undefined): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}
