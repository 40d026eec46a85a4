/**
 * An S3 service of a test's own: OpenStack Swift with s3api, as Debian packages it (`swift-proxy`,
 * `swift-account`, `swift-container`, `swift-object`). One of each storage server, and several
 * proxies, each an endpoint that can be taken away. All of it lives in a network namespace that the
 * caller is moved into.
 */
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { S3Client } from '@aws-sdk/client-s3'
import type { S3Settings } from '../../src/images/source-s3.ts'
import { createNetns, eventually, type Netns } from '../../tools/kit/netns.ts'

const START_TIMEOUT_MS = 60_000
const FIRST_PROXY_PORT = 8081
const STORAGE_PORTS = { object: 6200, container: 6201, account: 6202 } as const
/** Slow enough that there is a middle of a transfer. */
const RATE = '160mbit'

export interface Swift extends AsyncDisposable {
  readonly settings: S3Settings
  /** For what the test itself does there, by the last proxy. */
  readonly client: S3Client
  /** Sends the signal to the n-th proxy. */
  signal(n: number, signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): Promise<void>
  /** Starts the n-th proxy again. */
  start(n: number): Promise<void>
}

/** A service with so many proxies that all answer. */
export async function startSwift(proxies = 3): Promise<Swift> {
  await using made = new AsyncDisposableStack()
  const dir = await mkdtemp(join(tmpdir(), 'atoll-swift-'))
  made.defer(() => rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }))
  const netns = await createNetns('swift')
  made.defer(() => netns.destroy())
  const slow = `ip link set lo mtu 1500; tc qdisc add dev lo root tbf rate ${RATE} burst 128kb latency 500ms`
  await netns.must(['sh', '-ec', slow])
  const ports = Array.from({ length: proxies }, (_, n) => FIRST_PROXY_PORT + n)
  await configure(dir, netns, ports)

  for (const [kind, port] of Object.entries(STORAGE_PORTS))
    await run(dir, netns, `${kind}-server`, kind, port)
  const start = (n: number) => {
    const port = FIRST_PROXY_PORT + n
    return run(dir, netns, 'proxy-server', `proxy-${port}`, port)
  }
  const children = await Promise.all(ports.map((_, n) => start(n)))
  const settings: S3Settings = {
    endpoints: ports.map((port) => `http://127.0.0.1:${port}`),
    region: 'us-east-1',
    accessKeyId: 'atoll:tester',
    secretAccessKey: 'a-secret-of-the-tests',
  }
  made.defer(netns.enter())
  const { region, accessKeyId, secretAccessKey } = settings
  const client = new S3Client({
    endpoint: settings.endpoints.at(-1) ?? '',
    region,
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
  })
  made.defer(() => client.destroy())
  const kept = made.move()
  return {
    settings,
    client,
    async signal(n, signal) {
      const child = children[n]
      const gone = child === undefined ? null : once(child, 'exit')
      child?.kill(signal)
      if (signal === 'SIGKILL') await gone
    },
    async start(n) {
      children[n] = await start(n)
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

/**
 * Starts one server and waits until it listens. Swift knows one place for its configuration, so
 * each gets a view of its own.
 */
async function run(dir: string, netns: Netns, program: string, config: string, port: number) {
  const view = `mount --bind ${dir}/etc /etc/swift && exec swift-${program} /etc/swift/${config}.conf`
  const child = netns.spawn(['unshare', '--mount', 'sh', '-ec', view])
  await eventually(
    `Swift's ${config} listens`,
    async () => {
      if (child.exitCode !== null) throw new Error(`Swift's ${config} has ended`)
      return (await netns.run(['bash', '-c', `exec 3<>/dev/tcp/127.0.0.1/${port}`])).exitCode === 0
    },
    START_TIMEOUT_MS,
  )
  return child
}

/**
 * Writes the rings (one device on one node) and the settings of every server. tempauth asks for a
 * cache; that no memcached answers is all the same to it.
 */
async function configure(dir: string, netns: Netns, ports: readonly number[]): Promise<void> {
  const etc = join(dir, 'etc')
  await mkdir(etc)
  await mkdir(join(dir, 'devices', 'd1'), { recursive: true })
  const server = (port: number) => `[DEFAULT]
bind_ip = 127.0.0.1
bind_port = ${port}
user = root
workers = 0
swift_dir = /etc/swift
devices = ${dir}/devices
mount_check = false
fallocate_reserve = 0
log_level = ERROR
`
  const files: Record<string, string> = {
    'swift.conf': '[swift-hash]\nswift_hash_path_prefix = atoll\nswift_hash_path_suffix = tests\n',
  }
  for (const [kind, port] of Object.entries(STORAGE_PORTS)) {
    files[`${kind}.conf`] =
      `${server(port)}[pipeline:main]\npipeline = ${kind}-server\n[app:${kind}-server]\nuse = egg:swift#${kind}\n`
    const builder = `${etc}/${kind}.builder`
    const device = ['--region', '1', '--zone', '1', '--ip', '127.0.0.1', '--port', `${port}`]
    for (const args of [
      ['create', '4', '1', '1'],
      ['add', ...device, '--device', 'd1', '--weight', '1'],
      ['rebalance'],
    ])
      await netns.must(['swift-ring-builder', builder, ...args])
  }
  for (const port of ports)
    files[`proxy-${port}.conf`] = `${server(port)}[pipeline:main]
pipeline = catch_errors cache s3api tempauth bulk slo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
use = egg:swift#memcache
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_atoll_tester = a-secret-of-the-tests .admin
[filter:bulk]
use = egg:swift#bulk
[filter:slo]
use = egg:swift#slo
`
  for (const [name, text] of Object.entries(files)) await writeFile(join(etc, name), text)
}
