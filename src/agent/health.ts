/** When is this daemon well? Pure: the agent's own account and the time give the conditions of `/healthz`. */
import type { HealthCondition } from '../lib/health.ts'
import type { AgentStatus } from './agent.ts'
import type { Lease } from './lease.ts'

/** Passes may take this many intervals before the agent counts as stuck. */
const PATIENCE_INTERVALS = 6

const RECORDS: Readonly<Record<AgentStatus['source'], string>> = {
  records: 'reachable',
  ledger: 'away, going on from ledger',
  nothing: 'not read yet, or this host is not in them yet',
  stranger: 'of another machine with the same host.name',
}

/** Each condition with its value, so that a failing one says what is wrong by itself. */
export function agentHealth(
  status: AgentStatus,
  now: number,
  intervalMs: number,
): readonly HealthCondition[] {
  const ageMs = status.lastPassAt === null ? null : now - Date.parse(status.lastPassAt)
  const failing = Object.entries(status.failing)
  return [
    {
      name: 'agent-passes',
      ok: ageMs !== null && ageMs < Math.max(intervalMs * PATIENCE_INTERVALS, 30_000),
      value: ageMs === null ? 'no pass yet' : `last pass ${Math.round(ageMs / 1000)} s ago`,
    },
    {
      name: 'records',
      ok: status.source === 'records',
      value: RECORDS[status.source],
    },
    {
      name: 'services',
      ok: failing.length === 0,
      value:
        failing.length === 0
          ? 'all applied'
          : failing.map(([name, reason]) => `${name}: ${reason}`).join('; '),
    },
  ]
}

/** Without a live lease others take this host for lost, and it starts nothing that it has not started before. */
export function leaseHealth(lease: Pick<Lease, 'held' | 'taken'>): readonly HealthCondition[] {
  const lost = lease.taken() ? 'another machine has the same host.name' : 'run out'
  return [{ name: 'lease', ok: lease.held(), value: lease.held() ? 'held' : lost }]
}
