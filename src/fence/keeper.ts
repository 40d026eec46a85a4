/**
 * Keeps this host's permission to run what others may start again (`plan/failover/holder.ts`), and
 * stops all that when it has run out.
 *
 * The kernel's permission to speak is armed before the question is sent, and promoted when a
 * majority has granted it. A watchdog is fed then, and at no other time. If the process was stopped
 * between a grant and the feeding, the watchdog has a whole time from a moment that may be late: so
 * the clock is looked at again after it, and if it was late, everything is stopped at once and
 * nothing fed any more.
 */
import type { Guarded } from '../model/guarded.ts'
import type { HostName } from '../model/ids.ts'
import { granted, type Holder, mayRun, permittedUntilMs } from '../plan/failover/holder.ts'
import type { Membership } from '../plan/failover/membership.ts'
import type { Round } from '../plan/failover/round.ts'
import type { FailoverTimes } from '../plan/failover/times.ts'
import type { Rounds } from './rounds.ts'

/** The permission, with the id of its term: random, so that nobody ever has the same again. */
export interface KeptPermission extends Holder {
  readonly id: string
}

/** What ends what the kernel may not be left with. */
export interface Stopper {
  /** Kills what runs of these, and returns how many processes have not ended. */
  kill(guarded: readonly Guarded[]): number
}

/** Permission to speak, in all network namespaces. */
export interface Gates {
  /** Errors: the kernel's; then nothing may be asked. The next call may find it repaired. */
  arm(serial: number, ms: number): void
  promote(serial: number): void
}

/** What the keeper feeds. */
interface Fed {
  /** Arms it if it is not armed. */
  feed(): void
  /** Also one that a process before has left armed. */
  disarm(): void
}

interface KeeperParts {
  readonly host: HostName
  readonly times: FailoverTimes
  readonly nowMs: () => number
  readonly after: (ms: number, run: () => void) => () => void
  /** Random whole numbers below 2^31. */
  readonly serial: () => number
  readonly rounds: Rounds
  readonly gates: Gates
  readonly watchdog: Fed | null
  readonly stopper: Stopper
  /** Cryptographically random bytes. */
  readonly randomBytes: (bytes: number) => Uint8Array
  /** Keeps it for the next process. Errors: what keeps it from being written. */
  readonly save: (permission: KeptPermission) => void
  /** Called with each change of the permission, and when it is renewed. */
  readonly changed: () => void
  readonly trouble: (what: string, error: unknown) => void
}

const ID_BYTES = 16
/** How often processes that have been killed are looked at. */
const REAP_MS = 20
/**
 * How often what must not run is looked for: an agent may have been stopped before it started it.
 */
const WATCH_MS = 250

/** Keeps it, from `begin` on. */
export class Keeper {
  readonly #parts: KeeperParts
  #membership: Membership | null = null
  /** Null: what a process before has left is not known. */
  #guarded: readonly Guarded[] | null
  #holder: KeptPermission
  /** Whether all that must stop has stopped, since there is no permission. */
  #isStopped = false
  #isArmed = false
  /** Whether the last feeding failed, since something has to be guarded. */
  #isUnfed = false
  #waiting: (() => void)[] = []
  #endRound = () => {}
  #cancelEnd = () => {}
  #cancelAsk = () => {}
  #cancelLook = () => {}

  /** `saved`, `guarded`: as the process before has left them. */
  constructor(parts: KeeperParts, saved: KeptPermission, guarded: readonly Guarded[] | null) {
    this.#parts = parts
    this.#holder = saved
    this.#guarded = guarded
    // As the process before may have left it.
    this.#isArmed = parts.watchdog !== null && guarded?.length !== 0
  }

