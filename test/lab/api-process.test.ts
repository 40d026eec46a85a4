/**
 * The API as a process of its own, without rights: it and the agent live and die without each
 * other.
 */
import { lstat, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  DescribeInstancesCommand,
  RegisterImageCommand,
  RunInstancesCommand,
} from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { API_USER } from '../../src/model/names.ts'
import { type Cloud, createCloud, isHealthyDaemon, smallType } from '../../tools/kit/cloud.ts'
import { eventually } from '../../tools/kit/netns.ts'

const DEADLINE_MS = 60_000
let cloud: Cloud
let image: string

beforeAll(async () => {
  cloud = await createCloud('apiproc', 'api: {workers: 1}')
  const registered = new RegisterImageCommand({
    Name: 'sample',
    ImageLocation: 'docker://atoll-sample:static',
  })
  image = (await cloud.ec2.send(registered)).ImageId ?? ''
}, 2 * DEADLINE_MS)
afterAll(() => cloud?.destroy())

/** The process id of the API, or of one of its processes. */
async function apiPid(worker = 1): Promise<number> {
  const name = worker === 1 ? 'api.pid' : `api-${worker}.pid`
  return Number((await readFile(join(cloud.dir, 'run', name), 'utf8')).split(' ')[0])
}

async function launch(name: string): Promise<string> {
  const { Instances } = await cloud.ec2.send(
    new RunInstancesCommand({
      ...{ ImageId: image, InstanceType: smallType, MinCount: 1, MaxCount: 1 },
      TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'Name', Value: name }] }],
    }),
  )
  return Instances?.[0]?.InstanceId ?? ''
}

async function stateOf(id: string): Promise<string | undefined> {
  const asked = new DescribeInstancesCommand({ InstanceIds: [id] })
  const { Reservations } = await cloud.ec2.send(asked)
  return Reservations?.[0]?.Instances?.[0]?.State?.Name
}

const runs = (id: string) =>
  eventually(`${id} runs`, async () => (await stateOf(id)) === 'running', DEADLINE_MS)

test('has no rights, and sees nothing of the host’s state but the records', async () => {
  const pid = await apiPid()
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  expect(/^Uid:\s+(.*)$/m.exec(status)?.[1]?.split('\t')).toEqual(Array(4).fill(`${API_USER}`))
  expect(/^Gid:\s+(.*)$/m.exec(status)?.[1]?.split('\t')).toEqual(Array(4).fill(`${API_USER}`))
  expect(status).toMatch(/^Groups:\s*$/m)
  for (const set of ['Eff', 'Prm', 'Inh', 'Amb'])
    expect(status).toMatch(new RegExp(`^Cap${set}:\\s+0+$`, 'm'))
  expect(status).toMatch(/^NoNewPrivs:\s+1$/m)
  const root = `/proc/${pid}/root${cloud.dir}`
  expect((await readdir(join(root, 'state'))).toSorted()).toEqual(['audit', 'records'])
  expect(await readdir(join(root, 'run'))).toEqual(['api'])
  const { mode, uid } = await stat(join(cloud.dir, 'state/records/atoll.db'))
  expect([mode & 0o777, uid]).toEqual([0o600, API_USER])
})

test('launches, and its calls are in the metrics and the health of the host', async () => {
  await runs(await launch('first'))
  // Those of a process that is too busy to say them in time are missing.
  let metrics = ''
  await eventually('the calls are in the metrics', async () => {
    metrics = await (await fetch('http://127.0.0.1:9773/metrics')).text()
    return /^atoll_api_request_seconds_count\{action="RunInstances"\} 1$/m.test(metrics)
  })
  expect(metrics).toMatch(/^atoll_agent_pass\w* [1-9]/m)
  const health = await fetch('http://127.0.0.1:9773/healthz')
  expect(await health.text()).toContain('1 of 1 processes run')
  expect((await fetch('http://127.0.0.1:8773/healthz')).status).toBe(200)
})

test('is started again when it dies, and the command works meanwhile', async () => {
  const pid = await apiPid()
  process.kill(pid, 'SIGKILL')
  expect((await cloud.atoll('hosts')).exitCode).toBe(0)
  await eventually('another one runs', async () => (await apiPid()) !== pid)
  await eventually('it answers', () =>
    cloud.aws('ec2', 'describe-vpcs').then((ran) => ran.exitCode === 0),
  )
})

test('takes what is asked for while the agent is dead or stopped, which is done then', async () => {
  const pid = await apiPid()
  await cloud.stop('SIGKILL')
  const orphaned = await launch('orphaned')
  expect(await stateOf(orphaned)).toBe('pending')
  expect((await fetch('http://127.0.0.1:8773/healthz')).status).toBe(200)
  const asked = await cloud.atoll('hosts')
  expect(asked.exitCode).not.toBe(0)
  expect(asked.stderr).toMatch(/atolld/)
  await cloud.start()
  expect(await apiPid()).toBe(pid)
  await runs(orphaned)
  const agent = Number(await readFile(join(cloud.dir, 'run/atolld.pid'), 'utf8'))
  process.kill(agent, 'SIGSTOP')
  const waiting = await launch('waiting')
  expect(await stateOf(waiting)).toBe('pending')
  process.kill(agent, 'SIGCONT')
  await runs(waiting)
})

