/**
 * RabbitMQ nodes for tests, without systemd. Each has its data, cookie and configuration in a
 * temporary directory, and its own network and PID namespaces, so that killing it ends everything
 * of it at once, like a power failure.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { endChild } from './child.ts'
import { createNetns, eventually, type Netns, type Ran } from './netns.ts'

const BIN = '/usr/lib/rabbitmq/bin'
const START_TIMEOUT_MS = 90_000
const CTL_TIMEOUT_MS = 30_000
/** The network between the nodes of a cluster. */
const NETWORK = '10.91.0'

/** The credentials of the broker. */
export const RABBIT_USER = 'atoll'
export const RABBIT_PASSWORD = 'a password of the tests'

export interface RabbitOptions {
  readonly netns: Netns
  /** Its address inside the namespace. */
  readonly ip: string
  /** Addresses of all nodes of its cluster. */
  readonly peers: readonly string[]
  /** Certificate files (PEM). With them it listens with TLS only. */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string }
}

export interface RabbitNode extends AsyncDisposable {
  /** `address:port`. */
  readonly address: string
  readonly netns: Netns
  /** Starts it, and waits until clients can connect. */
  start(): Promise<void>
  /** A power failure. */
  kill(): Promise<void>
  /** Runs rabbitmqctl on it. */
  ctl(...args: readonly string[]): Promise<Ran>
}

/** A node that is not started yet. */
export async function createRabbitNode(options: RabbitOptions): Promise<RabbitNode> {
  const { netns, ip } = options
  const dir = await mkdtemp(join(tmpdir(), 'atoll-rabbit-'))
  const port = options.tls === undefined ? 5672 : 5671
  const env = await configure(dir, options)
  const assignments = Object.entries(env).map(([name, value]) => `${name}=${value}`)
  let child: ChildProcess | undefined

  async function kill(): Promise<void> {
    if (child !== undefined) await endChild(child)
  }

  return {
    address: `${ip}:${port}`,
    netns,
    async start() {
      const inside = ['nsenter', '--net', `--target=${netns.pid}`, '--']
      const apart = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc']
      const program = ['env', ...assignments, `${BIN}/rabbitmq-server`, '-noinput']
      child = spawn('setpriv', ['--pdeathsig', 'KILL', ...inside, ...apart, ...program], {
        stdio: 'ignore',
      })
      const connect = ['bash', '-c', `exec 3<>/dev/tcp/${ip}/${port}`]
      await eventually(
        `RabbitMQ listens on ${ip}`,
        async () => {
          if (child?.exitCode !== null) throw new Error(`RabbitMQ on ${ip} has ended`)
          return (await netns.run(connect)).exitCode === 0
        },
        START_TIMEOUT_MS,
      )
    },
    kill,
    ctl: (...args) =>
      netns.run(['env', ...assignments, `${BIN}/rabbitmqctl`, ...args], {
        timeoutMs: CTL_TIMEOUT_MS,
      }),
    async [Symbol.asyncDispose]() {
      await kill()
      await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
    },
  }
}

