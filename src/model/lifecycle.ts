/**
 * The life cycle of an instance: which requests are allowed, and what a fact changes. Pure.
 *
 *                    running fact                 stop asked            stopped fact
 *      launch -> pending ------> running ------------------> stopping ---------> stopped
 *                  ^  |            |  ^ reboot: bootCount + 1   |                   |
 *     start asked  |  |            |  '------'                  | terminate         | terminate
 *      (stopped) --'  '------------+----------------------------+-------------------'
 *                       terminate  v              gone fact
 *                             shutting-down ----------------------> terminated (listed for an hour, then purged)
 *
 * A request changes `wanted` (and `bootCount`); a fact changes `state`. Facts may be late, lost or
 * repeated: each is compared with the record, and one that no longer fits it changes nothing.
 */
import { assertNever, refused } from './errors.ts'
import { applyHang } from './hang.ts'
import type { CheckedFact } from './instance-check.ts'
import type { Instance, StateReason, Volume } from './records.ts'
import type { Fact } from './want.ts'

/** The fields of a record that a request or a fact may change. */
export type InstanceChange = Partial<
  Pick<
    Instance,
    | 'state'
    | 'wanted'
    | 'claimed'
    | 'bootCount'
    | 'bootSeen'
    | 'transitionReason'
    | 'stateReason'
    | 'launchedAt'
    | 'terminatedAt'
    | 'metadata'
    | 'options'
    | 'userData'
    | 'type'
    | 'check'
    | 'rebooted'
  >
>

/** A fact about an instance. */
export type InstanceFact = Extract<Fact, { readonly instance: unknown }>

/**
 * Boots that an instance can have: far more than anybody asks for, and few enough for the column of
 * the records. What says more of a boot is damaged.
 */
export const MOST_BOOTS = 1_000_000_000

/** How long a terminated instance stays listed, as on EC2, so that waiters see the state. */
export const TOMBSTONE_MS = 60 * 60 * 1000

const USER_SHUTDOWN: StateReason = {
  code: 'Client.UserInitiatedShutdown',
  message: 'Client.UserInitiatedShutdown: User initiated shutdown',
}

/** The code for an instance that powered itself off. */
export const SELF_SHUTDOWN = 'Client.InstanceInitiatedShutdown'

/** EC2's `reason` text for what a user requested at `now`. */
function userInitiated(now: string): string {
  return `User initiated (${now.slice(0, 10)} ${now.slice(11, 19)} GMT)`
}

/** EC2's wording, which tools look for. */
function incorrectState({ id }: Instance, verb: string, which = 'The instance'): Error {
  return refused(
    'IncorrectInstanceState',
    `${which} '${id}' is not in a state from which it can be ${verb}.`,
  )
}

function isProtected({ id }: Instance, verb: string, attribute: string): Error {
  return refused(
    'OperationNotPermitted',
    `The instance '${id}' may not be ${verb}. Modify its '${attribute}' instance attribute and try again.`,
  )
}

/**
 * StopInstances. Null when the instance is stopped or stopping. Refused when it is protected, being
 * terminated, or has never run: then there is nothing to keep.
 */
export function requestStop(instance: Instance, now: string): InstanceChange | null {
  switch (instance.state) {
    case 'pending':
    case 'running':
      if (instance.options?.disableApiStop === true)
        throw isProtected(instance, 'stopped', 'disableApiStop')
      if (instance.state === 'pending' && instance.bootSeen === 0)
        throw refused(
          'IncorrectInstanceState',
          `Instance '${instance.id}' cannot be stopped as it has never reached the 'running' state.`,
        )
      return {
        state: 'stopping',
        wanted: 'stop',
        transitionReason: userInitiated(now),
        stateReason: USER_SHUTDOWN,
      }
    case 'stopping':
    case 'stopped':
      return null
    case 'shutting-down':
    case 'terminated':
      throw incorrectState(instance, 'stopped', 'This instance')
    default:
      return assertNever(instance.state)
  }
}

/** StartInstances. Null when the instance runs or is starting. Refused unless it is stopped. */
export function requestStart(instance: Instance, now: string): InstanceChange | null {
  switch (instance.state) {
    case 'pending':
    case 'running':
      return null
    case 'stopped':
      return {
        state: 'pending',
        wanted: 'run',
        bootCount: instance.bootCount + 1,
        transitionReason: '',
        stateReason: null,
        launchedAt: now,
      }
    case 'stopping':
    case 'shutting-down':
    case 'terminated':
      throw incorrectState(instance, 'started')
    default:
      return assertNever(instance.state)
  }
}

