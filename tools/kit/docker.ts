/**
 * A Docker Engine for a test: its own data, sockets and pid file in a temporary directory, no
 * bridge, no iptables.
 *
 * Its containers have network `none`, so it does not touch the machine's network.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type Dockerode from 'dockerode'
import { openDocker } from '../../src/containers/engine.ts'
import { statFields } from '../../src/host/processes/stat.ts'
import { exists } from '../../src/lib/files.ts'
import { madeOnceDirectory } from './made-once.ts'
import { eventually, killIfThere } from './netns.ts'

export interface TestDocker {
  readonly socketPath: string
  readonly docker: Dockerode
  /** Builds `atoll-sample:latest` and `atoll-sample:static`. */
  makeSampleImages(): Promise<void>
  /** Makes an image from the static sample with another configuration (the engine's `Config`). */
  makeImage(tag: string, config: object): Promise<void>
  /** SIGKILLs the engine and everything of it, including containers, like a power failure. */
  kill(): Promise<void>
  /** Starts it again after `kill` or `stop`. */
  start(): Promise<void>
  /** Stops it as a service manager does. */
  stop(): Promise<void>
  /** Stops it and removes everything of it. */
  close(): Promise<void>
}

const run = promisify(execFile)
const DEADLINE_MS = 60_000
const SAMPLE_IMAGES = ['atoll-sample:latest', 'atoll-sample:static']

/** Whether this machine has what `startDocker` needs. */
export function canRunDocker(): boolean {
  return process.getuid?.() === 0
}

interface EngineOptions {
  /** Default: this process's network namespace. */
  readonly pid?: number
  /** Without user namespaces: the root of a container is the host's root. */
  readonly sharesRoot?: boolean
  /** Its hard limit of open files. Default: the test's own. */
  readonly openFiles?: number
}

/** The user whose subordinate ids containers get, created as in `scripts/lib.sh`. */
async function remapUser(): Promise<string> {
  const script = '. "$0/scripts/lib.sh"; ensure_remap_user; printf %s "$REMAP_USER"'
  const root = join(import.meta.dirname, '../..')
  return (await run('bash', ['-euc', script, root])).stdout
}

/** Starts an engine. */
export async function startDocker(options: EngineOptions = {}): Promise<TestDocker> {
  const dir = await mkdtemp(join(tmpdir(), 'atoll-docker-'))
  // Containers' root is an unprivileged user here, who must pass through to its files.
  await chmod(dir, 0o711)
  const socketPath = join(dir, 'sock')
  const docker = openDocker(socketPath)
  let engine: ChildProcess | undefined

  async function start(): Promise<void> {
    await rm(join(dir, 'pid'), { force: true })
    await rm(join(dir, 'exec/containerd/containerd.pid'), { force: true })
    const command = [
      ...(options.pid === undefined ? [] : ['nsenter', `--net=/proc/${options.pid}/ns/net`]),
      ...(options.openFiles === undefined ? [] : ['prlimit', `--nofile=${options.openFiles}`]),
      ...['dockerd', '--data-root', join(dir, 'data'), '--exec-root', join(dir, 'exec')],
      ...['--pidfile', join(dir, 'pid'), '--host', `unix://${socketPath}`],
      ...['--bridge=none', '--iptables=false', '--ip-masq=false'],
      ...(options.sharesRoot === true ? [] : ['--userns-remap', await remapUser()]),
    ]
    const [program = '', ...args] = command
    engine = spawn(program, args, { detached: true, stdio: 'ignore' })
    const answers = () =>
      docker.ping().then(
        () => true,
        () => false,
      )
    await eventually('the Docker Engine answers', answers, DEADLINE_MS)
  }

  async function ended(child: ChildProcess | undefined): Promise<void> {
    await eventually(
      'dockerd ended',
      () => child === undefined || child.exitCode !== null || child.signalCode !== null,
      DEADLINE_MS,
    )
  }

  async function kill(): Promise<void> {
    engine?.kill('SIGKILL')
    await ended(engine)
    for (const pid of await processesOf(dir)) killIfThere(pid)
    await eventually(
      'its processes ended',
      async () => (await processesOf(dir)).length === 0,
      DEADLINE_MS,
    )
    await unmountBelow(dir)
  }

  async function stop(): Promise<void> {
    engine?.kill('SIGTERM')
    await ended(engine)
  }

  await start()
  return {
    socketPath,
    docker,
    start,
    kill,
    stop,
    makeSampleImages: () => makeSampleImages(socketPath),
    async makeImage(tag, config) {
      const [repo, version] = tag.split(':')
      const container = await docker.createContainer({ Image: 'atoll-sample:static', ...config })
      await container.commit({ repo, tag: version })
      await container.remove()
    },
    async close() {
      await kill()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/**
 * Builds the sample images in this engine, or loads what another test has built: that is faster.
 */
async function makeSampleImages(socketPath: string): Promise<void> {
  const script = join(import.meta.dirname, '../../scripts/make-sample-image')
  const env = { ...process.env, DOCKER_HOST: `unix://${socketPath}` }
  const key = createHash('sha256').update(await readFile(script))
  const archive = join(
    madeOnceDirectory(),
    `atoll-sample-images-${key.digest('hex').slice(0, 16)}.tar`,
  )
  if (await exists(archive)) {
    await run('docker', ['load', '--quiet', '--input', archive], { env })
    return
  }
  await run(script, [], { env })
  const own = `${archive}.${process.pid}`
  await run('docker', ['save', '--output', own, ...SAMPLE_IMAGES], { env })
  await rename(own, archive)
}

/**
 * containerd and shims have the directory on their command line. Containers are descendants of the
 * shims.
 */
async function processesOf(dir: string): Promise<readonly number[]> {
  const all = new Map<number, { readonly parent: number; readonly ours: boolean }>()
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const [stat, command] = await Promise.all([
      readFile(`/proc/${name}/stat`, 'utf8').catch(() => ''),
      readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => ''),
    ])
    const [state, parent] = statFields(stat)
    if (state === undefined || state === 'Z') continue
    all.set(Number(name), { parent: Number(parent), ours: command.includes(dir) })
  }
  const isOurs = (pid: number): boolean => {
    const one = all.get(pid)
    return one !== undefined && (one.ours || isOurs(one.parent))
  }
  return [...all.keys()].filter((pid) => pid !== process.pid && isOurs(pid))
}

async function unmountBelow(dir: string): Promise<void> {
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n')
  const ours = mounts
    .flatMap((line) => line.split(' ')[1] ?? [])
    .filter((path) => path.startsWith(`${dir}/`))
  for (const path of ours.toReversed()) await run('umount', ['--lazy', path])
}