  /** Goes on in the term of the process before, or stops what it has left. */
  begin(): void {
    if (this.mayRun() && this.#guarded !== null) this.#endLater()
    else this.#lose()
    this.#ask()
  }

  /** Which members are asked from now on. */
  adopt(membership: Membership): void {
    this.#membership = membership
  }

  get permission(): KeptPermission {
    return this.#holder
  }

  /** Whether the watchdog resets this machine, by what it did the last time. */
  feeds(): boolean {
    return this.#parts.watchdog !== null && !this.#isUnfed
  }

  mayRun(): boolean {
    return mayRun(this.#holder, this.#parts.nowMs(), this.#parts.times)
  }

  /**
   * Replaces what has to be stopped. `taken` is called when it would be: at once, or when a
   * watchdog is armed for the first of it.
   */
  guard(guarded: readonly Guarded[], taken: () => void): void {
    this.#guarded = guarded
    if (guarded.length === 0) {
      this.#disarm()
      // Nothing depends on it until it is tried again.
      this.#isUnfed = false
    }
    const mustArm = this.#parts.watchdog !== null && guarded.length > 0 && !this.#isArmed
    if (mustArm && this.mayRun()) this.#waiting.push(taken)
    else taken()
    if (!this.mayRun()) this.#stop()
  }

  /**
   * Gives the permission back: stops everything, and disarms the watchdog after that. Nobody is
   * asked any more. `stopped` is called when nothing is left; as long as something does not end,
   * the watchdog may fire.
   */
  stop(stopped: () => void): void {
    this.#cancelAsk()
    this.#waiting.push(stopped)
    this.#isStopped = false
    this.#lose()
    try {
      // What the next process starts is of another term.
      this.#parts.save(this.#holder)
    } catch (error) {
      this.#parts.trouble('the end of the permission cannot be kept', error)
    }
  }

  /** Ends its timers. The permission in the kernel runs out by itself. */
  close(): void {
    this.#endRound()
    this.#cancelEnd()
    this.#cancelAsk()
    this.#cancelLook()
    if (this.#guarded?.length === 0) this.#disarm()
  }

  /** Asks for another grant, unless something has not stopped yet. */
  #ask(): void {
    const { times, nowMs, after, rounds, gates, serial: newSerial, host, trouble } = this.#parts
    this.#cancelAsk = after(times.askMs, () => this.#ask())
    this.#endRound()
    const membership = this.#membership
    if (!this.mayRun() && !this.#isStopped) return
    if (membership === null || !membership.members.includes(host)) return
    const askedAtMs = nowMs()
    const serial = newSerial()
    try {
      gates.arm(serial, Math.floor(times.permissionMs))
    } catch (error) {
      trouble('the permission to speak cannot be armed; nobody is asked', error)
      return
    }
    this.#endRound = rounds.begin({
      ...{ question: 'grant', about: host, membership, askedAtMs },
      told: (round) => this.#told(round, serial),
    })
  }

  #told(round: Round, serial: number): void {
    const { nowMs, times, gates, save, changed, trouble, randomBytes } = this.#parts
    const before = this.#holder
    const held = granted(before, round, nowMs(), times)
    if (held === before) return
    const newId = () => Buffer.from(randomBytes(ID_BYTES)).toString('hex')
    const next = { ...held, id: held.term === before.term ? before.id : newId() }
    try {
      save(next)
      gates.promote(serial)
      if (!this.#feed(round)) return
    } catch (error) {
      trouble('a grant could not be used', error)
      changed()
      return
    }
    this.#holder = next
    this.#isStopped = false
    this.#cancelLook()
    this.#endLater()
    this.#release()
    changed()
  }

  /** Returns false if that was too late: then everything is stopped. */
  #feed(round: Round): boolean {
    const { watchdog, times, nowMs } = this.#parts
    if (watchdog === null || this.#guarded?.length === 0) return true
    this.#isUnfed = true
    watchdog.feed()
    this.#isUnfed = false
    this.#isArmed = true
    if (nowMs() <= round.askedAtMs + times.replyMs) return true
    this.#parts.trouble('the watchdog was fed too late; everything is stopped', null)
    this.#lose()
    return false
  }

  #endLater(): void {
    const { after, nowMs, times } = this.#parts
    this.#cancelEnd()
    const leftMs = permittedUntilMs(this.#holder, times) - nowMs()
    this.#cancelEnd = after(Math.max(0, leftMs), () => {
      // A timer may be early by less than it can be set to.
      if (this.mayRun()) this.#endLater()
      else this.#lose()
    })
  }

  /** There is no permission any more. */
  #lose(): void {
    this.#endRound()
    this.#cancelEnd()
    // The term stays: the next permission begins another one.
    this.#holder = { ...this.#holder, grantedAtMs: null }
    this.#parts.changed()
    this.#stop()
  }

  /** Kills until nothing is left, and goes on looking for what somebody starts too late. */
  #stop(): void {
    const { stopper, trouble } = this.#parts
    this.#cancelLook()
    let left = 1
    try {
      if (this.#guarded !== null) left = stopper.kill(this.#guarded)
    } catch (error) {
      trouble('what must stop cannot be found', error)
    }
    if (left === 0 && !this.#isStopped) {
      this.#isStopped = true
      this.#disarm()
      this.#release()
    }
    if (left > 0) this.#isStopped = false
    if (this.#guarded?.length !== 0) this.#lookLater(left > 0 ? REAP_MS : WATCH_MS)
  }

  #lookLater(ms: number): void {
    this.#cancelLook = this.#parts.after(ms, () => this.#stop())
  }

  #disarm(): void {
    try {
      if (this.#isArmed) this.#parts.watchdog?.disarm()
      this.#isArmed = false
    } catch (error) {
      this.#parts.trouble('the watchdog cannot be disarmed', error)
    }
  }

  #release(): void {
    for (const taken of this.#waiting.splice(0)) taken()
  }
}