/** RebootInstances. Refused unless the instance is running or pending. */
export function requestReboot(instance: Instance): InstanceChange {
  if (instance.state !== 'running' && instance.state !== 'pending')
    throw incorrectState(instance, 'rebooted')
  return { bootCount: instance.bootCount + 1 }
}

/**
 * TerminateInstances. Null when the instance is terminated or shutting down. Refused when it is
 * protected.
 */
export function requestTerminate(instance: Instance, now: string): InstanceChange | null {
  if (instance.state === 'shutting-down' || instance.state === 'terminated') return null
  for (const attribute of ['disableApiTermination', 'disableApiStop'] as const)
    if (instance.options?.[attribute] === true) throw isProtected(instance, 'terminated', attribute)
  return {
    state: 'shutting-down',
    wanted: 'terminate',
    transitionReason: userInitiated(now),
    stateReason: USER_SHUTDOWN,
  }
}

/** How a fact changes the record as it is now. Null when it changes nothing. */
export function applyFact(
  instance: Instance,
  fact: InstanceFact,
  now: string,
): InstanceChange | null {
  if (instance.state === 'terminated') return null
  switch (fact.kind) {
    case 'ready':
      return instance.wanted === 'run' && !instance.claimed ? { claimed: true } : null
    case 'running':
      if (instance.wanted !== 'run' || fact.bootCount < instance.bootCount) return null
      if (instance.state === 'running' && instance.bootSeen === fact.bootCount) return null
      return { state: 'running', bootSeen: fact.bootCount, ...laterBoot(instance, fact) }
    case 'checked':
      return applyCheck(instance, fact, now)
    case 'hung':
      return applyHang(instance, fact, now)
    case 'stopped':
      if (instance.wanted === 'terminate' || fact.bootCount < instance.bootCount) return null
      if (instance.wanted === 'stop')
        return instance.state === 'stopped' && fact.bootCount === instance.bootCount
          ? null
          : { state: 'stopped', ...laterBoot(instance, fact) }
      return {
        ...laterBoot(instance, fact),
        ...(endsWithShutdown(instance, fact)
          ? { state: 'shutting-down', wanted: 'terminate' }
          : { state: 'stopped', wanted: 'stop' }),
        stateReason: { code: fact.code, message: `${fact.code}: ${fact.message}` },
      }
    case 'failed':
      if (instance.wanted === 'terminate') return null
      return {
        state: 'shutting-down',
        wanted: 'terminate',
        stateReason: { code: fact.code, message: `${fact.code}: ${fact.message}` },
      }
    case 'gone':
      return instance.wanted === 'terminate' ? { state: 'terminated', terminatedAt: now } : null
    default:
      return assertNever(fact)
  }
}

/**
 * The boot that a host has and the records do not know: they lost commits, or were restored. The
 * next one must be another one, or the host would take it for done.
 */
function laterBoot(
  { bootCount }: Instance,
  fact: { readonly bootCount: number },
): Partial<Pick<Instance, 'bootCount'>> {
  return fact.bootCount > bootCount ? { bootCount: fact.bootCount } : {}
}

/** A result counts for the boot that runs. Only another one than before is news. */
function applyCheck(
  { state, bootCount, bootSeen, check }: Instance,
  { bootCount: asked, result }: CheckedFact,
  now: string,
): InstanceChange | null {
  if (state !== 'running' || asked !== bootCount || asked !== bootSeen) return null
  if (check?.bootCount === asked) {
    if (check.result === result) return null
    // What has failed stays so until it answers.
    if (check.result === 'failed' && result === 'unknown') return null
  }
  const hasAnswered = result === 'passed' || (check?.bootCount === asked && check.answered === true)
  const answered = hasAnswered ? { answered: true as const } : {}
  return { check: { bootCount: asked, result, since: now, ...answered } }
}

/**
 * Whether the instance is to be terminated when it powers itself off, and did so. If it ended in
 * another way, its owner decides.
 */
function endsWithShutdown({ options }: Instance, { code }: { readonly code: string }): boolean {
  return options?.shutdownBehavior === 'terminate' && code === SELF_SHUTDOWN
}

/**
 * Whether a disk is kept when its instance is terminated. The disk of an instance that never ran is
 * not worth keeping. The answer no longer changes once the instance is to be terminated, so host
 * and records agree.
 */
export function outlives(
  volume: Pick<Volume, 'deleteOnTermination'>,
  instance: Pick<Instance, 'bootSeen'>,
): boolean {
  return !volume.deleteOnTermination && instance.bootSeen > 0
}

/** Whether a terminated instance has been listed long enough. */
export function isPurgeable(instance: Instance, nowMs: number): boolean {
  return instance.terminatedAt !== null && nowMs - Date.parse(instance.terminatedAt) >= TOMBSTONE_MS
}
