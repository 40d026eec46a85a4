/**
 * When is this daemon well? Pure: the agent's own account and the time give the conditions of
 * `/healthz`.
 */
import type { HealthCondition } from '../model/health.ts'
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

/** Something that somebody else is to put right, and how. */
interface Trouble {
  readonly what: string
  readonly fix: string
}

/** What a host's health is told from. */
interface HealthGround {
  readonly status: AgentStatus
  /** The time, in milliseconds since the epoch. */
  readonly now: number
  readonly intervalMs: number
  /**
   * Null: the host is alone, nobody else goes by its lease or its clock, and `records` tells what
   * keeps it from being renewed.
   */
  readonly lease: Pick<Lease, 'held' | 'taken' | 'trouble'> | null
  /** What in the host's own network is also the cloud's. */
  readonly collisions: readonly Trouble[]
  /** What others do to instances. */
  readonly obstacles: {
    readonly firewalls: readonly Trouble[]
    readonly addresses: readonly Trouble[]
  }
}

/** All that a host says of itself, the bus aside. */
export function hostHealth(ground: HealthGround): readonly HealthCondition[] {
  const { status, now, intervalMs, lease, collisions, obstacles } = ground
  return [
    ...agentHealth(status, now, intervalMs),
    ...(lease === null ? [] : [...leaseHealth(lease), ...clockHealth(status.clockAheadMs)]),
    told('network', [...collisions, ...obstacles.addresses], 'nothing overlaps the VPCs'),
    told('other-firewalls', obstacles.firewalls, 'drop nothing that instances need'),
  ]
}

/** Each condition with its value, so that a failing one says what is wrong by itself. */
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
 * Whether a load balancer should send clients to this host's API: it reads and changes records, and
 * that is all it needs. A bus, a clock or an instance that is not well costs no request, and often
 * ails all hosts at once; a balancer would then turn everybody away.
 */
export function servesClients(conditions: readonly HealthCondition[]): boolean {
  return conditions.every(({ name, ok }) => ok || name !== 'records')
}

/** Well when there is none of it; otherwise each with what to do. */
function told(name: string, troubles: readonly Trouble[], well: string): HealthCondition {
  const said = troubles.map(({ what, fix }) => `${what} (${fix})`)
  return { name, ok: said.length === 0, value: said.length === 0 ? well : said.join('; ') }
}

/**
 * How far a clock may be off before it is told of: certificates and signatures go by it, leases do
 * not.
 */
const CLOCK_TOLERANCE_MS = 60_000

/** Whether this host's clock and that of the records agree; `aheadMs` null: not known yet. */
export function clockHealth(aheadMs: number | null): readonly HealthCondition[] {
  const isWrong = aheadMs !== null && Math.abs(aheadMs) > CLOCK_TOLERANCE_MS
  const seconds = Math.round(Math.abs(aheadMs ?? 0) / 1000)
  const value = isWrong
    ? `this host's clock is ${seconds} s ${(aheadMs ?? 0) > 0 ? 'ahead of' : 'behind'} the clock of the records: set both by NTP (timedatectl set-ntp true)`
    : 'as that of the records'
  return [{ name: 'clock', ok: !isWrong, value }]
}

/**
 * Without a live lease others take this host for lost, and it starts nothing that it has not
 * started before.
 */
function leaseHealth(lease: Pick<Lease, 'held' | 'taken' | 'trouble'>): readonly HealthCondition[] {
  const trouble = lease.trouble()
  const runOut = trouble === null ? 'run out' : `run out: ${trouble}`
  const lost = lease.taken() ? 'another machine has the same host.name' : runOut
  return [{ name: 'lease', ok: lease.held(), value: lease.held() ? 'held' : lost }]
}
