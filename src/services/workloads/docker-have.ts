/**
 * What the Docker Engine says of a container, in the plan's words. Pure.
 *
 * The engine's own memory of events is what tells why a container ended. It lasts as long as the engine process, so an end
 * without its "die" event is one that the engine (or the machine) did not see: measured with 20.10, a container whose engine,
 * containerd and shim were killed shows ExitCode 255, and one that a stopping engine took down may show 0.
 */
import type { EndedBy, WorkloadState } from '../../plan/workloads.ts'

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

/** Who ended a container that has exited, from its state and the engine's events about it in ascending order. */
export function endedBy(state: ContainerState, events: readonly ContainerEvent[]): EndedBy {
  const finishedMs = Date.parse(state.FinishedAt)
  const die = events.findLast(({ action }) => action === 'die')
  if (die === undefined || Math.abs(die.timeMs - finishedMs) > DIE_DELAY_MS) return 'unknown'
  const startedMs = Date.parse(state.StartedAt)
  const killed = events.some(
    ({ action, timeMs }) =>
      action === 'kill' &&
      timeMs >= startedMs &&
      timeMs <= die.timeMs &&
      die.timeMs - timeMs <= KILL_WINDOW_MS,
  )
  if (killed) return 'outside'
  switch (state.ExitCode) {
    case KILLED:
      return state.OOMKilled ? 'memory' : 'outside'
    case TERMINATED:
      return 'outside'
    case REBOOTED:
      return 'reboot'
    default:
      return 'itself'
  }
}
