/**
 * What a lever (`model/lever.ts`) does to its instance at a time. Pure.
 *
 * A stop or a termination is announced first, in the record. It happens at the time that the tag
 * says if it was announced when it should have been, `noticeMs` before or when the tag was set.
 * Otherwise, because the host or the database was away, it happens `noticeMs` after it was
 * announced. So nothing ends without notice, and what was announced is carried out once.
 */
import {
  eventOf,
  isLeverTag,
  type Lever,
  type LeverEvent,
  type LeverTag,
  type Strike,
  TTL_TAG,
} from '../model/lever.ts'
import {
  type InstanceChange,
  requestStart,
  requestStop,
  requestTerminate,
} from '../model/lifecycle.ts'
import type { Instance, Tag } from '../model/records.ts'
import type { Edge, Edges } from '../model/schedule.ts'
import { endOfTtl, type Ttl } from '../model/ttl.ts'
import type { InstanceWant } from '../model/want.ts'

/** The value of a lever's tag, as of a time. */
export type LeverValue =
  | { readonly tag: typeof TTL_TAG; readonly ttl: Ttl }
  | { readonly tag: Exclude<LeverTag, typeof TTL_TAG>; readonly edges: Edges }

/** What an action needs to know. */
interface LeverState {
  readonly instance: Instance
  readonly value: LeverValue
  /** Undefined: there is none, so it counts from now on. */
  readonly lever: Lever | undefined
  readonly nowMs: number
  /** How long before a stop or a termination it is announced. */
  readonly noticeMs: number
}

/**
 * - `wait`: nothing is to be done before this time, or at all (null), unless something changes.
 * - `record`: the record is to be replaced.
 * - `act`: the instance is to be changed, and the record replaced with it.
 */
export type LeverStep =
  | { readonly kind: 'wait'; readonly untilMs: number | null }
  | { readonly kind: 'record'; readonly lever: Lever }
  | { readonly kind: 'act'; readonly act: 'start' | Strike['kind']; readonly lever: Lever }

/** An announcement that is later than this needs a notice of its own. */
const GRACE_MS = 60_000
/** A record of a time that lies further ahead was made when the clock was wrong. */
const AHEAD_MS = 60 * 60_000

const NEVER: LeverStep = { kind: 'wait', untilMs: null }

/** What is to be done. */
export function nextStep(state: LeverState): LeverStep {
  const { instance, value, lever, nowMs } = state
  if (instance.state === 'shutting-down' || instance.state === 'terminated') return NEVER
  if (lever === undefined || lever.fromMs > nowMs + AHEAD_MS)
    return {
      kind: 'record',
      lever: { instance: instance.id, tag: value.tag, fromMs: nowMs, strike: null },
    }
  return value.tag === TTL_TAG
    ? stepOfTtl({ ...state, lever }, value.ttl)
    : stepOfSchedule({ ...state, lever }, value.edges)
}

type Known = LeverState & { readonly lever: Lever }

function stepOfTtl(state: Known, ttl: Ttl): LeverStep {
  const { instance, lever, noticeMs, nowMs } = state
  const dueMs = endOfTtl(ttl, lever.fromMs)
  if (nowMs < dueMs - noticeMs) return { kind: 'wait', untilMs: dueMs - noticeMs }
  return strikeStep(state, { kind: 'terminate', dueMs }, isKept(instance, 'terminate'), lever)
}

function stepOfSchedule(state: Known, { last, next }: Edges): LeverStep {
  const { instance, lever, nowMs, noticeMs } = state
  if (last !== null && last.atMs > lever.fromMs) return stepAtEdge(state, last)
  const isDone = next !== null && next.atMs <= lever.fromMs
  if (next?.kind !== 'stop' || isDone || instance.wanted !== 'run')
    return withoutStrike(lever, next?.atMs ?? null)
  const noticeAtMs = next.atMs - noticeMs
  if (nowMs < noticeAtMs) return withoutStrike(lever, noticeAtMs)
  const isProtected = isKept(instance, 'stop')
  const step = strikeStep(state, { kind: 'stop', dueMs: next.atMs }, isProtected, lever)
  return step.kind === 'wait' ? { kind: 'wait', untilMs: next.atMs } : step
}

