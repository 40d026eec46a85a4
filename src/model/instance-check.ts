/**
 * What a host finds out about its own running instances by asking them. Pure.
 *
 * EC2 calls it the instance status check: "checks the network reachability of the instance by
 * sending an address resolution protocol (ARP) request to the network interface". It says nothing
 * about what the instance is for.
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-system-instance-status-check.html
 */
import type { InstanceId } from './ids.ts'

/**
 * - `passed`: it answers.
 * - `failed`: it has not answered for a while.
 * - `unknown`: its host could not ask it for a while.
 */
export const CHECK_RESULTS = ['passed', 'failed', 'unknown'] as const
/** One of them. */
export type CheckResult = (typeof CHECK_RESULTS)[number]

/** The last result that is known of an instance. */
export interface InstanceCheck {
  /** The boot that was asked. Of another boot nothing is known. */
  readonly bootCount: number
  readonly result: CheckResult
  /** When it became that: ISO 8601, UTC, by the host's clock. */
  readonly since: string
  /** Whether it has answered in this boot. Absent: not that anybody knows. */
  readonly answered?: true
  /** Its host reboots it, but not before this time. Absent: it does not. */
  readonly rebootAt?: string
}

/** What a host reports of an instance that it has asked. */
export type CheckFact = CheckedFact | HungFact

/** What the last questions came to. */
export interface CheckedFact {
  readonly kind: 'checked'
  readonly instance: InstanceId
  readonly bootCount: number
  readonly result: CheckResult
}

/** It has failed, and its host may have to reboot it (`model/hang.ts`). */
export interface HungFact {
  readonly kind: 'hung'
  readonly instance: InstanceId
  readonly bootCount: number
  /** How long that is known, as far as it was asked, by a clock that nobody sets. */
  readonly forMs: number
  /** How long that must be before the first reboot. */
  readonly afterMs: number
}
