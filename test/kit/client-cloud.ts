/**
 * A cloud for clients that others wrote: a whole daemon with real containers, a pool of floating
 * IPs, an image, and programs run with the cloud's credentials.
 */
import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Cloud, createCloud, execute } from '../../tools/kit/cloud.ts'
import { type InstanceCalls, instanceCalls } from '../../tools/kit/instance-calls.ts'
import type { Ran } from '../../tools/kit/netns.ts'

const DEADLINE_MS = 120_000
const PROGRAM_MS = 900_000
/** RFC 5737, TEST-NET-3. */
const POOL = '{name: public, ranges: [203.0.113.10-203.0.113.60]}'
const POOL_ADDRESS = '203.0.113.1'
const SAMPLE = 'docker://atoll-sample:static'
/** /sys/class/net shows the links of the namespace in which it was mounted. */
const WITH_LINKS = 'mount -t sysfs none /sys && exec "$0" "$@"'

export interface ClientCloud extends AsyncDisposable {
  readonly cloud: Cloud
  readonly calls: InstanceCalls
  /** An image that is available. */
  readonly image: string
  /** What tells AWS tools where the cloud is, and with which key. */
  readonly env: NodeJS.ProcessEnv
  /** Runs a program of a client to its end. */
  run(program: string, args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Ran>
  /** As `run`, in the network of a container: its links, its addresses, and what it reaches. */
  within(
    instance: string,
    program: string,
    args: readonly string[],
    env?: NodeJS.ProcessEnv,
  ): Promise<Ran>
  /** As `run`; the JSON that it prints. Throws with what it said if it fails. */
  ask(program: string, args: readonly string[], env?: NodeJS.ProcessEnv): Promise<unknown>
}

/**
 * Starts the cloud. `config` is YAML that is added to its configuration, `network` what is added to
 * its settings of the network.
 */
export async function openClientCloud(
  label: string,
  config = '',
  network = '',
): Promise<ClientCloud> {
  const cloud = await createCloud(label, config)
  try {
    await addPool(cloud, network)
    return await furnish(cloud)
  } catch (error) {
    await cloud.destroy()
    throw error
  }
}

/** The daemon wants to be in the network of its pool. */
async function addPool(cloud: Cloud, network: string): Promise<void> {
  await cloud.netns.must(['ip', 'address', 'add', `${POOL_ADDRESS}/24`, 'dev', 'outside'])
  await cloud.stop('SIGTERM')
  await appendFile(cloud.configFile, `network: {pools: [${POOL}], ${network}}\n`)
  await cloud.start()
}

async function furnish(cloud: Cloud): Promise<ClientCloud> {
  const calls = instanceCalls(cloud.ec2, DEADLINE_MS)
  const image = await calls.register('sample', SAMPLE)
  const { accessKeyId, secretAccessKey, region, endpoint } = cloud.credentials
  const authority = join(cloud.dir, 'tls/ca.crt')
  const env: NodeJS.ProcessEnv = {
    ...{ PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8', HOME: cloud.dir },
    ...{ AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey },
    ...{ AWS_DEFAULT_REGION: region, AWS_REGION: region, AWS_EC2_METADATA_DISABLED: 'true' },
    ...{ AWS_CA_BUNDLE: authority, SSL_CERT_FILE: authority, NODE_EXTRA_CA_CERTS: authority },
    ...{ ATOLL_ENDPOINT: endpoint, ATOLL_IMAGE: image },
  }
  const run: ClientCloud['run'] = (program, args, more = {}) =>
    execute(program, args, { env: { ...env, ...more }, timeoutMs: PROGRAM_MS })
  const engine = ['--host', `unix://${cloud.docker.socketPath}`]
  return {
    ...{ cloud, calls, image, env, run },
    async within(instance, program, args, more = {}) {
      const format = ['--format', '{{.State.Pid}}', `atoll-${instance}`]
      const { stdout: pid } = await execute('docker', [...engine, 'inspect', ...format])
      const network = `--net=/proc/${pid.trim()}/ns/net`
      const here = { AWS_EC2_METADATA_DISABLED: 'false', ...more }
      const shell = ['unshare', '--mount', 'sh', '-c', WITH_LINKS, program, ...args]
      return await run('nsenter', [network, '--', ...shell], here)
    },
    async ask(program, args, more) {
      const { exitCode, stdout, stderr } = await run(program, args, more)
      if (exitCode !== 0) throw new Error(`${program} failed: ${stderr.slice(-2000)}`)
      return JSON.parse(stdout)
    },
    [Symbol.asyncDispose]: () => cloud.destroy(),
  }
}
