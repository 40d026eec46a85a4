/**
 * What the Docker Engine says of a container, in the plan's words. Pure.
 *
 * The engine's own memory of events is what tells best why a container ended. It lasts as long as
 * the engine process and holds the last 256 events of all kinds. Of an end that is not in it, what
 * counts is its time: one after the last upheaval (a start of the engine or of the machine) was
 * seen by the engine and has been forgotten, so its exit code speaks; one before it came with the
 * upheaval or cannot be told from one that did. Measured with 20.10: a container whose engine,
 * containerd and shim were killed shows ExitCode 255, and one that a stopping engine took down may
 * show 0.
 */
import type { EndedBy, WorkloadState } from '../plan/workloads.ts'

/** StartedAt of a container that was never started. */
export const NEVER_STARTED = '0001-01-01T00:00:00Z'

/** The part of `State` of an inspected container that matters here. */
export interface ContainerState {
  readonly Status: string
  readonly OOMKilled: boolean
  readonly ExitCode: number
  readonly StartedAt: string
  readonly FinishedAt: string
}

/** One event of the engine about one container. */
export interface ContainerEvent {
  readonly action: string
  readonly timeMs: number
}

/** A signal sent from outside this long before the end is taken for its cause. */
const KILL_WINDOW_MS = 60_000
/** "die" is logged after FinishedAt is taken, by this much at most. */
const DIE_DELAY_MS = 30_000
const SIGNAL_BASE = 128
/** reboot(2), LINUX_REBOOT_CMD_RESTART in a PID namespace: its init ends by SIGHUP. */
const REBOOTED = SIGNAL_BASE + 1
const KILLED = SIGNAL_BASE + 9
const TERMINATED = SIGNAL_BASE + 15

/** Whether it is up, coming up or gone. `end` is what `endedBy` found, for one that has ended. */
export function workloadState(
  state: ContainerState,
  plugged: boolean,
  end: EndedBy,
): WorkloadState {
  switch (state.Status) {
    case 'running':
    case 'paused':
      return { kind: 'running', plugged }
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

/** Of a container whose end nobody saw. */
const UNSEEN = 255

/**
 * Who ended a container that has exited, from its state, the engine's events about it in ascending
 * order, and the time of the last upheaval (`EngineWays`).
 */
export function endedBy(
  state: ContainerState,
  events: readonly ContainerEvent[],
  upheavalMs: number | null,
): EndedBy {
  const finishedMs = Date.parse(state.FinishedAt)
  const die = events.findLast(({ action }) => action === 'die')
  if (die === undefined || Math.abs(die.timeMs - finishedMs) > DIE_DELAY_MS) {
    const isForgotten = upheavalMs !== null && finishedMs > upheavalMs && state.ExitCode !== UNSEEN
    return isForgotten ? byExitCode(state) : 'unknown'
  }
  const startedMs = Date.parse(state.StartedAt)
  const killed = events.some(
    ({ action, timeMs }) =>
      action === 'kill' &&
      timeMs >= startedMs &&
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