/** The last edge has not been carried out. */
function stepAtEdge(state: Known, { kind, atMs }: Edge): LeverStep {
  const { instance, lever } = state
  const done: Lever = { ...lever, fromMs: atMs, strike: null }
  if (kind === 'start') {
    if (instance.wanted === 'run') return { kind: 'record', lever: done }
    // A stopping instance is started when it has stopped.
    return instance.state === 'stopped' ? { kind: 'act', act: 'start', lever: done } : NEVER
  }
  // Who started it since then wants it to run.
  const isRestarted = Date.parse(instance.launchedAt) > atMs
  if (instance.wanted !== 'run' || isRestarted || isKept(instance, 'stop'))
    return { kind: 'record', lever: done }
  // There is nothing to keep before its first boot.
  if (instance.bootSeen === 0) return NEVER
  return strikeStep(state, { kind: 'stop', dueMs: atMs }, false, done)
}

/** Announces it, and carries it out when the notice is over. `done` is the record after that. */
function strikeStep(
  { lever, nowMs, noticeMs }: Known,
  { kind, dueMs }: Pick<Strike, 'kind' | 'dueMs'>,
  isProtected: boolean,
  done: Lever,
): LeverStep {
  const known = lever.strike?.dueMs === dueMs ? lever.strike : null
  if (isProtected) {
    if (known !== null && known.notBeforeMs === null) return NEVER
    return { kind: 'record', lever: { ...lever, strike: { kind, dueMs, notBeforeMs: null } } }
  }
  if (known === null || known.notBeforeMs === null) {
    // Protection that has just been taken off is like a tag that comes too late.
    const isInTime = known === null && nowMs <= Math.max(lever.fromMs, dueMs - noticeMs) + GRACE_MS
    const notBeforeMs = isInTime ? dueMs : Math.max(dueMs, nowMs + noticeMs)
    return { kind: 'record', lever: { ...lever, strike: { kind, dueMs, notBeforeMs } } }
  }
  if (nowMs < known.notBeforeMs) return { kind: 'wait', untilMs: known.notBeforeMs }
  return { kind: 'act', act: kind, lever: done }
}

/** Takes back what was announced: it is not going to happen. */
function withoutStrike(lever: Lever, untilMs: number | null): LeverStep {
  if (lever.strike === null) return { kind: 'wait', untilMs }
  return { kind: 'record', lever: { ...lever, strike: null } }
}

/** Whether the instance's protection keeps it from this. */
function isKept({ options }: Pick<Instance, 'options'>, from: Strike['kind']): boolean {
  if (options?.disableApiStop === true) return true
  return from === 'terminate' && options?.disableApiTermination === true
}

/** How an action changes the instance. Null: not at all. */
export function changeOf(
  act: 'start' | Strike['kind'],
  instance: Instance,
  now: string,
): InstanceChange | null {
  if (act === 'start') return requestStart(instance, now)
  const change = (act === 'stop' ? requestStop : requestTerminate)(instance, now)
  if (change === null) return null
  const [code, reason] =
    act === 'stop'
      ? ['Server.ScheduledStop', 'stopped by its schedule (tag atoll:schedule)']
      : ['Server.TimeToLiveEnded', 'terminated because its time to live ended (tag atoll:ttl)']
  return {
    ...change,
    transitionReason: `Service initiated (${now.slice(0, 10)} ${now.slice(11, 19)} GMT)`,
    stateReason: { code, message: `${code}: ${reason}` },
  }
}

/** What is announced for an instance, with the lever that does it. */
interface Announced {
  readonly lever: Lever
  readonly event: LeverEvent
}

/** Null: nothing is announced, or it does not concern the instance any more. */
function announcedEvent(instance: Instance, lever: Lever): LeverEvent | null {
  const { strike } = lever
  if (strike === null || instance.wanted === 'terminate') return null
  if (strike.kind === 'stop' && instance.wanted !== 'run') return null
  return eventOf(lever, isKept(instance, strike.kind) ? { ...strike, notBeforeMs: null } : strike)
}

/** What is announced for an instance with these tags and levers. */
export function announcedFor(
  instance: Instance,
  tags: readonly Tag[],
  levers: readonly Lever[],
): readonly Announced[] {
  return levers
    .filter(({ tag }) => tags.some(({ key }) => key === tag))
    .flatMap((lever) => {
      const event = announcedEvent(instance, lever)
      return event === null ? [] : [{ lever, event }]
    })
}

/** The same as a part of the instance's want; absent: nothing. */
export function eventsWant(
  instance: Instance,
  tags: readonly Tag[] = [],
  levers: readonly Lever[] = [],
): Pick<InstanceWant, 'events'> {
  const events = announcedFor(instance, tags, levers).map(({ event }) => event)
  return events.length === 0 ? {} : { events }
}

/** The levers among tags of instances. */
export function leverTags(tags: readonly Tag[]): readonly (Tag & { readonly key: LeverTag })[] {
  return tags.filter((tag): tag is Tag & { readonly key: LeverTag } => isLeverTag(tag.key))
}
