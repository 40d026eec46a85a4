/**
 * The shared engines of a cluster hang: mariadbd and RabbitMQ's beam.smp are stopped (SIGSTOP).
 *
 * DNS, rules, routes, metadata and reads went on in time when first tried, and launches are refused
 * within seconds or succeed. Before: health said for ten seconds only that the lease had expired,
 * then that the database was unavailable, and never named the engine that hung.
 */
import { readFile, readlink } from 'node:fs/promises'
import { Agent } from 'node:https'
import { join } from 'node:path'
import { DescribeInstancesCommand, EC2Client } from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readCredentials } from '../../src/operator/credentials.ts'
import { type Cloud, createCloud, execute } from '../../tools/kit/cloud.ts'
import { canRunDocker } from '../../tools/kit/docker.ts'
import { type InstanceCalls, instanceCalls } from '../../tools/kit/instance-calls.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { healthProblems, processesLike, within } from '../kit/hung.ts'
import { type SharedEngines, shareRecords } from '../kit/shared-engines.ts'

const DEADLINE_MS = 60_000
/** A request that needs the records is answered, or refused, by then. */
const ANSWER_MS = 10_000
const REPAIRED_MS = 9_000
const GATEWAY = '172.31.0.1'

describe.skipIf(!canRunDocker())('a shared engine that hangs (needs root)', () => {
  let cloud: Cloud
  let engines: SharedEngines
  let ec2: EC2Client
  let ask: InstanceCalls
  let sample: string
  let instance: string
  let address: string

  async function launch(): Promise<string> {
    return (await ask.launch(sample))[0] ?? ''
  }
  const named = (what: RegExp) =>
    eventually(
      `health names ${what}`,
      async () => (await healthProblems()).some((one) => what.test(one)),
      DEADLINE_MS,
    )
  const wellAgain = () =>
    eventually(
      'everything is healthy',
      async () => (await healthProblems()).length === 0,
      DEADLINE_MS,
    )
  /** What instances that run have of their host, and what is repaired. */
  async function instancesGoOn(): Promise<void> {
    const asked = ['+time=2', '+tries=3', '+short', `@${GATEWAY}`, `${instance}.atoll.internal`]
    expect((await execute('dig', asked)).stdout.trim()).toBe(address)
    await cloud.netns.must(['nft', 'delete', 'table', 'inet', 'atoll'])
    await cloud.netns.must(['ip', 'route', 'flush', 'proto', '167'])
    const isRepaired = async () =>
      (await cloud.netns.run(['nft', 'list', 'table', 'inet', 'atoll'])).exitCode === 0 &&
      (await execute('ping', ['-c', '1', '-W', '1', address])).exitCode === 0
    await eventually('rules and routes are repaired', isRepaired, REPAIRED_MS)
    const url = 'http://169.254.169.254/latest/meta-data/instance-id'
    expect((await cloud.inside(instance, ['wget', '-qO-', url])).stdout).toBe(instance)
    const listed = await within(ANSWER_MS, 'a read', ec2.send(new DescribeInstancesCommand({})))
    expect(listed.Reservations?.length).toBeGreaterThan(0)
  }
  async function launchesGoOn(): Promise<void> {
    const id = await launch()
    await ask.untilItAnswers(id)
    await ask.terminate(id)
  }

  beforeAll(async () => {
    cloud = await createCloud('shared')
    engines = await shareRecords(cloud)
    const credentials = await readCredentials(join(cloud.dir, 'state'))
    const ca = await readFile(join(cloud.dir, 'tls/ca.crt'))
    ec2 = new EC2Client({
      ...{ endpoint: credentials.endpoint, region: credentials.region, credentials },
      maxAttempts: 1,
      requestHandler: { httpsAgent: new Agent({ ca, keepAlive: true }) },
    })
    ask = instanceCalls(ec2, DEADLINE_MS)
    sample = await ask.register('sample', 'docker://atoll-sample:latest')
    instance = await launch()
    await ask.untilItAnswers(instance)
    address = (await ask.look(instance)).PrivateIpAddress ?? ''
  }, 4 * DEADLINE_MS)
  afterAll(async () => {
    ec2?.destroy()
    await cloud?.destroy()
    await engines?.end()
  })

  it('mariadbd', async () => {
    engines.mariadb.server.signal('SIGSTOP')
    try {
      await instancesGoOn()
      await expect(within(ANSWER_MS, 'a launch', launch())).rejects.toThrow(
        /database is unavailable/,
      )
      await named(new RegExp(`^lease: expired: .*${engines.mariadb.node} does not answer`))
      await named(
        new RegExp(`^records: unavailable; using the ledger: .*${engines.mariadb.node} does not`),
      )
      await instancesGoOn()
    } finally {
      engines.mariadb.server.signal('SIGCONT')
    }
    await wellAgain()
    await launchesGoOn()
  }, 240_000)

  it('beam.smp', async () => {
    const networkOf = (pid: number | 'self') => readlink(`/proc/${pid}/ns/net`).catch(() => '')
    const own = await networkOf('self')
    const beam: number[] = []
    for (const pid of await processesLike((line) => line.includes('beam.smp')))
      if ((await networkOf(pid)) === own) beam.push(pid)
    expect(beam).toHaveLength(1)
    const signal = (name: 'SIGSTOP' | 'SIGCONT') => {
      for (const pid of beam) process.kill(pid, name)
    }
    signal('SIGSTOP')
    try {
      await launchesGoOn()
      await named(/^bus: RabbitMQ is unavailable/)
      await instancesGoOn()
      await launchesGoOn()
    } finally {
      signal('SIGCONT')
    }
    await wellAgain()
    await launchesGoOn()
  }, 240_000)
})
