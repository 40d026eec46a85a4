/** The conditions of `/healthz`, from the status of the agent and the lease. Pure. */
import type { HealthCondition } from '../model/health.ts'
import type { AgentStatus } from './agent.ts'
import type { Lease } from './lease.ts'

/** Intervals without a pass after which the agent counts as stuck. */
const PATIENCE_INTERVALS = 6

const RECORDS: Readonly<Record<AgentStatus['source'], string>> = {
  records: 'reachable',
  ledger: 'unavailable; using the ledger',
  nothing: 'not read yet, or without this host',
  stranger: 'of another machine with the same host.name',
}

/** A problem that an operator has to fix, and how. */
interface Trouble {
  readonly what: string
  readonly fix: string
}

/** What the conditions are made from. */
interface HealthInput {
  readonly status: AgentStatus
  /** The time, in milliseconds since the epoch. */
  readonly now: number
  readonly intervalMs: number
  /** Null on a single host: nobody else depends on its lease or its clock. */
  readonly lease: Pick<Lease, 'held' | 'taken' | 'trouble'> | null
  /** Address ranges that the host's own network and the cloud both use. */
  readonly collisions: readonly Trouble[]
  /** Other firewalls and other machines that disturb instances. */
  readonly interference: {
    readonly firewalls: readonly Trouble[]
    readonly addresses: readonly Trouble[]
  }
}

/** All conditions of a host except the bus. */
export function hostHealth(input: HealthInput): readonly HealthCondition[] {
  const { status, now, intervalMs, lease, collisions, interference } = input
  return [
    ...agentHealth(status, now, intervalMs),
    ...(lease === null ? [] : [...leaseHealth(lease), ...clockHealth(status.clockAheadMs)]),
    conditionOf('network', [...collisions, ...interference.addresses], 'nothing overlaps the VPCs'),
    conditionOf('other-firewalls', interference.firewalls, 'drop nothing that instances need'),
  ]
}

/** The conditions of the agent. A failing one says what is wrong. */
export function agentHealth(
  status: AgentStatus,
  now: number,
  intervalMs: number,
): readonly HealthCondition[] {
  const ageMs = status.lastPassAt === null ? null : now - Date.parse(status.lastPassAt)
  const failing = Object.entries(status.failing)
  const since = (name: string) => {
    const at = status.failingSince?.[name]
    return at === undefined ? '' : ` (since ${at})`
  }
  return [
    {
      name: 'agent-passes',
      ok: ageMs !== null && ageMs < Math.max(intervalMs * PATIENCE_INTERVALS, 30_000),
      value: ageMs === null ? 'no pass yet' : `last pass ${Math.round(ageMs / 1000)} s ago`,
    },
    {
      name: 'records',
      ok: status.source === 'records',
      value: recordsValue(status),
    },
    {
      name: 'services',
      ok: failing.length === 0,
      value:
        failing.length === 0
          ? 'all applied'
          : failing.map(([name, reason]) => `${name}: ${reason}${since(name)}`).join('; '),
    },
  ]
}

function recordsValue({ source, recordsTrouble = null }: AgentStatus): string {
  return recordsTrouble === null ? RECORDS[source] : `${RECORDS[source]}: ${recordsTrouble}`
}

/**
 * Whether a load balancer should send clients to this host's API. The API needs the records and
 * nothing else. A failing bus, clock or instance fails no request, and often concerns all hosts at
 * once: a load balancer that counted it would turn every client away.
 */
export function servesClients(conditions: readonly HealthCondition[]): boolean {
  return conditions.every(({ name, ok }) => ok || name !== 'records')
}

/** Ok when there are no problems; else names each with its fix. */
function conditionOf(name: string, troubles: readonly Trouble[], none: string): HealthCondition {
  const texts = troubles.map(({ what, fix }) => `${what} (fix: ${fix})`)
  return { name, ok: texts.length === 0, value: texts.length === 0 ? none : texts.join('; ') }
}

/** Largest tolerated clock error. Certificates and signatures depend on clocks, leases do not. */
const CLOCK_TOLERANCE_MS = 60_000

/** Whether this host's clock agrees with the store's; `aheadMs` is null while it is not known. */
export function clockHealth(aheadMs: number | null): readonly HealthCondition[] {
  const isWrong = aheadMs !== null && Math.abs(aheadMs) > CLOCK_TOLERANCE_MS
  const seconds = Math.round(Math.abs(aheadMs ?? 0) / 1000)
  const value = isWrong
    ? `this host's clock is ${seconds} s ${(aheadMs ?? 0) > 0 ? 'ahead of' : 'behind'} the clock of the records: set both by NTP (timedatectl set-ntp true)`
    : 'agrees with the clock of the records'
  return [{ name: 'clock', ok: !isWrong, value }]
}

/** Without a live lease other hosts count this one as lost, and it starts no new instances. */
function leaseHealth(lease: Pick<Lease, 'held' | 'taken' | 'trouble'>): readonly HealthCondition[] {
  const trouble = lease.trouble()
  const runOut = trouble === null ? 'expired' : `expired: ${trouble}`
  const lost = lease.taken() ? 'another machine has the same host.name' : runOut
  return [{ name: 'lease', ok: lease.held(), value: lease.held() ? 'held' : lost }]
}
