/**
 * `storm`: one RunInstances for 200 instances (127 on two processors) on one host, until all of
 * them answer pings, compared with a loop of `docker run` of the same image in the same engine,
 * with as many at a time as the daemon has. Meanwhile another instance asks DNS and DHCP without a
 * pause.
 */
import { cpus } from 'node:os'
import {
  type _InstanceType,
  RunInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2'
import { CONCURRENT_STEPS } from '../../src/workloads/step-runner.ts'
import { type Cloud, execute, withCloud } from '../kit/cloud.ts'
import { eventually } from '../kit/netns.ts'
import { askingInstance, STATIC_IMAGE } from './asking-instance.ts'
import { type Benchmark, type BenchResult, quantile } from './figures.ts'
import { firstAnswers } from './pinger.ts'
import type { ServiceWatch } from './service-watch.ts'

/** The most that the setting takes. */
const VCPU_RATIO = 64
/** As many as a host takes beside the one that asks, if it has few processors. */
const INSTANCES = Math.min(200, VCPU_RATIO * cpus().length - 1)
const ROUNDS = 3
const STORM_MS = 300_000
const MOST_TIMES_DOCKER = 1.1
const MOST_MS = 20
/** So that a small machine has room for all, which only affects placement, and one request may. */
const CAPACITY = `capacity: {vcpuRatio: ${VCPU_RATIO}, memoryRatio: 8}\napi: {maxInstancesPerLaunch: ${INSTANCES}}\n`

/** The benchmark `storm`. Needs root. */
export const storm: Benchmark = {
  name: 'storm',
  about: `${INSTANCES} instances in one RunInstances until all answer, beside a loop of docker run`,
  run: (progress) => withCloud('bench', (cloud) => measure(cloud, progress), CAPACITY),
}

async function measure(cloud: Cloud, progress: (line: string) => void): Promise<BenchResult> {
  const { id, image, watch } = await askingInstance(cloud)
  const series: Record<string, number[]> = {}
  const note = (name: string, figures: readonly number[]) => {
    series[name] = [...(series[name] ?? []), ...figures]
  }
  try {
    for (let round = 1; round <= ROUNDS; round += 1) {
      note('docker, s', [await dockerRuns(cloud)])
      await noteAnswers(watch, note, async () => {
        note('atoll, s', [await launchAll(cloud, image, id)])
      })
      progress(`${round} of ${ROUNDS} rounds`)
    }
  } finally {
    watch.close()
  }
  return summary(series)
}

/** The times of answers while `work` runs. */
async function noteAnswers(
  watch: ServiceWatch,
  note: (name: string, figures: readonly number[]) => void,
  work: () => Promise<void>,
): Promise<void> {
  watch.clear()
  await work()
  const { dnsMs, dhcpMs, lost } = watch.seen()
  note('dns, ms', dnsMs)
  note('dhcp, ms', dhcpMs)
  note('lost', [lost])
}

/** Seconds until all answer. They are terminated outside of the measured time. */
async function launchAll(cloud: Cloud, image: string, keep: string): Promise<number> {
  const began = performance.now()
  const { Instances: instances = [] } = await cloud.ec2.send(
    new RunInstancesCommand({
      ImageId: image,
      InstanceType: 'at1.nano' as _InstanceType,
      MinCount: INSTANCES,
      MaxCount: INSTANCES,
    }),
  )
  const addresses = instances.map(({ PrivateIpAddress = '' }) => PrivateIpAddress)
  const answered = await firstAnswers(addresses, STORM_MS)
  const seconds = (Math.max(...answered) - began) / 1000
  const InstanceIds = instances.map(({ InstanceId = '' }) => InstanceId)
  await cloud.ec2.send(new TerminateInstancesCommand({ InstanceIds }))
  const areGone = async () => {
    const found = await cloud.docker.docker.listContainers({ all: true })
    return found.every(({ Names }) => Names.some((name) => name.includes(keep)))
  }
  await eventually('the instances are gone', areGone, STORM_MS)
  return seconds
}

/** Seconds until all commands have returned. */
async function dockerRuns(cloud: Cloud): Promise<number> {
  const docker = `docker --host unix://${cloud.docker.socketPath}`
  const run = `${docker} run -d --network none --label storm ${STATIC_IMAGE}`
  const loop = `seq ${INSTANCES} | xargs -P ${CONCURRENT_STEPS} -I{} ${run}`
  const began = performance.now()
  const ran = await execute('sh', ['-c', loop], { timeoutMs: STORM_MS })
  const seconds = (performance.now() - began) / 1000
  if (ran.exitCode !== 0) throw new Error(`docker run: ${ran.stderr}`)
  const remove = `${docker} ps -aq --filter label=storm | xargs ${docker} rm -f`
  await execute('sh', ['-c', remove], { timeoutMs: STORM_MS })
  return seconds
}

function summary(series: Readonly<Record<string, readonly number[]>>): BenchResult {
  const of = (name: string) => series[name] ?? []
  const [atoll, docker] = [quantile(of('atoll, s'), 0.5), quantile(of('docker, s'), 0.5)]
  const ratio = atoll / docker
  const lost = of('lost').reduce((sum, one) => sum + one, 0)
  const p99 = (name: string) => quantile(of(name), 0.99)
  const late = (name: string, what: string) => ({
    text: `${what} p99 meanwhile at most ${MOST_MS} ms`,
    measured: `${p99(name).toFixed(1)} ms`,
    met: p99(name) <= MOST_MS,
  })
  return {
    name: 'storm',
    head: [`${INSTANCES} at once`, 'median s', 'x docker run'],
    rows: [
      ['Atoll, until all answer', atoll.toFixed(1), ratio.toFixed(2)],
      [`docker run, ${CONCURRENT_STEPS} at a time`, docker.toFixed(1), '1.00'],
    ],
    targets: [
      {
        text: `at most ${MOST_TIMES_DOCKER} x docker run`,
        measured: `${ratio.toFixed(2)} x`,
        met: ratio <= MOST_TIMES_DOCKER,
      },
      late('dns, ms', 'DNS'),
      late('dhcp, ms', 'DHCP'),
    ],
    notes: [
      `Meanwhile ${of('dns, ms').length} DNS and ${of('dhcp, ms').length} DHCP answers, ${lost} questions without an answer within a second; DNS p50 ${quantile(of('dns, ms'), 0.5).toFixed(1)} ms, DHCP p50 ${quantile(of('dhcp, ms'), 0.5).toFixed(1)} ms.`,
    ],
    raw: series,
  }
}
