/**
 * The API as a process of its own on a host that shares its records: MariaDB and RabbitMQ, which it
 * reaches without the secret of the cloud.
 */
import { randomUUID } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { DescribeInstancesCommand, type EC2Client } from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readCredentials } from '../../src/operator/credentials.ts'
import { type Cloud, clientOf, createCloud, execute } from '../../tools/kit/cloud.ts'
import { type InstanceCalls, instanceCalls } from '../../tools/kit/instance-calls.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { RABBIT_PASSWORD, RABBIT_USER } from '../../tools/kit/rabbit.ts'
import { type SharedEngines, shareRecords } from '../kit/shared-engines.ts'

const DEADLINE_MS = 60_000
const COMMANDS = 4
const EXAMPLE = resolve(import.meta.dirname, '../../docs/examples/command.mjs')
let cloud: Cloud
let engines: SharedEngines
let ec2: EC2Client
let ask: InstanceCalls
let sample: string
let key: Awaited<ReturnType<typeof readCredentials>>

beforeAll(async () => {
  cloud = await createCloud('apishared', 'api: {workers: 1}')
  engines = await shareRecords(cloud)
  key = await readCredentials(join(cloud.dir, 'state'))
  ec2 = clientOf(key, await readFile(join(cloud.dir, 'tls/ca.crt')))
  ask = instanceCalls(ec2, DEADLINE_MS)
  sample = await ask.register('sample', 'docker://atoll-sample:latest')
}, 4 * DEADLINE_MS)
afterAll(async () => {
  ec2?.destroy()
  await cloud?.destroy()
  await engines?.end()
})

/** The process id of the API. */
async function apiPid(): Promise<number> {
  return Number((await readFile(join(cloud.dir, 'run/api.pid'), 'utf8')).split(' ')[0])
}

test('launches, and sees nothing of the host but what is its own', async () => {
  const [id = ''] = await ask.launch(sample)
  await ask.untilItAnswers(id)
  const root = `/proc/${await apiPid()}/root${cloud.dir}`
  expect((await readdir(join(root, 'state'))).toSorted()).toEqual(['audit', 'records'])
  expect(await readdir(join(root, 'run'))).toEqual(['api'])
  const handed = await readFile(join(cloud.dir, 'run/api/secrets.json'), 'utf8')
  expect(handed).not.toContain('c0'.repeat(32))
})

test('reads from its own copy of the records while the database hangs, and refuses launches', async () => {
  const [id = ''] = await ask.launch(sample)
  await ask.untilItAnswers(id)
  engines.mariadb.server.signal('SIGSTOP')
  try {
    const listed = await ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }))
    expect(listed.Reservations).toHaveLength(1)
    await expect(ask.launch(sample)).rejects.toThrow(/database is unavailable/)
    const health = async () => (await fetch('http://127.0.0.1:8773/healthz')).status
    await eventually('no load balancer sends clients here', async () => (await health()) === 503)
  } finally {
    engines.mariadb.server.signal('SIGCONT')
  }
  await eventually(
    'launches go on',
    async () => (await ask.launch(sample).catch(() => [])).length === 1,
    DEADLINE_MS,
  )
})

test('takes launches while its agent is dead, which are done when it is back', async () => {
  await cloud.stop('SIGKILL')
  const [id = ''] = await ask.launch(sample)
  await cloud.start()
  await ask.untilItAnswers(id)
})

test(
  'answers each command on the bus once, although it dies in the middle of them',
  async () => {
    const env = {
      ...process.env,
      AMQP_URL: `amqp://${RABBIT_USER}:${encodeURIComponent(RABBIT_PASSWORD)}@${engines.rabbit.address}`,
      AWS_ACCESS_KEY_ID: key.accessKeyId,
      AWS_SECRET_ACCESS_KEY: key.secretAccessKey,
    }
    const parameters = { ImageId: sample, InstanceType: 't3.nano', MinCount: 1, MaxCount: 1 }
    const command = (id: string) =>
      execute(process.execPath, [EXAMPLE, 'RunInstances', JSON.stringify(parameters), id], { env })
    const ids = Array.from({ length: COMMANDS }, () => randomUUID())
    const launched = async () => {
      const Filters = [{ Name: 'client-token', Values: ids }]
      const { Reservations = [] } = await ec2.send(new DescribeInstancesCommand({ Filters }))
      return Reservations.flatMap(({ Instances = [] }) => Instances)
    }
    const pid = await apiPid()
    const running = ids.map(command)
    await eventually('one is done', async () => (await launched()).length > 0, DEADLINE_MS)
    process.kill(pid, 'SIGKILL')
    const ended = await Promise.all(running)
    expect(ended.map(({ exitCode, stderr }) => ({ exitCode, stderr }))).toEqual(
      ids.map(() => ({ exitCode: 0, stderr: '' })),
    )
    await eventually('another process', async () => (await apiPid()) !== pid, DEADLINE_MS)
    const tokens = (await launched()).map(({ ClientToken }) => ClientToken)
    expect(tokens.toSorted()).toEqual(ids.toSorted())
  },
  2 * DEADLINE_MS,
)

test('is replaced when it runs with other settings than the agent', async () => {
  const pid = await apiPid()
  await cloud.stop('SIGKILL')
  const settings = await readFile(cloud.configFile, 'utf8')
  await writeFile(
    cloud.configFile,
    settings.replace('workers: 1', 'workers: 1, requestBurst: 1234'),
  )
  await cloud.start()
  await eventually('another process', async () => (await apiPid()) !== pid, DEADLINE_MS)
  await eventually('it answers', () =>
    ec2.send(new DescribeInstancesCommand({})).then(
      () => true,
      () => false,
    ),
  )
})
