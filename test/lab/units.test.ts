/**
 * The three units of the daemon's parts (`scripts/atolld*.service`): run as they say, but without
 * systemd, the API and DNS answer, and each is killed and started again alone.
 */
import { createSocket } from 'node:dgram'
import { Resolver } from 'node:dns/promises'
import { once } from 'node:events'
import { type FileHandle, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  DescribeInstancesCommand,
  RegisterImageCommand,
  RunInstancesCommand,
} from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createLinuxHost } from '../../src/host/linux.ts'
import { type Cloud, createCloud, isHealthyDaemon, smallType } from '../../tools/kit/cloud.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { type RunningUnit, runUnit } from '../kit/systemd-unit.ts'

const DEADLINE_MS = 60_000
const SERVICES = { services: 'atolld-services', api: 'atolld-api', agent: 'atolld' } as const
type Part = keyof typeof SERVICES
const PARTS: readonly Part[] = ['services', 'api', 'agent']

/** A resolver that answers nothing. */
const SILENT = '127.0.0.9'
/** Far less than the services wait for a resolver where the next process serves meanwhile. */
const SOON_MS = 4_000

let cloud: Cloud
let log: FileHandle
let instance: string
let host: ReturnType<typeof createLinuxHost>
const units = new Map<Part, RunningUnit>()

beforeAll(async () => {
  cloud = await createCloud('units', `api: {workers: 1}\ndns: {forwarders: ['${SILENT}']}`)
  const registered = new RegisterImageCommand({
    Name: 'sample',
    ImageLocation: 'docker://atoll-sample:static',
  })
  const { ImageId } = await cloud.ec2.send(registered)
  await cloud.stop('SIGTERM')
  log = await open(join(cloud.dir, 'atolld.log'), 'a')
  host = createLinuxHost({ log: silentLog })
  const places = {
    ...{ configFile: cloud.configFile, host, log: log.fd },
    ...{ stateDir: join(cloud.dir, 'state'), runtimeDir: join(cloud.dir, 'run') },
  }
  for (const part of PARTS) {
    const name = SERVICES[part]
    const socket = part === 'agent' ? null : `${name}.socket`
    units.set(part, runUnit(`${name}.service`, socket, places))
  }
  await eventually('it is healthy', isHealthyDaemon, DEADLINE_MS)
  const { Instances } = await cloud.ec2.send(
    new RunInstancesCommand({ ImageId, InstanceType: smallType, MinCount: 1, MaxCount: 1 }),
  )
  instance = Instances?.[0]?.InstanceId ?? ''
}, 2 * DEADLINE_MS)

afterAll(async () => {
  for (const unit of [...units.values()].toReversed()) await unit.stop()
  await log?.close()
  await host?.close()
  await cloud?.destroy()
})

const pids = () => PARTS.map((part) => units.get(part)?.pid() ?? 0)

async function isNamed(): Promise<boolean> {
  const resolver = new Resolver({ timeout: 1_000, tries: 1 })
  resolver.setServers(['172.31.0.1'])
  return await resolver.resolve4(`${instance}.atoll.internal`).then(
    (found) => found.length === 1,
    () => false,
  )
}

async function isAnswered(): Promise<boolean> {
  const asked = new DescribeInstancesCommand({ InstanceIds: [instance] })
  const { Reservations } = await cloud.ec2.send(asked).catch(() => ({ Reservations: [] }))
  return Reservations?.[0]?.Instances?.[0]?.State?.Name === 'running'
}

test('the API launches an instance, and DNS has its name', async () => {
  await eventually('it runs', isAnswered, DEADLINE_MS)
  await eventually('it has a name', isNamed)
})

test('services and API have no rights', async () => {
  for (const part of ['services', 'api'] as const) {
    const status = await readFile(`/proc/${units.get(part)?.pid()}/status`, 'utf8')
    expect(status).not.toMatch(/^Uid:\s+0\s/m)
    for (const set of ['Prm', 'Eff', 'Bnd'])
      expect(status).toMatch(new RegExp(`^Cap${set}:\\s+0+$`, 'm'))
    expect(status).toMatch(/^NoNewPrivs:\s+1$/m)
  }
})

const ENDINGS = [
  ...PARTS.map((part) => [part, 'SIGKILL'] as const),
  // As `systemctl restart` does.
  ...PARTS.map((part) => [part, 'SIGTERM'] as const),
]

test.each(ENDINGS)('%s is ended by %s: it alone is started again', async (part, signal) => {
  const before = pids()
  process.kill(units.get(part)?.pid() ?? 0, signal)
  await eventually('another one runs', () => pids().some((pid, index) => pid !== before[index]))
  await eventually('all is well', isHealthyDaemon, DEADLINE_MS)
  await eventually('the API answers', isAnswered)
  await eventually('DNS answers', isNamed)
  const after = pids()
  expect(PARTS.filter((_, index) => after[index] !== before[index])).toEqual([part])
})

test('services that wait for a silent resolver are soon started again', async () => {
  const silent = createSocket('udp4').bind(53, SILENT)
  await once(silent, 'listening')
  const asked = once(silent, 'message')
  const resolver = new Resolver({ timeout: DEADLINE_MS, tries: 1 })
  resolver.setServers(['172.31.0.1'])
  resolver.resolve4('www.example.com').catch(() => undefined)
  await asked
  const before = pids()
  process.kill(before[0] ?? 0, 'SIGTERM')
  const began = performance.now()
  await eventually('another one runs', () => pids()[0] !== before[0])
  expect(performance.now() - began).toBeLessThan(SOON_MS)
  await eventually('DNS answers', isNamed)
  resolver.cancel()
  silent.close()
})

test('without the agent, the others serve on', async () => {
  await units.get('agent')?.stop()
  expect(await isNamed()).toBe(true)
  expect(await isAnswered()).toBe(true)
})
