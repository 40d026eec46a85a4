/**
 * The status of a host's engines and its daemon, read on the host itself. Null: it does not answer.
 */
import { z } from 'zod'
import type { Machine } from './machine.ts'

const ASK_MS = 5000
/** It starts an Erlang VM with TLS, which takes seconds on a busy machine with two cores. */
const ASK_RABBIT_MS = 20_000

/** A Galera node's view (wsrep status variables). */
export interface GaleraState {
  /** Nodes in its component. */
  readonly size: number
  /** Its component may write. */
  readonly primary: boolean
  /** `Synced`, `Donor/Desynced`, `Joining`, … */
  readonly state: string
}

/** The daemon's view. */
export interface DaemonState {
  readonly healthy: boolean
  /** The conditions that fail, in words. */
  readonly problems: readonly string[]
  readonly version: string | null
  /** Instances of this host by state. */
  readonly instances: Readonly<Record<string, number>>
}

/** The Galera node of this host. */
export async function galeraState(machine: Machine): Promise<GaleraState | null> {
  const query = "SHOW GLOBAL STATUS WHERE Variable_name LIKE 'wsrep%'"
  const argv = ['mariadb', '--no-defaults', '--connect-timeout=2', '--batch', '-N', '-e', query]
  const { exitCode, stdout } = await machine.exec(argv, { timeoutMs: ASK_MS })
  if (exitCode !== 0) return null
  const lines = stdout.split('\n').map((line) => line.split('\t'))
  const values = new Map(lines.map(([name = '', value = '']) => [name, value]))
  const value = (name: string) => values.get(`wsrep_${name}`) ?? ''
  return {
    size: Number(value('cluster_size')),
    primary: value('cluster_status') === 'Primary' && value('ready') === 'ON',
    state: value('local_state_comment'),
  }
}

/**
 * Uses Erlang directly: each rabbitmqctl takes seconds of processor time, and erl_call has no TLS.
 * Before all else of the node has started, it does not listen: then there is nobody to ask, and
 * each question would take processor time from the start.
 */
const ASK_RABBIT = [
  '[ -n "$(ss -Hltn \'sport = :5671\')" ] || exit 1',
  'set -a; . /etc/rabbitmq/rabbitmq-env.conf',
  'cd /var/lib/rabbitmq && export HOME=/var/lib/rabbitmq',
  'ask="io:format(\\"~p~n\\", [rpc:call(\'rabbit@$(hostname)\', rabbit_mnesia, cluster_nodes, [running], 10000)]), halt()."',
  'exec erl -boot no_dot_erlang -start_epmd false -noinput -hidden -sname "ask$$" $CTL_ERL_ARGS -eval "$ask"',
].join('\n')

/** The RabbitMQ nodes that this host's node sees, including itself. */
export async function rabbitNodes(machine: Machine): Promise<readonly string[] | null> {
  const { exitCode, stdout } = await machine.exec(['sh', '-c', ASK_RABBIT], {
    timeoutMs: ASK_RABBIT_MS,
  })
  if (exitCode !== 0 || !stdout.startsWith('[')) return null
  // `rabbit@h1`, or `'rabbit@h1'` where Erlang needs quotes.
  return [...stdout.matchAll(/rabbit@([a-z0-9-]+)/g)].map(([, host = '']) => host).toSorted()
}

const healthSchema = z.object({
  healthy: z.boolean(),
  conditions: z.array(z.object({ name: z.string(), ok: z.boolean(), value: z.unknown() })),
})
const statusSchema = z.object({
  version: z.string(),
  instances: z.record(z.string(), z.number()),
})

/** The daemon of this host. Its health is always read. What needs the records may be missing. */
export async function daemonState(machine: Machine): Promise<DaemonState | null> {
  const health = healthSchema.safeParse(await readJson(machine, ['http://127.0.0.1:9773/healthz']))
  if (!health.success) return null
  const status = statusSchema.safeParse(
    await readJson(machine, ['--unix-socket', '/run/atoll/admin.sock', 'http://atoll/v1/status']),
  )
  return {
    healthy: health.data.healthy,
    problems: health.data.conditions
      .filter(({ ok }) => !ok)
      .map(({ name, value }) => `${name}: ${String(value)}`),
    version: status.success ? status.data.version : null,
    instances: status.success ? status.data.instances : {},
  }
}

async function readJson(machine: Machine, args: readonly string[]): Promise<unknown> {
  const argv = ['curl', '--silent', '--max-time', '3', ...args]
  const { stdout } = await machine.exec(argv, { timeoutMs: ASK_MS })
  try {
    return JSON.parse(stdout)
  } catch {
    return null
  }
}
