/**
 * Translates what the Docker Engine says of a container into the plan's terms. Pure.
 *
 * The engine's events tell best why a container ended. They exist only as long as the engine
 * process, and only the last 256 of all kinds. Without an event, the time of the end counts. An end
 * after the last restart (of the engine or the machine) was seen by an engine that has since
 * forgotten the event, so its exit code is reliable. An earlier end was caused by the restart, or
 * cannot be distinguished from one that was. Measured with 20.10: a container whose engine,
 * containerd and shim were killed has ExitCode 255, and one that a stopping engine ended may have
 * 0.
 */
import type { EndedBy, PluggedNic, WorkloadState } from '../plan/workloads.ts'

/** StartedAt of a container that was never started. */
export const NEVER_STARTED = '0001-01-01T00:00:00Z'

/** The fields of an inspected container's `State` that are needed. */
export interface ContainerState {
  readonly Status: string
  readonly OOMKilled: boolean
  readonly ExitCode: number
  readonly StartedAt: string
  readonly FinishedAt: string
}

/** An event of the engine about one container. */
export interface ContainerEvent {
  readonly action: string
  readonly timeMs: number
}

/** A signal from outside this long before the end counts as its cause. */
const KILL_WINDOW_MS = 60_000
/** "die" is logged at most this long after FinishedAt. */
const DIE_DELAY_MS = 30_000
const SIGNAL_BASE = 128
/** reboot(2), LINUX_REBOOT_CMD_RESTART in a PID namespace: its init ends by SIGHUP. */
const REBOOTED = SIGNAL_BASE + 1
const KILLED = SIGNAL_BASE + 9
const TERMINATED = SIGNAL_BASE + 15

/** Whether its processes are there, if only paused: then its network goes on, too. */
export function hasProcesses({ Status }: Pick<ContainerState, 'Status'>): boolean {
  return Status === 'running' || Status === 'paused'
}

/**
 * Whether it runs, starts or has ended. `nics` are those that were plugged in; null: they were not.
 * `end` is the result of `endedBy` for one that has ended.
 */
export function workloadState(
  state: ContainerState,
  nics: readonly PluggedNic[] | null,
  end: EndedBy,
): WorkloadState {
  switch (state.Status) {
    case 'running':
    case 'paused':
      return nics === null
        ? { kind: 'running', plugged: false }
        : { kind: 'running', plugged: true, nics }
    case 'created':
      return { kind: 'created' }
    case 'removing':
    case 'restarting':
      return { kind: 'busy' }
    default:
      return state.StartedAt === NEVER_STARTED
        ? { kind: 'created' }
        : { kind: 'ended', by: end, exitCode: state.ExitCode }
  }
}

/** Exit code of a container whose end nobody saw. */
const UNSEEN = 255

/**
 * Who ended a container, from its state, the engine's events about it in ascending order, and the
 * time of the last restart (`EngineInfo`).
 */
export function endedBy(
  state: ContainerState,
  events: readonly ContainerEvent[],
  restartMs: number | null,
): EndedBy {
  const finishedMs = Date.parse(state.FinishedAt)
  const die = events.findLast(({ action }) => action === 'die')
  if (die === undefined || Math.abs(die.timeMs - finishedMs) > DIE_DELAY_MS) {
    const isForgotten = restartMs !== null && finishedMs > restartMs && state.ExitCode !== UNSEEN
    return isForgotten ? byExitCode(state) : 'unknown'
  }
  const startedMs = Date.parse(state.StartedAt)
  const killed = events.some(
    ({ action, timeMs }) =>
      action === 'kill' &&
      // After its start, unless the clock was set back meanwhile.
      (timeMs >= startedMs || finishedMs < startedMs) &&
      timeMs <= die.timeMs &&
      die.timeMs - timeMs <= KILL_WINDOW_MS,
  )
  return killed ? 'outside' : byExitCode(state)
}

function byExitCode({ ExitCode, OOMKilled }: ContainerState): EndedBy {
  switch (ExitCode) {
    case KILLED:
      return OOMKilled ? 'memory' : 'outside'
    case TERMINATED:
      return 'outside'
    case REBOOTED:
      return 'reboot'
    default:
      return 'itself'
  }
}