test('that is stopped does not stop the agent', async () => {
  const pid = await apiPid()
  process.kill(pid, 'SIGSTOP')
  try {
    expect((await cloud.atoll('instances')).exitCode).toBe(0)
    expect((await fetch('http://127.0.0.1:9773/metrics')).ok).toBe(true)
  } finally {
    process.kill(pid, 'SIGCONT')
  }
  await eventually('it is healthy', isHealthyDaemon)
})

test('ends with a daemon that is asked to stop, and the records go where a setting wants them', async () => {
  const pid = await apiPid()
  const id = await launch('kept')
  await runs(id)
  await cloud.stop('SIGTERM')
  // Nothing but the entry of a process that has ended.
  expect(await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).toBe('')
  const settings = await readFile(cloud.configFile, 'utf8')
  const inAgent = settings.replace('workers: 1', 'workers: 0')
  for (const [content, isApart] of [
    [inAgent, false],
    [settings, true],
  ] as const) {
    await writeFile(cloud.configFile, content)
    await cloud.start()
    expect(await stateOf(id)).toBe('running')
    expect((await lstat(join(cloud.dir, 'state/atoll.db'))).isFile()).toBe(!isApart)
    await cloud.stop('SIGTERM')
  }
})

const WORKERS = [1, 2, 3]
/** Over a connection of its own. */
async function isHealthyNow(): Promise<'yes' | 'no' | 'refused'> {
  try {
    const answer = await fetch('http://127.0.0.1:8773/healthz', {
      headers: { connection: 'close' },
    })
    return answer.ok ? 'yes' : 'no'
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined
    return cause instanceof Error && 'code' in cause && cause.code === 'ECONNREFUSED'
      ? 'refused'
      : 'no'
  }
}

test('of several, each is started again alone, and no client is ever refused', async () => {
  const settings = await readFile(cloud.configFile, 'utf8')
  await writeFile(cloud.configFile, settings.replace('workers: 1', 'workers: 3'))
  await cloud.start()
  const pages = ['ec2', 'describe-instance-types', '--page-size', '5']
  const { exitCode, stdout } = await cloud.aws(...pages)
  expect([exitCode, JSON.parse(stdout).InstanceTypes.length > 5]).toEqual([0, true])
  let metrics = ''
  await eventually('the calls of all are added up', async () => {
    metrics = await (await fetch('http://127.0.0.1:9773/metrics')).text()
    return metrics.includes('atoll_api_request_seconds_count{action="DescribeInstanceTypes"}')
  })
  const seen: string[] = []
  let asks = true
  const asking = (async () => {
    while (asks) seen.push(await isHealthyNow())
  })()
  for (const worker of WORKERS) {
    const others = WORKERS.filter((one) => one !== worker)
    const before = await Promise.all(others.map((one) => apiPid(one)))
    const pid = await apiPid(worker)
    process.kill(pid, 'SIGKILL')
    await eventually('another one runs', async () => (await apiPid(worker)) !== pid)
    await eventually('all are connected', isHealthyDaemon)
    expect(await Promise.all(others.map((one) => apiPid(one)))).toEqual(before)
  }
  // The last one is stopped: the others answer.
  const stopped = await apiPid(3)
  process.kill(stopped, 'SIGSTOP')
  for (let round = 0; round < 5; round += 1) await cloud.aws('ec2', 'describe-vpcs')
  process.kill(stopped, 'SIGCONT')
  asks = false
  await asking
  expect(seen.filter((one) => one === 'refused')).toEqual([])
  expect(seen.filter((one) => one === 'yes').length).toBeGreaterThan(seen.length / 2)
  await cloud.stop('SIGKILL')
  // An agent that finds them, and wants one.
  await writeFile(cloud.configFile, settings)
  await cloud.start()
  expect((await fetch('http://127.0.0.1:8773/healthz')).status).toBe(200)
})

test('listens where it may not listen itself, and where one of other settings listened', async () => {
  const settings = await readFile(cloud.configFile, 'utf8')
  await cloud.stop('SIGKILL')
  await writeFile(
    cloud.configFile,
    settings.replace('workers: 1', "workers: 1, listen: '127.0.0.1'"),
  )
  await cloud.start()
  expect(await isHealthyNow()).toBe('yes')
  await cloud.stop('SIGTERM')
  await writeFile(cloud.configFile, settings.replace('workers: 1', 'workers: 1, port: 443'))
  await cloud.start()
  expect((await fetch('http://127.0.0.1:443/healthz')).status).toBe(200)
  await cloud.stop('SIGTERM')
})
