/**
 * Clocks that differ: two real daemons with one MariaDB and one RabbitMQ, and the clock of one of
 * them is set wrong (libfaketime; its monotonic clock stays correct, as when someone sets the
 * time).
 *
 * No host's clock matters: instances start on either host, consoles and requests between the hosts
 * work, and the host with the wrong clock is named.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { startDocker } from '../../tools/kit/docker.ts'
import {
  administer,
  initializeData,
  makeTestDirectory,
  PASSWORD,
  startServer,
  USER,
} from '../../tools/kit/mariadb.ts'
import { createNetns, eventually, type Netns } from '../../tools/kit/netns.ts'
import { createRabbitNode, RABBIT_PASSWORD, RABBIT_USER } from '../../tools/kit/rabbit.ts'

const BIN = join(import.meta.dirname, '../../bin')
const LIBRARY = '/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1'
const RECORDS = { address: '10.77.0.1', port: 3306 }
const DEADLINE_MS = 90_000
const parts = new AsyncDisposableStack()
let home: string
let right: Host
let wrong: Host
let image = ''

interface Host {
  readonly name: string
  readonly address: string
  readonly netns: Netns
  /** The socket of its engine. */
  readonly docker: string
  makeImages(): Promise<void>
  /** Runs atoll there, by the same clock. */
  atoll(args: readonly string[], stdin?: string): Promise<string>
  aws(...args: readonly string[]): Promise<string>
}

const clockFile = () => join(home, 'clock')
const setClock = (offset: string) => writeFileSync(clockFile(), `${offset}\n`)

async function startHost(netns: Netns, name: string, address: string, isFake: boolean) {
  const dir = join(home, name)
  mkdirSync(dir)
  const docker = await startDocker({ pid: netns.pid })
  parts.defer(() => docker.close())
  const secretFile = join(home, 'secret')
  writeFileSync(secretFile, 'a secret of these tests')
  writeFileSync(join(dir, 'password'), PASSWORD)
  writeFileSync(join(dir, 'rabbit'), RABBIT_PASSWORD)
  const file = join(dir, 'atoll.yaml')
  const off = { mode: 'off' }
  const nodes = [`${RECORDS.address}:${RECORDS.port}`]
  const store = {
    kind: 'mariadb',
    nodes,
    user: USER,
    passwordFile: join(dir, 'password'),
    tls: off,
  }
  const broker = { nodes: [`${RECORDS.address}:5672`], passwordFile: join(dir, 'rabbit'), tls: off }
  writeFileSync(
    file,
    JSON.stringify({
      stateDir: join(dir, 'state'),
      runtimeDir: join(dir, 'run'),
      tls: { directory: join(dir, 'tls') },
      cluster: { secretFile },
      host: { name },
      docker: { socket: docker.socketPath },
      fabric: { address },
      store,
      bus: { kind: 'rabbitmq', user: RABBIT_USER, ...broker },
    }),
  )
  const fake = [
    `LD_PRELOAD=${LIBRARY}`,
    `FAKETIME_TIMESTAMP_FILE=${clockFile()}`,
    ...['FAKETIME_NO_CACHE=1', 'FAKETIME_DONT_FAKE_MONOTONIC=1', 'NO_FAKE_STAT=1'],
  ]
  const env = ['env', ...(isFake ? fake : [])]
  const inside = ['--net', `--target=${netns.pid}`, '--', ...env]
  const daemon = spawn('nsenter', [...inside, join(BIN, 'atolld'), '--config', file], {
    stdio: 'ignore',
  })
  parts.defer(() => void daemon.kill('SIGKILL'))
  const atoll = async (args: readonly string[], stdin = '') => {
    const argv = [...env, join(BIN, 'atoll'), '--config', file, ...args]
    const { stdout, stderr } = await netns.run(argv, { timeoutMs: DEADLINE_MS, stdin })
    return stdout + stderr
  }
  const aws = async (...args: readonly string[]) => {
    const script = `eval "$(${join(BIN, 'atoll')} --config ${file} env)"; exec "$@"`
    const more = ['aws', '--endpoint-url', `https://${address}:8773`, '--output', 'text', 'ec2']
    const argv = [...env, 'AWS_MAX_ATTEMPTS=1', 'sh', '-c', script, 'sh', ...more, ...args]
    const { exitCode, stdout, stderr } = await netns.run(argv, { timeoutMs: DEADLINE_MS })
    if (exitCode !== 0) throw new Error(stderr)
    return stdout.trim()
  }
  await eventually(
    `${name} is up`,
    async () => (await atoll(['status'])).includes('health'),
    DEADLINE_MS,
  )
  return {
    name,
    address,
    netns,
    docker: docker.socketPath,
    makeImages: docker.makeSampleImages,
    atoll,
    aws,
  }
}