/** Writes its configuration. Returns the environment that makes it read only this. */
async function configure(
  dir: string,
  { ip, peers, tls }: RabbitOptions,
): Promise<Readonly<Record<string, string>>> {
  const cookie = join(dir, '.erlang.cookie')
  await writeFile(cookie, 'ATOLLTESTS')
  await chmod(cookie, 0o400)
  await writeFile(join(dir, 'plugins'), '[].\n')
  for (const name of ['mnesia', 'log']) await mkdir(join(dir, name))
  const listeners =
    tls === undefined
      ? [`listeners.tcp.default = ${ip}:5672`]
      : [
          'listeners.tcp = none',
          `listeners.ssl.default = ${ip}:5671`,
          `ssl_options.cacertfile = ${tls.ca}`,
          `ssl_options.certfile = ${tls.cert}`,
          `ssl_options.keyfile = ${tls.key}`,
          'ssl_options.verify = verify_peer',
          'ssl_options.fail_if_no_peer_cert = true',
        ]
  const cluster =
    peers.length < 2
      ? []
      : [
          'cluster_formation.peer_discovery_backend = classic_config',
          ...peers.map(
            (peer, n) => `cluster_formation.classic_config.nodes.${n + 1} = rabbit@${peer}`,
          ),
          'cluster_partition_handling = pause_minority',
          'net_ticktime = 8',
        ]
  const lines = [
    ...listeners,
    ...cluster,
    `default_user = ${RABBIT_USER}`,
    `default_pass = ${RABBIT_PASSWORD}`,
    'vm_memory_high_watermark.absolute = 400MB',
    'disk_free_limit.absolute = 1MB',
    'max_message_size = 1048576',
    'log.console = false',
    'log.file.level = warning',
  ]
  await writeFile(join(dir, 'rabbitmq.conf'), `${lines.join('\n')}\n`)
  return {
    HOME: dir,
    RABBITMQ_ALLOW_INPUT: '1',
    RABBITMQ_USE_LONGNAME: 'true',
    RABBITMQ_NODENAME: `rabbit@${ip}`,
    RABBITMQ_MNESIA_BASE: join(dir, 'mnesia'),
    RABBITMQ_LOG_BASE: join(dir, 'log'),
    RABBITMQ_CONFIG_FILE: join(dir, 'rabbitmq.conf'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(dir, 'plugins'),
    RABBITMQ_CONF_ENV_FILE: '/nonexistent',
    RABBITMQ_PID_FILE: join(dir, 'pid'),
    // One that is killed would write erl_crash.dump where the test was started.
    ERL_CRASH_DUMP_SECONDS: '0',
    // rabbitmqctl would leave a port mapper behind when the node has none any more.
    RABBITMQ_CTL_ERL_ARGS: '-start_epmd false',
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '+sbwt none +sbwtdcpu none +sbwtdio none',
  }
}

/** One broker in a namespace, into which the caller is moved until it disposes of it. */
export async function startRabbit(tls?: RabbitOptions['tls']): Promise<RabbitNode> {
  const netns = await createNetns('rabbit')
  const leave = netns.enter()
  const more = tls === undefined ? {} : { tls }
  const node = await createRabbitNode({ netns, ip: '127.0.0.1', peers: [], ...more })
  const dispose = node[Symbol.asyncDispose]
  const end = async () => {
    await dispose()
    leave()
    await netns.destroy()
  }
  await node.start().catch(async (error: unknown) => {
    await end()
    throw error
  })
  return { ...node, [Symbol.asyncDispose]: end }
}

export interface RabbitCluster extends AsyncDisposable {
  readonly nodes: readonly RabbitNode[]
  /** Takes the node's link down or up again. Without it, the node is silent. */
  plug(index: number, up: boolean): Promise<void>
}

/**
 * Three nodes on one network, each on its own host. The caller is moved into a namespace on that
 * network.
 */
export async function startRabbitCluster(size = 3): Promise<RabbitCluster> {
  await using made = new AsyncDisposableStack()
  const fabric = await createNetns('fabric')
  made.defer(() => fabric.destroy())
  // With a fixed address: else it changes with each port, and neighbours send to the old one.
  const setUp = `ip link add br0 address 02:00:00:00:00:fe type bridge; ip addr add ${NETWORK}.254/24 dev br0; ip link set br0 up`
  await fabric.must(['sh', '-ec', setUp])
  const peers = Array.from({ length: size }, (_, index) => `${NETWORK}.${index + 1}`)
  const nodes: RabbitNode[] = []
  for (const [index, ip] of peers.entries()) {
    const netns = await createNetns('rabbit')
    made.defer(() => netns.destroy())
    const link = `ip link add n${index} type veth peer name eth0 netns ${netns.pid}; ip link set n${index} master br0 up`
    await fabric.must(['sh', '-ec', link])
    await netns.must(['sh', '-ec', `ip addr add ${ip}/24 dev eth0; ip link set eth0 up`])
    nodes.push(made.use(await createRabbitNode({ netns, ip, peers })))
  }
  made.defer(fabric.enter())
  await Promise.all(nodes.map((node) => node.start()))
  const kept = made.move()
  return {
    nodes,
    async plug(index, up) {
      await fabric.must(['ip', 'link', 'set', `n${index}`, up ? 'up' : 'down'])
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}
