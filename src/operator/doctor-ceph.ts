/**
 * Check of `atoll doctor`: whether the Ceph cluster with the pool of this host is whole, by its own
 * word. Changes nothing.
 */
import { z } from 'zod'
import type { Config } from '../config.ts'
import { cephKeyring, createCephCommands } from '../host/ceph/commands.ts'
import type { Runner } from '../lib/runner.ts'
import { type CheckResult, ok, warn } from './doctor-check.ts'

const HEALTH_MS = 10_000
/** Problems that are named; a cluster in trouble has many. */
const NAMED = 5
const MESSAGE_LENGTH = 200
const FIX = 'see ceph -s and ceph health detail on a host of the cluster, and docs/ceph.md'

/** What is needed of `ceph health`. */
const health = z.object({
  status: z.string().max(MESSAGE_LENGTH),
  checks: z.record(
    z.string(),
    z.object({ muted: z.boolean().default(false), summary: z.object({ message: z.string() }) }),
  ),
})

/** Asks as the user of the pool. */
export async function checkCephHealth(
  { storage: { ceph } }: Pick<Config, 'storage'>,
  run: Runner,
): Promise<CheckResult> {
  const { pool, user, conf } = ceph
  if (pool === null) return ok('none (storage.ceph.pool)')
  const keyring = ceph.keyring ?? cephKeyring(conf, user)
  const commands = createCephCommands({ pool, user, conf, keyring }, run)
  const options = { timeoutMs: HEALTH_MS }
  const said = await commands.tell('ceph', ['health', '--format', 'json'], options)
  if (said.exitCode !== 0) return warn(`ceph health ends with ${said.exitCode}`, FIX)
  return judgeCephHealth(said.stdout)
}

/** The result for this answer. */
export function judgeCephHealth(text: string): CheckResult {
  const parsed = health.safeParse(parse(text))
  if (!parsed.success) return warn('what ceph health says is not understood', FIX)
  const { status, checks } = parsed.data
  if (status === 'HEALTH_OK') return ok('the cluster is whole')
  const problems = Object.entries(checks)
    .filter(([, { muted }]) => !muted)
    .map(([name, { summary }]) => `${name}: ${summary.message.slice(0, MESSAGE_LENGTH)}`)
  const more = problems.length > NAMED ? ` and ${problems.length - NAMED} more` : ''
  return warn(`${status}: ${problems.slice(0, NAMED).join('; ')}${more}`, FIX)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