describe.skipIf(!existsSync(LIBRARY))('clocks that differ', { timeout: 3 * DEADLINE_MS }, () => {
  beforeAll(async () => {
    home = await makeTestDirectory('atoll-clocks-')
    parts.defer(() => rmSync(home, { recursive: true, force: true }))
    const near = await createNetns('right')
    parts.defer(() => near.destroy())
    const far = await createNetns('wrong')
    parts.defer(() => far.destroy())
    const wire = ['type', 'veth', 'peer', 'name', 'wire', 'netns', `${far.pid}`]
    await near.must(['ip', 'link', 'add', 'name', 'wire', ...wire])
    for (const [netns, ip] of [
      [near, '10.77.0.1'],
      [far, '10.77.0.2'],
    ] as const)
      await netns.must(['sh', '-ec', `ip addr add ${ip}/24 dev wire; ip link set wire up`])
    await initializeData(home)
    const within = ['nsenter', '--net', `--target=${near.pid}`, '--']
    const server = await startServer({ directory: home, ...RECORDS, within })
    parts.defer(() => server.kill())
    await administer(home, 'create database atoll')
    const rabbit = parts.use(await createRabbitNode({ netns: near, ip: '10.77.0.1', peers: [] }))
    await rabbit.start()
    setClock('+0')
    right = await startHost(near, 'right', '10.77.0.1', false)
    wrong = await startHost(far, 'wrong', '10.77.0.2', true)
    await right.makeImages()
    // Built twice it would be two images.
    const copy = `docker -H unix://${right.docker} save atoll-sample | docker -H unix://${wrong.docker} load`
    await near.must(['sh', '-ec', copy])
    const registered = ['--name', 'sample', '--image-location', 'docker://atoll-sample:latest']
    image = await right.aws('register-image', ...registered, '--query', 'ImageId')
    await right.aws('wait', 'image-available', '--image-ids', image)
  }, 3 * DEADLINE_MS)
  afterAll(() => parts.disposeAsync())

  it.each(['+300', '-5400'])('by %s s', async (offset) => {
    setClock(offset)
    const seconds = Number(offset)
    const health = z.object({
      conditions: z.array(z.object({ name: z.string(), ok: z.boolean(), value: z.string() })),
    })
    const said = async () => {
      const { conditions } = health.parse(JSON.parse(await wrong.atoll(['status', '--json'])))
      return conditions.find(({ name }) => name === 'clock')?.value ?? ''
    }
    const says = seconds > 0 ? /(?:\d+) s ahead of/ : /(?:\d+) s behind/
    await eventually('its own status names it', async () => says.test(await said()), DEADLINE_MS)
    expect(await right.atoll(['doctor'])).toMatch(/the clock of wrong is \d+ s (?:ahead of|behind)/)

    await right.atoll(['drain', 'right'])
    const launch = ['run-instances', '--image-id', image, '--instance-type', 'at1.small']
    const id = await right.aws(...launch, '--query', 'Instances[0].InstanceId')
    await right.atoll(['undrain', 'right'])
    const state = ['describe-instances', '--instance-ids', id, '--query']
    const stateOf = () => right.aws(...state, 'Reservations[0].Instances[0].State.Name')
    await eventually(
      'it runs on the other',
      async () => (await stateOf()) === 'running',
      DEADLINE_MS,
    )

    // A console and a question go to the host whose clock is wrong, and another question comes from
    // it.
    expect(await right.atoll(['console', id], 'echo answer=$((40+2))\n')).toContain('answer=42')
    const output = ['get-console-output', '--instance-id', id, '--latest', '--query', 'Output']
    await eventually(
      'its output is had from there',
      async () => (await right.aws(...output)) !== 'None',
      DEADLINE_MS,
    )
    await wrong.atoll(['drain', 'wrong'])
    const back = await wrong.aws(...launch, '--query', 'Instances[0].InstanceId')
    await wrong.atoll(['undrain', 'wrong'])
    const backState = ['describe-instances', '--instance-ids', back, '--query']
    const backStateOf = () => wrong.aws(...backState, 'Reservations[0].Instances[0].State.Name')
    await eventually('one runs here', async () => (await backStateOf()) === 'running', DEADLINE_MS)
    expect(await wrong.atoll(['console', back], 'echo answer=$((40+2))\n')).toContain('answer=42')
    await wrong.aws('terminate-instances', '--instance-ids', id, back)
    setClock('+0')
  })
})
