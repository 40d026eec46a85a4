/**
 * The times of failover: how long a host may run what others may start again, and how long others
 * have to wait. All follow from a few settings, so no two of them can be set to values that do not
 * fit together. Pure.
 *
 * Every host measures with its own monotonic clock (CLOCK_BOOTTIME). No host's clock is compared
 * with that of another one.
 */

/** What an operator may set. All in milliseconds. */
export interface FailoverSettings {
  /** How often a host asks its peers for a grant. */
  readonly askMs: number
  /** An answer that comes later than this after its question counts as none. */
  readonly replyMs: number
  /** What stopping all that has to stop takes at most, until the last process is reaped. */
  readonly stopMs: number
  /** How exactly the watchdog keeps its time: 1,000 for a device that counts seconds. */
  readonly watchdogStepMs: number
  /** Commits older than this are not lost when all nodes of the database crash together. */
  readonly durableMs: number
}

/** What follows from the settings. All in milliseconds, each by the clock of who uses it. */
export interface FailoverTimes extends FailoverSettings {
  /** From a question that was granted to when the host begins to stop. */
  readonly permissionMs: number
  /** The timeout of the watchdog, a multiple of its step. It is fed after a grant only. */
  readonly watchdogMs: number
  /** From a question that was granted to when nothing runs any more, whatever hangs. */
  readonly silentMs: number
  /** For how long a peer that has granted does not consent to a takeover, nor the reverse. */
  readonly promiseMs: number
}

/** The settings of a cluster. */
export const FAILOVER_SETTINGS: FailoverSettings = {
  askMs: 1_400,
  replyMs: 1_000,
  stopMs: 2_000,
  watchdogStepMs: 1_000,
  durableMs: 1_400,
}

/** So many questions in a row may stay without a grant before the host stops. */
const FAILURES = 5
/**
 * How wrong the rate of a clock may be. Crystals are right to 0.01 %, and NTP changes the rate by
 * 0.05 % at most (adjtimex(2)). The rest is for virtual machines.
 */
export const CLOCK_ERROR = 0.01

/** The times that follow from these settings. */
export function failoverTimes(settings: FailoverSettings): FailoverTimes {
  const { askMs, replyMs, stopMs, watchdogStepMs } = settings
  const permissionMs = FAILURES * askMs + replyMs
  const watchdogMs = Math.ceil((permissionMs + stopMs) / watchdogStepMs) * watchdogStepMs
  // Fed at the latest when the answer may still count, and it fires at most one step late.
  const silentMs = Math.max(permissionMs + stopMs, replyMs + watchdogMs + watchdogStepMs)
  // Of two clocks, one may be as slow and the other as fast as they can be.
  const promiseMs = Math.ceil((silentMs * (1 + CLOCK_ERROR)) / (1 - CLOCK_ERROR))
  return { ...settings, permissionMs, watchdogMs, silentMs, promiseMs }
}
