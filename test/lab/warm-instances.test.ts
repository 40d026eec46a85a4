/**
 * A cloud that keeps containers waiting: launches take them at once, one after the other, and at
 * whatever point of a launch the daemon dies, the instance has what it asked for and nobody else
 * gets its container.
 */
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import {
  DescribeInstancesCommand,
  RegisterImageCommand,
  RunInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openPinger } from '../../tools/bench/pinger.ts'
import {
  type Cloud,
  createCloud,
  execute,
  isHealthyDaemon,
  smallType,
} from '../../tools/kit/cloud.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { allOffered, keepWaiting, offersOf } from '../../tools/kit/warm.ts'

const DEADLINE_MS = 60_000
const COUNT = 2
const ROUNDS = 10
const KILLS = 12

let cloud: Cloud
let image = ''
let orders: string
let tokens = 0
const launched: string[] = []

beforeAll(async () => {
  cloud = await createCloud('warm')
  orders = join(cloud.dir, 'die-at')
  const command = new RegisterImageCommand({
    ...{ Name: 'static', ImageLocation: 'docker://atoll-sample:static' },
  })
  image = (await cloud.ec2.send(command)).ImageId ?? ''
  // Its content is pinned by its first launch.
  await end((await launch('first')).id)
  await cloud.stop('SIGTERM')
  await keepWaiting(cloud, { image, type: smallType, count: COUNT })
  await start()
}, 180_000)
afterAll(() => cloud?.destroy())

async function start(): Promise<void> {
  const dieAt = resolve(import.meta.dirname, '../kit/die-at.ts')
  await cloud.start({ env: { NODE_OPTIONS: `--import=${dieAt}`, ATOLL_DIE_FILE: orders } })
}

function newToken(): string {
  tokens += 1
  return `launch-${tokens}`
}

async function launch(token: string) {
  const data = `#!/bin/sh\necho ${token} >>/ran\n`
  const { Instances: [instance] = [] } = await cloud.ec2.send(
    new RunInstancesCommand({
      ...{ ImageId: image, InstanceType: smallType, MinCount: 1, MaxCount: 1 },
      ...{ ClientToken: token, UserData: Buffer.from(data).toString('base64') },
    }),
  )
  const { InstanceId: id = '', PrivateIpAddress: address = '' } = instance ?? {}
  return { id, address }
}

async function end(id: string): Promise<void> {
  await cloud.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }))
  await eventually(
    'it is terminated',
    async () => (await stateOf(id)) === 'terminated',
    DEADLINE_MS,
  )
}

async function stateOf(id: string): Promise<string | undefined> {
  const answer = await cloud.ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }))
  return answer.Reservations?.[0]?.Instances?.[0]?.State?.Name
}

/** Its own user data has run in it once, and nobody else's. */
async function isIts(id: string, token: string): Promise<boolean> {
  if ((await stateOf(id)) !== 'running') return false
  return (await cloud.inside(id, ['cat', '/ran'])).stdout === `${token}\n`
}

it('gives waiting ones to launches, each with what it asked for', async () => {
  const times: number[] = []
  for (let round = 0; round < ROUNDS; round += 1) {
    await allOffered(cloud, COUNT)
    const waiting = offersOf(cloud)
    using pinger = await openPinger()
    const began = performance.now()
    const token = newToken()
    const { id, address } = await launch(token)
    const [answered = 0] = await pinger.firstAnswers([address], DEADLINE_MS)
    times.push(answered - began)
    expect(waiting).toContain(id)
    expect(launched).not.toContain(id)
    launched.push(id)
    await eventually('it is as asked for', () => isIts(id, token), DEADLINE_MS)
    await end(id)
  }
  const sorted = times.map(Math.round).toSorted((a, b) => a - b)
  console.log(`launches with a waiting container, in ms: ${sorted.join(' ')}`)
}, 600_000)

it('dies at points spread over a launch', async () => {
  await allOffered(cloud, COUNT)
  await writeFile(orders, 'none')
  const measured = newToken()
  const { id: first } = await launch(measured)
  await eventually('it runs', () => isIts(first, measured), DEADLINE_MS)
  await rm(orders)
  let points = 0
  const counted = async () => {
    points = Number(await readFile(`${orders}.count`, 'utf8'))
    return points > 0
  }
  // The daemon may just be writing it.
  await eventually('the points are counted', counted, DEADLINE_MS)
  await end(first)
  let deaths = 0
  for (let n = 0; n < KILLS; n += 1) {
    await allOffered(cloud, COUNT)
    const child = cloud.daemon()
    await writeFile(orders, String(1 + Math.floor(((n + 0.5) * points) / KILLS)))
    const token = newToken()
    let { id } = await launch(token).catch(() => ({ id: '' }))
    const isOver = async () =>
      child.signalCode !== null || (id !== '' && (await isIts(id, token).catch(() => false)))
    await eventually('it runs, or the daemon has died', isOver, DEADLINE_MS)
    await rm(orders, { force: true })
    // The API goes on without it. It may just have read the order.
    const isKnown = async () => child.signalCode !== null || (await isHealthyDaemon())
    await eventually('it has died, or answers', isKnown, DEADLINE_MS)
    if (child.signalCode !== null) {
      deaths += 1
      await start()
    }
    id = (await launch(token)).id
    await eventually(`it is as asked for (${n})`, () => isIts(id, token), DEADLINE_MS)
    expect(launched).not.toContain(id)
    launched.push(id)
    await end(id)
  }
  console.log(`${deaths} deaths at ${points} points`)
  expect(deaths).toBeGreaterThan(KILLS / 4)
}, 600_000)

it('leaves nothing', async () => {
  await allOffered(cloud, COUNT)
  await cloud.stop('SIGTERM')
  const { exitCode } = await cloud.atoll('teardown', '--yes')
  expect(exitCode).toBe(0)
  expect(await cloud.docker.docker.listContainers({ all: true })).toEqual([])
  expect((await execute('ls', [`${cloud.dir}/state/instances`])).stdout).toBe('')
}, 120_000)
