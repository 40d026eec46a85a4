/**
 * Two machines from one disk: the same host name, identity, keys and records.
 *
 * Before: both renewed one lease, and the copy created everything that the records say of the
 * original's instances. Now the second one ends before it changes anything or connects to the bus,
 * and says how to make a separate host of it. The original stays, in whichever order they are
 * started again.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { z } from 'zod'
import {
  administer,
  initializeData,
  makeTestDirectory,
  PASSWORD,
  startServer,
  USER,
} from '../../tools/kit/mariadb.ts'
import { createNetns, eventually, type Netns } from '../../tools/kit/netns.ts'
import { isLong } from '../long-files.ts'

const DAEMON = join(import.meta.dirname, '../../bin/atolld')
const RECORDS = { address: '10.77.0.1', port: 3306 }
const LEASE_MS = 4_300
const MUST_NOT_RUN = 3
const END_TIMEOUT_MS = 40_000
const parts = new AsyncDisposableStack()
let home: string
let near: Netns
let far: Netns

interface Machine {
  readonly netns: Netns
  readonly name: string
  /** Its disk and memory are below this. */
  readonly dir: string
  readonly hostName?: string
}

beforeAll(async () => {
  home = await makeTestDirectory('atoll-copied-')
  parts.defer(() => rmSync(home, { recursive: true, force: true }))
  near = await createNetns('original')
  parts.defer(() => near.destroy())
  far = await createNetns('copy')
  parts.defer(() => far.destroy())
  await near.must([
    'ip',
    'link',
    'add',
    'wire',
    'type',
    'veth',
    'peer',
    'wire',
    'netns',
    `${far.pid}`,
  ])
  for (const [netns, address] of [
    [near, '10.77.0.1/24'],
    [far, '10.77.0.2/24'],
  ] as const)
    await netns.must(['sh', '-ec', `ip addr add ${address} dev wire; ip link set wire up`])
  await initializeData(home)
  const within = ['nsenter', '--net', `--target=${near.pid}`, '--']
  const server = await startServer({ directory: home, ...RECORDS, within })
  parts.defer(() => server.kill())
  await administer(home, 'create database atoll')
}, 120_000)
afterAll(() => parts.disposeAsync())

function configure({ dir, hostName = 'h1' }: Machine): string {
  const file = join(dir, 'atoll.yaml')
  mkdirSync(dir, { recursive: true })
  writeFileSync(join(dir, 'password'), PASSWORD)
  writeFileSync(
    file,
    JSON.stringify({
      stateDir: join(dir, 'state'),
      runtimeDir: join(dir, 'run'),
      tls: { directory: join(dir, 'tls') },
      host: { name: hostName },
      docker: { socket: join(dir, 'no-docker') },
      store: {
        kind: 'mariadb',
        nodes: [`${RECORDS.address}:${RECORDS.port}`],
        user: USER,
        passwordFile: join(dir, 'password'),
        tls: { mode: 'off' },
      },
    }),
  )
  return file
}

interface Daemon {
  readonly child: ChildProcess
  said(): string
  ended(): Promise<number | null>
}

function start(machine: Machine): Daemon {
  const file = configure(machine)
  const inside = ['--net', `--target=${machine.netns.pid}`, '--', DAEMON, '--config', file]
  const child = spawn('nsenter', inside, { stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString()
    })
  parts.defer(() => void child.kill('SIGKILL'))
  return {
    child,
    said: () => text,
    ended: async () => {
      await eventually(
        'it has ended',
        () => child.exitCode !== null || child.signalCode !== null,
        END_TIMEOUT_MS,
      ).catch((error: unknown) => {
        throw new Error(text, { cause: error })
      })
      return child.exitCode
    },
  }
}

const healthSchema = z.object({
  conditions: z.array(z.object({ name: z.string(), ok: z.boolean() })),
})

