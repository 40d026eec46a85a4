/**
 * A cloud of one host for tests: the daemon in its own network namespace, with its own Docker
 * Engine and an outside network behind NAT. The test's main thread is in the host's namespace, so
 * that real clients reach the API.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { chmod, mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { Agent } from 'node:https'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type _InstanceType, EC2Client } from '@aws-sdk/client-ec2'
import { configSchema } from '../../src/config.ts'
import { removeGroup } from '../../src/host/processes/groups.ts'
import { findProcesses, killProcess, machineHomes } from '../../src/host/processes/processes.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { type Credentials, readCredentials } from '../../src/operator/credentials.ts'
import { endChildren } from '../../src/parts/children.ts'
import { endChild } from './child.ts'
import { startDocker, type TestDocker } from './docker.ts'
import { createNetns, eventually, type Netns, type Ran } from './netns.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const DEADLINE_MS = 60_000
const LOG_LINES_SHOWN = 30

/** The address of the outside server, and of the host's link to it (RFC 5737, TEST-NET-2). */
export const OUTSIDE_ADDRESS = '198.51.100.2'
export const HOST_ADDRESS = '198.51.100.1'

/** The smallest type that fits the sample images. The SDK's list has only Amazon's types. */
export const smallType = 'at1.small' as _InstanceType

export interface Cloud {
  readonly dir: string
  readonly configFile: string
  /** The host's namespace. */
  readonly netns: Netns
  /** A machine outside. */
  readonly outside: Netns
  readonly docker: TestDocker
  readonly ec2: EC2Client
  readonly credentials: Credentials
  /** The daemon's process, while it runs. */
  daemon(): ChildProcess
  /** Starts the daemon, and waits until it is healthy. */
  start(options?: { readonly env?: Readonly<Record<string, string>> }): Promise<void>
  /** Sends the daemon a signal, and waits until it has ended. */
  stop(signal: NodeJS.Signals): Promise<void>
  /** The daemon's log so far. */
  log(): Promise<string>
  /** Runs a program in an instance's container. */
  inside(instance: string, argv: readonly string[]): Promise<Ran>
  /** Runs `atoll` with this cloud's configuration. */
  atoll(...args: readonly string[]): Promise<Ran>
  /** Runs awscli with this cloud's credentials. */
  aws(...args: readonly string[]): Promise<Ran>
  destroy(): Promise<void>
}

/** Runs a program to its end, whatever its exit code is. */
export function execute(
  program: string,
  args: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly timeoutMs?: number } = {},
): Promise<Ran> {
  return new Promise((done) => {
    const settings = {
      env: options.env ?? process.env,
      timeout: options.timeoutMs ?? DEADLINE_MS,
      killSignal: 'SIGKILL' as const,
      maxBuffer: 64 * 1024 * 1024,
    }
    const child = execFile(program, [...args], settings, (error, stdout, stderr) => {
      const exitCode = error === null ? 0 : typeof error.code === 'number' ? error.code : 255
      done({ exitCode, stdout, stderr })
    })
    // Some programs (lxc) read stdin to its end if it is not a terminal.
    child.stdin?.end()
  })
}

/**
 * Creates and starts the cloud. `config` is YAML that is added to its configuration, `reach` its
 * images.reach.
 */
