/**
 * `launch`: from RunInstances to the first answered ping of the instance, compared with `docker run
 * -d --network none` of the same image in the same engine, and with LXD where it is installed. They
 * alternate, so that a slow minute affects all. One row is of launches for which a container waits
 * (docs/warm-instances.md).
 */
import {
  type _InstanceType,
  RegisterImageCommand,
  RunInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2'
import { type Cloud, execute, withCloud } from '../kit/cloud.ts'
import { eventually } from '../kit/netns.ts'
import { allOffered, keepWaiting } from '../kit/warm.ts'
import { type Benchmark, type BenchResult, quantile } from './figures.ts'
import { type Lxd, startLxd } from './lxd.ts'
import { openPinger } from './pinger.ts'

const ROUNDS = 30
const WARM_UP_ROUNDS = 2
const TYPE = 'at1.small' as _InstanceType
const WAITING = 'Atoll, a container waits'
/** From RunInstances to the first answer, where one waits. */
const WAITING_TARGET_MS = 80

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
    [WAITING]: await registerWaiting(cloud),
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
      // The next one is started now, which nothing else is to be measured beside.
      if (name === WAITING) await allOffered(cloud, 1)
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
  const waitingMs = p50(WAITING)
  const targets = [
    {
      text: `p50 at most ${WAITING_TARGET_MS} ms where a container waits`,
      measured: `${waitingMs.toFixed(0)} ms`,
      met: waitingMs <= WAITING_TARGET_MS,
    },
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

/** An image of its own, so that no other launch takes its containers. One of it waits. */
async function registerWaiting(cloud: Cloud): Promise<string> {
  const image = await register(cloud, 'static', 'waiting')
  // Its first launch tells the records what its content is.
  await launchOne(cloud, image)
  await cloud.stop('SIGTERM')
  await keepWaiting(cloud, { image, type: TYPE, count: 1 })
  await cloud.start()
  await allOffered(cloud, 1)
  return image
}

async function register(cloud: Cloud, tag: string, Name = tag): Promise<string> {
  const { ImageId } = await cloud.ec2.send(
    new RegisterImageCommand({ Name, ImageLocation: `docker://atoll-sample:${tag}` }),
  )
  if (ImageId === undefined) throw new Error('RegisterImage gave no id')
  return ImageId
}

/** One launch. The instance is terminated outside the measured time. */
async function launchOne(cloud: Cloud, ImageId: string): Promise<number> {
  using pinger = await openPinger()
  const began = performance.now()
  const { Instances: [instance] = [] } = await cloud.ec2.send(
    new RunInstancesCommand({
      ImageId,
      InstanceType: TYPE,
      MinCount: 1,
      MaxCount: 1,
    }),
  )
  const address = instance?.PrivateIpAddress
  const id = instance?.InstanceId
  if (address === undefined || id === undefined) throw new Error('RunInstances gave no address')
  const [answered = 0] = await pinger.firstAnswers([address], 30_000)
  const ms = answered - began
  await cloud.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }))
  await eventually('the instance is gone', async () => await isGone(cloud, id))
  return ms
}

async function isGone(cloud: Cloud, instance: string): Promise<boolean> {
  const filters = { label: [`atoll.instance=${instance}`] }
  return (await cloud.docker.docker.listContainers({ all: true, filters })).length === 0
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
