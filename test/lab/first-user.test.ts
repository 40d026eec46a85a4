/**
 * What a hostile or unlucky user who has only the documentation tries on the first day, with a real
 * cloud. `cloud.test.ts` has what succeeds.
 */
import { mkdir, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import {
  DescribeImagesCommand,
  ImportKeyPairCommand,
  RebootInstancesCommand,
  StartInstancesCommand,
  StopInstancesCommand,
} from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { type Cloud, createCloud, execute } from '../../tools/kit/cloud.ts'
import { type InstanceCalls, instanceCalls } from '../../tools/kit/instance-calls.ts'
import { createNetns, eventually, type Netns, type Ran } from '../../tools/kit/netns.ts'

const ROOT = join(import.meta.dirname, '../..')
const ATOLLD = join(ROOT, 'bin/atolld')
const DEADLINE_MS = 40_000
/** Of a daemon, on a machine that does much else. */
const START_MS = 60_000
const NO_DATABASE = 'not a database'
/** What makes a machine of a namespace: an address, and a way out. */
const MACHINE = [
  'ip link add uplink type bridge',
  'ip addr add 198.51.100.9/24 dev uplink',
  'ip link set uplink up',
  'ip route add default via 198.51.100.1',
]
const SERVE = `
import socket, sys, time
server = socket.create_server(("0.0.0.0", int(sys.argv[1])))
print("ready")
time.sleep(600)
`
const KEY = `ssh-ed25519 ${Buffer.concat([
  Buffer.from([0, 0, 0, 11]),
  Buffer.from('ssh-ed25519'),
  Buffer.from([0, 0, 0, 32]),
  Buffer.alloc(32, 7),
]).toString('base64')} me`
let cloud: Cloud
let ask: InstanceCalls

beforeAll(async () => {
  cloud = await createCloud('first-user')
  ask = instanceCalls(cloud.ec2, DEADLINE_MS)
  await cloud.ec2.send(
    new ImportKeyPairCommand({ KeyName: 'me', PublicKeyMaterial: Buffer.from(KEY) }),
  )
})
afterAll(async () => {
  await cloud?.destroy()
})

async function run(image: string, userData = ''): Promise<string> {
  const [id = ''] = await ask.launch(image, {
    KeyName: 'me',
    UserData: Buffer.from(userData).toString('base64'),
  })
  return id
}

function docker(...args: readonly string[]): Promise<Ran> {
  return execute('/usr/bin/docker', ['--host', `unix://${cloud.docker.socketPath}`, ...args])
}

async function read(id: string, file: string): Promise<string> {
  return (await cloud.inside(id, ['cat', file])).stdout
}

const USER_DATA = `#!/bin/sh
{ ip -4 -o addr show dev eth0; echo ran; } >>/ran
`

describe.each(['latest', 'static'])('user data in the image %s', (kind) => {
  it('runs once, with the network up, and the key is there once, whoever restarts the container', async () => {
    const id = await run(
      await ask.register(`user-data-${kind}`, `docker://atoll-sample:${kind}`),
      USER_DATA,
    )
    const ran = async () => (await read(id, '/ran')).includes('ran')
    await eventually('it has run', ran, DEADLINE_MS)
    expect(await read(id, '/ran')).toContain((await ask.look(id))?.PrivateIpAddress)

    // The daemon is not there to take its mark of the first boot away.
    await cloud.stop('SIGKILL')
    await docker('restart', '-t', '0', `atoll-${id}`)
    await cloud.start()
    await ask.untilState(id, 'running')
    await cloud.ec2.send(new RebootInstancesCommand({ InstanceIds: [id] }))
    await cloud.ec2.send(new StopInstancesCommand({ InstanceIds: [id] }))
    await ask.untilState(id, 'stopped')
    await cloud.ec2.send(new StartInstancesCommand({ InstanceIds: [id] }))
    await ask.untilState(id, 'running')
    const page = async () =>
      (await cloud.inside(id, ['wget', '-q', '-O', '-', 'http://127.0.0.1/'])).exitCode === 0
    await eventually('it serves again', page, DEADLINE_MS)
    expect((await read(id, '/ran')).match(/ran\n/g)).toHaveLength(1)
    expect(await read(id, '/root/.ssh/authorized_keys')).toBe(`${KEY}\n`)
  })
})

const WALK = `
walk() {
  wget -q -O - "http://169.254.169.254$1" | { cat; echo; } | while read -r entry; do
    case $entry in
      '') ;;
      */) walk "$1$entry" ;;
      *=*) walk "$1\${entry%%=*}/" ;;
      *) wget -q -O /dev/null "http://169.254.169.254$1$entry" && echo "ok $1$entry" || echo "BAD $1$entry" ;;
    esac
  done
}
walk /latest/meta-data/; walk /latest/dynamic/; walk /2009-04-04/meta-data/
`

it('everything that the metadata tree lists is there', async () => {
  const id = await run(await ask.register('walk', 'docker://atoll-sample:static'))
  await ask.untilState(id, 'running')
  const { stdout } = await cloud.inside(id, ['sh', '-c', WALK])
  const leaves = stdout.trim().split('\n')
  expect(leaves.filter((leaf) => !leaf.startsWith('ok '))).toEqual([])
  expect(leaves).toContain('ok /latest/meta-data/public-keys/0/openssh-key')
  expect(leaves).toContain('ok /latest/dynamic/instance-identity/document')
  expect(stdout).toMatch(/ok \/latest\/meta-data\/network\/interfaces\/macs\/02:.*\/local-ipv4s/)
})

describe('archives', () => {
  const HEADER_BYTES = 512

  /** The first block of an archive with a file of this size (tar(5)), and nothing else. */
  function tarHead(sizeBytes: number): Buffer {
    const head = Buffer.alloc(HEADER_BYTES)
    head.write('zero')
    head.write('0000644\0', 100)
    head.write(`${sizeBytes.toString(8).padStart(11, '0')}\0`, 124)
    head.write('ustar\x0000', 257)
    head.write('0', 156)
    head.fill(' ', 148, 156)
    const sum = head.reduce((total, byte) => total + byte, 0)
    head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
    return head
  }

  it('that are invalid fail with one clear sentence, and say nothing of the host', async () => {
    const dir = join(cloud.dir, 'state/images')
    const empty = tarHead(1_000_000)
    await Promise.all([
      mkdir(join(dir, 'directory.tar')),
      symlink('/etc/shadow', join(dir, 'out.tar')),
      writeFile(join(dir, 'junk.tar'), Buffer.alloc(4096, 'junk')),
      writeFile(join(dir, 'torn.tar'), empty),
      writeFile(join(dir, 'torn.tar.gz'), gzipSync(empty).subarray(0, 20)),
    ])
    await truncate(join(dir, 'torn.tar'), HEADER_BYTES * 4)
    const expected: readonly (readonly [string, RegExp])[] = [
      [`${dir}/directory.tar`, /is not a published image/],
      [`${dir}/out.tar`, /is not a published image/],
      [`${dir}/junk.tar`, /neither a tar archive/],
      [`${dir}/torn.tar`, /torn\.tar: .*unexpected EOF/],
      [`${dir}/torn.tar.gz`, /is damaged|neither a tar/],
      [`${dir}/absent.tar`, /is not a published image/],
      ['/etc/absent.tar', /is not a published image/],
    ]
    const images = await Promise.all(
      expected.map(([path], index) => ask.register(`archive ${index}`, `file://${path}`)),
    )
    const states = async () => {
      const { Images = [] } = await cloud.ec2.send(new DescribeImagesCommand({ ImageIds: images }))
      return new Map(Images.map((image) => [image.ImageId, image]))
    }
    const failed = async () =>
      [...(await states()).values()].every(({ State }) => State === 'failed')
    await eventually('all have failed', failed, DEADLINE_MS)
    const found = await states()
    for (const [index, [, reason]] of expected.entries()) {
      const message = found.get(images[index])?.StateReason?.Message
      expect(message).toMatch(reason)
      expect(message).not.toMatch(/HTTP code|\n| $/)
    }
  })
})

it('the AWS CLI registers an archive by its bare path, as it reads file:// itself', async () => {
  const archive = join(cloud.dir, 'state/images/rootfs.tar.gz')
  const script = join(ROOT, 'scripts/make-sample-image')
  expect((await execute(script, ['--archive', archive])).exitCode).toBe(0)
  const text = ['--query', 'ImageId', '--output', 'text'] as const
  const command = ['ec2', 'register-image', '--name', 'own', '--image-location', archive] as const
  const registered = await cloud.aws(...command, ...text)
  expect(registered).toMatchObject({ exitCode: 0, stderr: '' })
  await ask.untilState(await run(registered.stdout.trim()), 'running')

  await cloud.stop('SIGTERM')
  expect((await cloud.atoll('teardown', '--yes')).stdout).toMatch(/removed image atoll-image:/)
  const images = await docker('images', '--format', '{{.Repository}}')
  expect(images.stdout).not.toContain('atoll-image')
  await cloud.start()
})

it('one instance changed by many clients at once ends as the last one wanted it', async () => {
  const id = await run(await ask.register('storm', 'docker://atoll-sample:latest'))
  await ask.untilState(id, 'running')
  const InstanceIds = [id]
  const commands = [
    () => cloud.ec2.send(new StopInstancesCommand({ InstanceIds })),
    () => cloud.ec2.send(new StartInstancesCommand({ InstanceIds })),
    () => cloud.ec2.send(new RebootInstancesCommand({ InstanceIds })),
  ]
  const answers = await Promise.allSettled(
    Array.from({ length: 60 }, (_, turn) => commands[turn % commands.length]?.()),
  )
  for (const answer of answers)
    if (answer.status === 'rejected')
      expect(answer.reason).toMatchObject({ name: 'IncorrectInstanceState' })
  await ask.untilState(id, 'running', 'stopped')
  if ((await ask.look(id))?.State?.Name === 'stopped')
    await cloud.ec2.send(new StartInstancesCommand({ InstanceIds }))
  await ask.untilState(id, 'running')
  const address = (await ask.look(id))?.PrivateIpAddress ?? ''
  const answersPing = async () =>
    (await cloud.netns.run(['ping', '-c', '1', '-W', '1', address])).exitCode === 0
  await eventually('it answers', answersPing, DEADLINE_MS)
})

describe('a daemon that cannot start says why, and what to change', () => {
  /**
   * A machine of its own: on that of the cloud there is a daemon already, which is reason enough.
   */
  let machine: Netns
  beforeAll(async () => {
    machine = await createNetns('first-user-2')
    for (const command of MACHINE) await machine.must(command.split(' '))
  })
  afterAll(() => machine?.destroy())

  async function configured(name: string, settings: string, level: string): Promise<string> {
    const dir = join(cloud.dir, name)
    await mkdir(join(dir, 'state'), { recursive: true })
    const file = join(dir, 'atoll.yaml')
    await writeFile(
      file,
      `stateDir: ${dir}/state\nruntimeDir: ${dir}/run\ntls: {directory: ${dir}/tls}\nlog: {level: ${level}}\n` +
        `docker: {socket: ${dir}/none.sock}\n${settings}`,
    )
    return file
  }

  async function start(name: string, settings: string): Promise<Ran> {
    const file = await configured(name, settings, 'silent')
    return await machine.run([ATOLLD, '--config', file], { timeoutMs: DEADLINE_MS })
  }

  /** Somebody else's server on a port, until the test ends. */
  async function take(port: number): Promise<void> {
    let said = ''
    const server = machine.spawn(['python3', '-uc', SERVE, String(port)], (text) => {
      said += text
    })
    onTestFinished(() => void server.kill('SIGKILL'))
    await eventually('it listens', () => said.includes('ready'), DEADLINE_MS)
  }

  it('the API port is taken', async () => {
    await take(8773)
    const { exitCode, stderr } = await start('api', 'metrics: {port: 9774}\n')
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(
      /cannot listen on 0\.0\.0\.0 port 8773: free the port, or change the setting api\.port: .*EADDRINUSE/,
    )
  })

  it('the port of the metrics is taken', async () => {
    await take(9773)
    const { exitCode, stderr } = await start('metrics', 'api: {port: 8774}\n')
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(/port 9773: .* setting metrics\.port: .*EADDRINUSE/)
  })

  it('a file that is no database is reported, and the daemon goes on without records', async () => {
    await mkdir(join(cloud.dir, 'junk/state'), { recursive: true })
    const file = join(cloud.dir, 'junk/state/atoll.db')
    await writeFile(file, 'this is no database '.repeat(100))
    const moved = join(cloud.dir, 'junk/state/records/atoll.db')
    const ports = 'api: {port: 8775}\nmetrics: {port: 9775}\n'
    const settings = await configured('junk', ports, 'warn')
    let said = ''
    const daemon = machine.spawn(
      ['sh', '-c', `exec ${ATOLLD} --config ${settings} 2>&1`],
      (text) => {
        said += text
      },
    )
    onTestFinished(() => void daemon.kill('SIGKILL'))
    await eventually(
      'it tells of them',
      () => said.includes(`The database ${moved} cannot be opened`) && said.includes(NO_DATABASE),
      START_MS,
    )
    // It goes on: instances that it knows from its ledger must not suffer.
    const health = 'http://127.0.0.1:9775/healthz'
    const serves = async () =>
      (await machine.run(['curl', '-s', '-o', '/dev/null', health])).exitCode === 0
    await eventually('it serves', serves, START_MS)
    expect(daemon.exitCode).toBeNull()
  })
})