export async function createCloud(
  label: string,
  config = '',
  reach: readonly string[] = [],
): Promise<Cloud> {
  const dir = await mkdtemp(join(tmpdir(), `atoll-${label}-`))
  // As /var/lib is: processes without rights pass through.
  await chmod(dir, 0o755)
  const { netns, outside } = await makeNetwork(label)
  const leave = netns.enter()
  const docker = await startDocker()
  await docker.makeSampleImages()

  const configFile = join(dir, 'atoll.yaml')
  const logFile = join(dir, 'atolld.log')
  await mkdir(join(dir, 'state'), { mode: 0o700 })
  await mkdir(join(dir, 'state/images'))
  await writeFile(
    configFile,
    `stateDir: ${dir}/state\nruntimeDir: ${dir}/run\ntls: {directory: ${dir}/tls}\ndocker: {socket: ${docker.socketPath}, stopSeconds: 1}\nhost: {name: ${label}}\nimages: {directories: [${dir}/state/images], reach: [${reach.join(', ')}]}\n${config}`,
  )
  const daemon = createDaemon(configFile, logFile)
  await daemon.start()
  const credentials = await readCredentials(join(dir, 'state'))
  const authority = await readFile(join(dir, 'tls/ca.crt'))
  const ec2 = clientOf(credentials, authority)
  return {
    dir,
    configFile,
    netns,
    outside,
    docker,
    ec2,
    credentials,
    ...daemon,
    log: () => readFile(logFile, 'utf8'),
    inside: (instance, argv) =>
      execute('/usr/bin/docker', [
        '--host',
        `unix://${docker.socketPath}`,
        'exec',
        `atoll-${instance}`,
        ...argv,
      ]),
    atoll: (...args) => execute(join(ROOT, 'bin/atoll'), ['--config', configFile, ...args]),
    aws: (...args) =>
      execute('/usr/bin/aws', ['--endpoint-url', credentials.endpoint, ...args], {
        env: {
          ...process.env,
          AWS_ACCESS_KEY_ID: credentials.accessKeyId,
          AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
          AWS_DEFAULT_REGION: credentials.region,
          AWS_CA_BUNDLE: join(dir, 'tls/ca.crt'),
        },
      }),
    async destroy() {
      ec2.destroy()
      await daemon.stop('SIGKILL')
      await endChildren(join(dir, 'run'), systemClock)
      await killMachines(join(dir, 'state'))
      await docker.close()
      leave()
      await outside.destroy()
      await netns.destroy()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** The host's namespace, and one outside. */
async function makeNetwork(label: string): Promise<Pick<Cloud, 'netns' | 'outside'>> {
  const netns = await createNetns(label)
  const outside = await createNetns(`${label}-outside`)
  await netns.must([
    'ip',
    'link',
    'add',
    'outside',
    'type',
    'veth',
    'peer',
    'name',
    'eth0',
    'netns',
    String(outside.pid),
  ])
  await netns.must(['ip', 'address', 'add', `${HOST_ADDRESS}/30`, 'dev', 'outside'])
  await netns.must(['ip', 'link', 'set', 'outside', 'up'])
  await outside.must(['ip', 'address', 'add', `${OUTSIDE_ADDRESS}/30`, 'dev', 'eth0'])
  await outside.must(['ip', 'link', 'set', 'eth0', 'up'])
  return { netns, outside }
}

/** The daemon, not yet started. */
function createDaemon(
  configFile: string,
  logFile: string,
): Pick<Cloud, 'daemon' | 'start' | 'stop'> {
  let child: ChildProcess | undefined
  return {
    daemon() {
      if (child === undefined) throw new Error('the daemon was never started')
      return child
    },
    async start(options = {}) {
      const log = await open(logFile, 'a')
      child = spawn(join(ROOT, 'bin/atolld'), ['--config', configFile], {
        stdio: ['ignore', 'ignore', log.fd],
        env: { ...process.env, ...options.env },
        detached: true,
      })
      await log.close()
      await eventually('atolld is healthy', isHealthyDaemon, DEADLINE_MS)
    },
    async stop(signal) {
      if (child !== undefined) await endChild(child, signal)
    },
  }
}

/** An EC2 client of this cloud, which trusts its authority only. */
export function clientOf(credentials: Cloud['credentials'], authority: Buffer): EC2Client {
  return new EC2Client({
    endpoint: credentials.endpoint,
    region: credentials.region,
    credentials: {
      accessKeyId: credentials.accessKeyId,
      secretAccessKey: credentials.secretAccessKey,
    },
    maxAttempts: 1,
    requestHandler: { httpsAgent: new Agent({ ca: authority, keepAlive: true }) },
  })
}

/** Virtual machines go on without a daemon. */
async function killMachines(stateDir: string): Promise<void> {
  const homes = await machineHomes(stateDir)
  const running = await findProcesses(homes, configSchema.parse({}).qemu.firstUser)
  for (const [id, home] of homes) {
    const pid = running.get(id)
    if (pid !== undefined) await killProcess(pid, home, systemClock)
    await removeGroup(id, systemClock)
  }
}

/** Whether the daemon in this namespace reports that it is healthy. */
export async function isHealthyDaemon(): Promise<boolean> {
  try {
    return (await fetch('http://127.0.0.1:9773/healthz')).ok
  } catch {
    return false
  }
}

/**
 * A cloud while `work` runs. `config` as for `createCloud`. If it fails, the end of the daemon's
 * log is part of the error.
 */
export async function withCloud<T>(
  label: string,
  work: (cloud: Cloud) => Promise<T>,
  config = '',
): Promise<T> {
  const cloud = await createCloud(label, config)
  try {
    return await work(cloud)
  } catch (cause) {
    const lines = (await cloud.log()).trimEnd().split('\n').slice(-LOG_LINES_SHOWN)
    throw new Error(`the cloud ${label} failed; its log ends:\n${lines.join('\n')}`, { cause })
  } finally {
    await cloud.destroy()
  }
}
