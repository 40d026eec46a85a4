/**
 * `launch`: from RunInstances to the first answered ping of the instance, compared with `docker run
 * -d --network none` of the same image in the same engine, and with LXD where it is installed. They
 * alternate, so that a slow minute affects all.
 */
import {
  type _InstanceType,
  RegisterImageCommand,
  RunInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2'
import { type Cloud, execute, withCloud } from '../kit/cloud.ts'
import { eventually } from '../kit/netns.ts'
import { type Benchmark, type BenchResult, quantile } from './figures.ts'
import { type Lxd, startLxd } from './lxd.ts'
import { firstAnswers } from './pinger.ts'

const ROUNDS = 30
const WARM_UP_ROUNDS = 2

/** The benchmark `launch`. Needs root. */
export const launch: Benchmark = {
  name: 'launch',
  about: `RunInstances to first answered ping, ${ROUNDS} launches, beside docker run and LXD`,
  run: (progress) => withCloud('bench', (cloud) => measure(cloud, progress)),
}

async function measure(cloud: Cloud, progress: (line: string) => void): Promise<BenchResult> {
  const lxd = await startLxd()
  try {
    return await compare(cloud, lxd, progress)
  } finally {
    await lxd?.close()
  }
}

async function compare(
  cloud: Cloud,
  lxd: Lxd | null,
  progress: (line: string) => void,
): Promise<BenchResult> {
  const images = {
    'Atoll, address set by the daemon': await register(cloud, 'static'),
    'Atoll, address by DHCP': await register(cloud, 'latest'),
  }
  const series: Record<string, number[]> = {}
  const note = (name: string, ms: number) => {
    series[name] ??= []
    series[name].push(ms)
  }
  for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round += 1) {
    const counted = round >= 0
    for (const [name, image] of Object.entries(images)) {
      const ms = await launchOne(cloud, image)
      if (counted) note(name, ms)
    }
    const docker = await dockerRun(cloud)
    if (counted) note('docker run -d --network none', docker)
    if (lxd !== null) {
      const ms = await lxd.launch()
      if (counted) note('LXD', ms)
    }
    if (counted && round % 10 === 9) progress(`${round + 1} of ${ROUNDS} rounds`)
  }
  return summary(series, lxd !== null)
}

function summary(
  series: Readonly<Record<string, readonly number[]>>,
  withLxd: boolean,
): BenchResult {
  const p50 = (name: string) => quantile(series[name] ?? [], 0.5)
  const base = p50('docker run -d --network none')
  const atoll = p50('Atoll, address set by the daemon')
  const ratio = atoll / base
  const targets = [
    {
      text: 'p50 at most 1.25 x docker run',
      measured: `${ratio.toFixed(2)} x`,
      met: ratio <= 1.25,
    },
    ...(withLxd
      ? [
          {
            text: 'p50 at most 0.75 x LXD',
            measured: `${(atoll / p50('LXD')).toFixed(2)} x`,
            met: atoll / p50('LXD') <= 0.75,
          },
        ]
      : []),
  ]
  return {
    name: 'launch',
    head: ['launch', 'p50 ms', 'p95 ms', 'x docker run (p50)'],
    rows: Object.entries(series).map(([name, figures]) => [
      name,
      quantile(figures, 0.5).toFixed(0),
      quantile(figures, 0.95).toFixed(0),
      (quantile(figures, 0.5) / base).toFixed(2),
    ]),
    targets,
    notes: [
      'Atoll: from sending RunInstances (SDK, SigV4) to the first ICMP echo answered at the address; docker run: until the command returns; LXD: from `lxc launch` until the container has an address.',
      'The DHCP row contains the guest: its init starts udhcpc, which asks for the lease.',
      ...(withLxd
        ? []
        : [
            'LXD is not installed here and was left out (apt-get install lxd lxd-client dnsmasq-base).',
          ]),
    ],
    raw: series,
  }
}

async function register(cloud: Cloud, tag: string): Promise<string> {
  const { ImageId } = await cloud.ec2.send(
    new RegisterImageCommand({ Name: tag, ImageLocation: `docker://atoll-sample:${tag}` }),
  )
  if (ImageId === undefined) throw new Error('RegisterImage gave no id')
  return ImageId
}

/** One launch. The instance is terminated outside the measured time. */
async function launchOne(cloud: Cloud, ImageId: string): Promise<number> {
  const began = performance.now()
  const { Instances: [instance] = [] } = await cloud.ec2.send(
    new RunInstancesCommand({
      ImageId,
      InstanceType: 'at1.small' as _InstanceType,
      MinCount: 1,
      MaxCount: 1,
    }),
  )
  const address = instance?.PrivateIpAddress
  const id = instance?.InstanceId
  if (address === undefined || id === undefined) throw new Error('RunInstances gave no address')
  const [answered = 0] = await firstAnswers([address], 30_000)
  const ms = answered - began
  await cloud.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }))
  await eventually('the instance is gone', async () => (await containerCount(cloud)) === 0)
  return ms
}

async function containerCount(cloud: Cloud): Promise<number> {
  return (await cloud.docker.docker.listContainers({ all: true })).length
}

async function dockerRun(cloud: Cloud): Promise<number> {
  const docker = ['--host', `unix://${cloud.docker.socketPath}`]
  const began = performance.now()
  const ran = await execute('/usr/bin/docker', [
    ...docker,
    'run',
    '-d',
    '--network',
    'none',
    'atoll-sample:static',
  ])
  const ms = performance.now() - began
  if (ran.exitCode !== 0) throw new Error(`docker run: ${ran.stderr}`)
  await execute('/usr/bin/docker', [...docker, 'rm', '-f', ran.stdout.trim()])
  return ms
}