async function holdsLease({ netns }: Machine): Promise<boolean> {
  const { stdout } = await netns.run(['curl', '-s', 'http://127.0.0.1:9773/healthz'])
  const health = healthSchema.safeParse(JSON.parse(stdout === '' ? 'null' : stdout)).data
  return health?.conditions.some(({ name, ok }) => name === 'lease' && ok) === true
}

async function lives(machine: Machine, daemon: Daemon): Promise<void> {
  await eventually(
    `${machine.name} holds the lease`,
    () => {
      if (daemon.child.exitCode !== null) throw new Error(daemon.said())
      return holdsLease(machine)
    },
    60_000,
  )
}

async function end(daemon: Daemon, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  daemon.child.kill(signal)
  await daemon.ended()
}

/** The disk as it is now, in another machine. */
function copy(from: Machine, to: Machine): Machine {
  // A file that is just being replaced is not there any more when its turn comes.
  for (;;) {
    try {
      cpSync(join(from.dir, 'state'), join(to.dir, 'state'), { recursive: true })
      return to
    } catch {
      rmSync(to.dir, { recursive: true, force: true })
    }
  }
}

async function refuses(machine: Machine, reason: RegExp): Promise<void> {
  const daemon = start(machine)
  expect(await daemon.ended(), daemon.said()).toBe(MUST_NOT_RUN)
  expect(daemon.said()).toMatch(reason)
  // Where nothing of Atoll was, nothing is.
  if (machine.netns === near) return
  const { stdout } = await machine.netns.run(['sh', '-c', 'ip -o link; nft list tables'])
  expect(stdout).not.toMatch(/at-gw|table inet atoll/)
}

async function leaseIsOver(): Promise<void> {
  const sql =
    'select count(*) as n from atoll.hosts where leaseUntilMs < unix_timestamp(now(3)) * 1000'
  await eventually(
    'the lease has run out',
    async () =>
      Number((Object.values((await administer(home, sql))[0] ?? {}) as [unknown])[0]) === 1,
    10 * LEASE_MS,
  )
}

const original = (): Machine => ({ name: 'original', netns: near, dir: join(home, 'original') })
const copied = (name: string): Machine => ({ name, netns: far, dir: join(home, name) })

it('the copy is detected, and the first keeps running, in whichever order they start again', async () => {
  let first = start(original())
  await lives(original(), first)
  const twin = copy(original(), copied('twin'))
  const older = copy(original(), copied('older'))
  await refuses(twin, /a disk was copied.*set another host\.name/s)

  await end(first, 'SIGKILL')
  first = start(original())
  await lives(original(), first)

  // While the first is away, the copies do not take its place.
  await end(first, 'SIGTERM')
  await leaseIsOver()
  await refuses(twin, /a disk was copied/)
  await refuses(older, /has run since the state in .* was written/)

  first = start(original())
  await lives(original(), first)
  await end(first, 'SIGTERM')
}, 240_000)

it.runIf(isLong)(
  'an operator says which of them is the right one',
  async () => {
    const [older, renamed] = [
      copied('older'),
      { ...copied('renamed'), netns: near, hostName: 'h2' },
    ]
    rmSync(join(older.dir, 'state/host.lives'))
    await leaseIsOver()
    const chosen = start(older)
    await lives(older, chosen)
    await refuses(original(), /has run since|a disk was copied/)
    await refuses(copy(older, renamed), /identity of host "h1".*set host\.name back/s)
    await end(chosen, 'SIGTERM')
  },
  240_000,
)

it('two daemons with one state directory: the second does not start, wherever it is started', async () => {
  const machine: Machine = { name: 'one', netns: near, dir: join(home, 'one'), hostName: 'h5' }
  const first = start(machine)
  await lives(machine, first)
  const second = start({ ...machine, netns: far })
  expect(await second.ended()).toBe(1)
  expect(second.said()).toMatch(/another atolld runs with stateDir/)
  expect(await holdsLease(machine)).toBe(true)
  await end(first, 'SIGTERM')
}, 120_000)
