/**
 * DHCP, DNS and metadata as a process of their own: what the death of that process, of the agent,
 * and their restarts cost clients that ask all the time.
 */
import { createSocket } from 'node:dgram'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import {
  type _InstanceType,
  RegisterImageCommand,
  RunInstancesCommand,
  waitUntilInstanceRunning,
} from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { statFields } from '../../src/host/processes/stat.ts'
import { type Cloud, createCloud, execute, isHealthyDaemon } from '../../tools/kit/cloud.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { openOwnClock } from '../kit/stall.ts'
import { isLong } from '../long-files.ts'

const ROUNDS = isLong ? 20 : 2
/** A query is lost when it is not answered by then. */
const ANSWER_MS = 20_000
const ASK_EVERY_MS = 10
/** Of proc_pid_stat(5), from the state on. */
const POLICY = 38

/** A resolver that takes its time. */
const UPSTREAM = '127.0.0.9'
const UPSTREAM_MS = 1_500

let cloud: Cloud
let instance: string

beforeAll(async () => {
  cloud = await createCloud('svc', `dns: {forwarders: ['${UPSTREAM}']}`)
  const { ImageId } = await cloud.ec2.send(
    new RegisterImageCommand({ Name: 'sample', ImageLocation: 'docker://atoll-sample:latest' }),
  )
  const { Instances = [] } = await cloud.ec2.send(
    new RunInstancesCommand({
      ...{ ImageId, InstanceType: 'at1.nano' as _InstanceType, MinCount: 1, MaxCount: 1 },
      MetadataOptions: { HttpTokens: 'optional' },
    }),
  )
  instance = Instances[0]?.InstanceId ?? ''
  await waitUntilInstanceRunning(
    { client: cloud.ec2, maxWaitTime: 60, minDelay: 1, maxDelay: 1 },
    { InstanceIds: [instance] },
  )
}, 120_000)

afterAll(() => cloud.destroy())

/** A query for an address (RFC 1035). */
function query(id: number, asked: string): Buffer {
  const header = Buffer.from([id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0])
  const name = asked.split('.')
  const labels = name.map((label) =>
    Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]),
  )
  return Buffer.concat([header, ...labels, Buffer.from([0, 0, 1, 0, 1])])
}

interface Asked {
  readonly asked: number
  readonly lost: number
  readonly longestMs: number
}

interface Questions {
  readonly everyMs: number
  readonly name: (n: number) => string
}

const OF_THE_INSTANCE: Questions = {
  everyMs: ASK_EVERY_MS,
  name: () => `${instance}.atoll.internal`,
}

/**
 * Asks DNS all the time while `work` runs. Lost are those without an answer, or with an error. The
 * time for which this process itself was not run, on a busy machine, counts for none.
 */
async function whileAsking(
  work: () => Promise<void>,
  { everyMs, name }: Questions = OF_THE_INSTANCE,
): Promise<Asked> {
  const socket = createSocket('udp4').bind(0)
  const waiting = new Map<number, number>()
  using clock = openOwnClock()
  let [asked, longestMs] = [0, 0]
  socket.on('message', (reply) => {
    const id = reply.readUInt16BE(0)
    // An answer that says that there is no such name is as bad as none.
    if (reply.readUInt16BE(6) !== 1) return
    const ms = clock.ms()
    longestMs = Math.max(longestMs, ms - (waiting.get(id) ?? ms))
    if (((reply[3] ?? 0) & 15) === 0) waiting.delete(id)
  })
  const timer = setInterval(() => {
    const id = asked++ & 0xffff
    waiting.set(id, clock.ms())
    socket.send(query(id, name(id)), 53, '172.31.0.1')
  }, everyMs)
  await work()
  clearInterval(timer)
  await eventually('all are answered', () => waiting.size === 0, ANSWER_MS).catch(() => undefined)
  socket.close()
  return { asked, lost: waiting.size, longestMs: Math.round(longestMs) }
}

/**
 * Asks for metadata all the time, inside the instance, until it is told to stop. It pauses, because
 * an instance that asks more often than 250 times a second is refused (429).
 */
const METADATA_LOAD = `rm -f /tmp/stop /tmp/errors; good=0; bad=0
while [ ! -e /tmp/stop ]; do
  if [ "$(wget -q -O - http://169.254.169.254/latest/meta-data/instance-id 2>>/tmp/errors)" = "$0" ]; then good=$((good + 1)); else bad=$((bad + 1)); fi
  usleep 5000
done
echo "$good $bad $(tail -n 3 /tmp/errors | tr '\\n' ' ')"`

async function whileReadingMetadata(work: () => Promise<void>): Promise<string> {
  const load = cloud.inside(instance, ['sh', '-c', METADATA_LOAD, instance])
  await work()
  await cloud.inside(instance, ['touch', '/tmp/stop'])
  return (await load).stdout.trim()
}

async function servicesPid(): Promise<number> {
  return Number((await readFile(join(cloud.dir, 'run/services.pid'), 'utf8')).split(' ')[0])
}

