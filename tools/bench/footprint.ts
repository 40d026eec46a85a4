/**
 * `footprint`: what an idle daemon costs, all its processes together: memory with 0 and 50
 * instances, and processor time.
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
import { daemonProcesses, processorSeconds } from '../kit/daemon-processes.ts'
import { eventually } from '../kit/netns.ts'
import type { Benchmark, BenchResult } from './figures.ts'

const INSTANCES = 50
const IDLE_SECONDS = 60
/** V8 returns memory some seconds after a burst of work. */
const SETTLE_SECONDS = 15
const QUIET_DEADLINE_MS = 180_000
const MOST_MB = 170
const MOST_CPU_PERCENT = 0.5
const KIBIBYTE = 1024
const MEGABYTE = 1e6
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
  /** By the part that a process is. */
  readonly memoryMB: Readonly<Record<string, number>>
  /** Of one core, by the part that a process is. */
  readonly cpuPercent: Readonly<Record<string, number>>
}

async function measure(cloud: Cloud, progress: (line: string) => void): Promise<BenchResult> {
  const empty = await idle(cloud)
  progress('measured without instances')
  await launchMany(cloud)
  progress(`${INSTANCES} instances run`)
  const full = await idle(cloud)
  const row = (name: string, { memoryMB, cpuPercent }: Reading) => [
    name,
    sumOf(memoryMB).toFixed(1),
    byPart(memoryMB, 1),
    sumOf(cpuPercent).toFixed(2),
    byPart(cpuPercent, 2),
  ]
  const worst = (pick: (reading: Reading) => number) => Math.max(pick(empty), pick(full))
  const memory = worst((reading) => sumOf(reading.memoryMB))
  const cpu = worst((reading) => sumOf(reading.cpuPercent))
  return {
    name: 'footprint',
    head: ['atolld', 'memory MB', 'of these', 'CPU % of a core, idle', 'of these'],
    rows: [row('0 instances', empty), row(`${INSTANCES} instances`, full)],
    targets: [
      {
        text: `memory of all processes at most ${MOST_MB} MB`,
        measured: `${memory.toFixed(1)} MB`,
        met: memory <= MOST_MB,
      },
      {
        text: `idle at most ${MOST_CPU_PERCENT} % of a core`,
        measured: `${cpu.toFixed(2)} %`,
        met: cpu <= MOST_CPU_PERCENT,
      },
    ],
    notes: [
      `Memory is what the kernel counts for each process, with its share of pages that several use (Pss, 10^6 bytes), at the end of ${IDLE_SECONDS} idle seconds.`,
    ],
    raw: {
      memoryMB: [sumOf(empty.memoryMB), sumOf(full.memoryMB)],
      cpuPercent: [sumOf(empty.cpuPercent), sumOf(full.cpuPercent)],
    },
  }
}

const sumOf = (figures: Readonly<Record<string, number>>) =>
  Object.values(figures).reduce((sum, one) => sum + one, 0)

const byPart = (figures: Readonly<Record<string, number>>, digits: number) =>
  Object.entries(figures)
    .map(([part, figure]) => `${part} ${figure.toFixed(digits)}`)
    .join(', ')

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
  const isQuiet = () => (loadavg()[0] ?? 0) < availableParallelism()
  await eventually('the machine is quiet', isQuiet, QUIET_DEADLINE_MS)
  await delay(SETTLE_SECONDS * 1000)
  const processes = await daemonProcesses(cloud.configFile)
  const before = await Promise.all(processes.map(({ pid }) => processorSeconds(pid)))
  const began = performance.now()
  await delay(IDLE_SECONDS * 1000)
  const seconds = (performance.now() - began) / 1000
  const memoryMB: Record<string, number> = {}
  const cpuPercent: Record<string, number> = {}
  for (const [index, { pid, part }] of processes.entries()) {
    const used = (await processorSeconds(pid)) - (before[index] ?? 0)
    cpuPercent[part] = (cpuPercent[part] ?? 0) + (used / seconds) * 100
    memoryMB[part] = (memoryMB[part] ?? 0) + (await pssMB(pid))
  }
  return { memoryMB, cpuPercent }
}

/** Its memory, and its share of what it has together with others (proc_pid_smaps(5)). */
async function pssMB(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8')
  return (Number(/^Pss:\s+(\d+) kB$/m.exec(text)?.[1]) * KIBIBYTE) / MEGABYTE
}