async function isServing(): Promise<boolean> {
  return (await (await fetch('http://127.0.0.1:9773/metrics')).text()).includes('atoll_dns_queries')
}

interface Disturbance {
  /** The longest that a query may wait. */
  readonly mostMs: number
  /** Requests for metadata that it may break, and queries that may be lost; absent: none. */
  readonly begun?: { readonly requests: number; readonly queries: number }
  do(): Promise<void>
}

/** Of the first thread of a process (sched(7)): 2 is SCHED_RR. */
async function policyOf(pid: number): Promise<string | undefined> {
  return statFields(await readFile(`/proc/${pid}/stat`, 'utf8'))[POLICY]
}

it('its thread goes before others, where the kernel has real-time threads', async () => {
  const { exitCode } = await execute('chrt', ['--rr', '1', 'true'])
  const policy = exitCode === 0 ? '2' : '0'
  await eventually('it does', async () => (await policyOf(await servicesPid())) === policy)
})

/** Each kills or stops something, and brings it back. */
const DISTURBANCES: Readonly<Record<string, Disturbance>> = {
  'the death of the agent': {
    mostMs: 1_000,
    do: async () => {
      await cloud.stop('SIGKILL')
      await delay(200)
      await cloud.start()
    },
  },
  'a stopped agent': {
    mostMs: 1_000,
    do: async () => {
      cloud.daemon().kill('SIGSTOP')
      await delay(1_000)
      cloud.daemon().kill('SIGCONT')
      await eventually('it is healthy', isHealthyDaemon)
    },
  },
  'the death of the process of services': {
    mostMs: 5_000,
    // The request that is under way at that moment, and queries that were read and not answered: a
    // few where the machine is busy. Without the agent's copies of the sockets some thirty a round
    // would be lost.
    begun: { requests: ROUNDS, queries: 5 * ROUNDS },
    do: async () => {
      const pid = await servicesPid()
      process.kill(pid, 'SIGKILL')
      await eventually('another one runs', async () => (await servicesPid()) !== pid)
      await eventually('it serves', isServing)
    },
  },
  'a restart of the process of services': {
    mostMs: 3_000,
    do: async () => {
      const pid = await servicesPid()
      process.kill(pid, 'SIGHUP')
      await eventually('another one runs', async () => (await servicesPid()) !== pid)
      await eventually('it serves', isServing)
    },
  },
}

describe.each(Object.entries(DISTURBANCES))('%s', (_name, { mostMs, begun, do: disturb }) => {
  it('loses no query, and no request but one that a dead process had begun', async () => {
    let metadata = ''
    const dns = await whileAsking(async () => {
      metadata = await whileReadingMetadata(async () => {
        for (let round = 0; round < ROUNDS; round += 1) {
          await disturb()
          await delay(300)
        }
      })
    })
    const what = `of ${dns.asked} queries, and of metadata (good, bad, why) ${metadata}`
    expect(dns.lost, what).toBeLessThanOrEqual(begun?.queries ?? 0)
    expect(Number(metadata.split(' ')[1]), what).toBeLessThanOrEqual(begun?.requests ?? 0)
    expect(dns.longestMs).toBeLessThan(mostMs)
  }, 300_000)
})

/** Answers each question with one address, late. */
async function openSlowResolver(): Promise<{ close(): void }> {
  const socket = createSocket('udp4')
  socket.on('message', (asked, { address, port }) => {
    const reply = Buffer.concat([
      asked.subarray(0, 2),
      Buffer.from([0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]),
      // The question, without the OPT record behind it.
      asked.subarray(12, asked.length - OPT_BYTES),
      Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]),
    ])
    setTimeout(() => socket.send(reply, port, address), UPSTREAM_MS)
  })
  await new Promise<void>((resolve) => socket.bind(53, UPSTREAM, resolve))
  return socket
}

const OPT_BYTES = 11

it('a restart loses no query that waits for a slow resolver', { timeout: 60_000 }, async () => {
  const resolver = await openSlowResolver()
  const outside = { everyMs: 50, name: (n: number) => `n${n}.example.com` }
  const { asked, lost } = await whileAsking(async () => {
    for (let round = 0; round < 2; round += 1) {
      const pid = await servicesPid()
      await delay(UPSTREAM_MS)
      process.kill(pid, 'SIGHUP')
      await eventually('another one serves', async () => (await servicesPid()) !== pid)
      await eventually('the one before has ended', () => !existsSync(`/proc/${pid}`))
    }
  }, outside)
  resolver.close()
  expect(asked).toBeGreaterThan(20)
  expect(lost).toBe(0)
})

it('a hung process of services is replaced within seconds', async () => {
  const pid = await servicesPid()
  process.kill(pid, 'SIGSTOP')
  await eventually('another one runs', async () => (await servicesPid()) !== pid)
  await eventually('it serves', isServing)
  const { lost } = await whileAsking(() => delay(200))
  expect(lost).toBe(0)
})
