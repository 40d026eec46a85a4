/**
 * Carries out the levers (`model/lever.ts`) of this host's instances: their time to live and their
 * schedules.
 *
 * Only the host that has an instance acts, and `plan/levers.ts` decides. Each step is decided once
 * more in the transaction that carries it out, by what the records say then. So a tag that changed
 * meanwhile counts, and whatever is interrupted is done once. At most `ACTIONS_PER_PASS` are done
 * in one pass: many that end in the same second end one batch after another.
 */
import { type BoundedMap, createBoundedMap } from '../lib/bounded-map.ts'
import { type Clock, isoTime, nextTurn } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Counter, Gauge, Metrics } from '../lib/metrics.ts'
import { createTimeSlice } from '../lib/turns.ts'
import type { HostName, InstanceId } from '../model/ids.ts'
import { type Lever, type LeverTag, problemOfLever, TTL_TAG } from '../model/lever.ts'
import type { Instance, Tag } from '../model/records.ts'
import { type Edges, edgesAround, parseSchedule } from '../model/schedule.ts'
import { parseTtl } from '../model/ttl.ts'
import { changeOf, type LeverStep, type LeverValue, leverTags, nextStep } from '../plan/levers.ts'
import type { Snapshot } from '../plan/want.ts'
import type { Store, Tx } from '../store/store.ts'
import type { Duty } from './duty.ts'

/** What it works with. */
interface LeverParts {
  readonly store: Store
  readonly host: HostName
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  /** How long before a stop or a termination it is announced. */
  readonly noticeMs: number
  /** Asks for a pass. */
  readonly wake: () => void
}

/** Instances that are stopped, started or terminated in one pass... */
const ACTIONS_PER_PASS = 25
/** ...and others for which something is announced or noted. */
const RECORDS_PER_PASS = 200
/** Schedules whose edges are calculated in one pass, up to 4 ms each. The rest waits. */
const CALCULATIONS_PER_PASS = 25
/** Different schedules whose edges are remembered, and different bad values. */
const REMEMBERED_MAX = 4096
/** The timer is set anew at the latest after this time. */
const LONGEST_WAIT_MS = 60 * 60_000

/** The duty of a host. */
export function createLevers(parts: LeverParts): Duty {
  return new Levers(parts)
}

/** A tag with its instance and its record. */
interface Pulled {
  readonly instance: Instance
  readonly tag: Tag & { readonly key: LeverTag }
  readonly lever: Lever | undefined
}

class Levers implements Duty {
  readonly name = 'levers'
  readonly #parts: LeverParts
  readonly #actions: Counter<'action'>
  readonly #ignored: Gauge
  /** By the text of a schedule, until its next edge; null: it cannot be read. */
  readonly #edges: BoundedMap<string, (Edges & { readonly fromMs: number }) | null>
  readonly #reported: BoundedMap<string, true>
  /** The earliest monotonic time of each announced strike, by instance, tag and announced time. */
  #strikes = new Map<string, number>()
  #calculations = 0
  #stopTimer: () => void = () => undefined

  constructor(parts: LeverParts) {
    this.#parts = parts
    this.#edges = createBoundedMap(REMEMBERED_MAX)
    this.#reported = createBoundedMap(REMEMBERED_MAX)
    this.#actions = parts.metrics.counter(
      'atoll_lever_actions_total',
      'Instances started, stopped or terminated by their tags atoll:ttl and atoll:schedule',
      ['action'],
    )
    this.#ignored = parts.metrics.gauge(
      'atoll_lever_tags_ignored',
      'Tags atoll:ttl and atoll:schedule of instances on this host whose values cannot be read',
    )
  }

  async run({ instances, tags, levers = [] }: Snapshot, signal: AbortSignal): Promise<boolean> {
    const { clock, host } = this.#parts
    this.#stopTimer()
    this.#calculations = 0
    const pulled = pulledBy(
      leverTags(tags),
      instances.filter((one) => one.host === host),
      levers,
    )
    this.#watchStrikes(pulled)
    const acting = new Set<InstanceId>()
    const noting = new Set<InstanceId>()
    let untilMs = clock.now() + LONGEST_WAIT_MS
    let ignored = 0
    let isComplete = true
    for (const one of pulled) {
      const value = this.#valueOf(one.tag)
      if (value === null) ignored += 1
      else if (value === 'later') isComplete = false
      else {
        const step = this.#step(one, value)
        if (step.kind === 'act') acting.add(one.instance.id)
        else if (step.kind === 'record') noting.add(one.instance.id)
        else if (step.untilMs !== null) untilMs = Math.min(untilMs, step.untilMs)
      }
    }
    this.#ignored.set(ignored)
    const batch = [
      ...[...acting].slice(0, ACTIONS_PER_PASS),
      ...[...noting].slice(0, RECORDS_PER_PASS),
    ]
    const isIdle = batch.length === 0 || signal.aborted
    const hasChanged = !isIdle && (await this.#carryOut(batch))
    if (hasChanged || !isComplete) return true
    this.#stopTimer = clock.after(Math.max(untilMs - clock.now(), 0), this.#parts.wake)
    return false
  }

  async close(): Promise<void> {
    this.#stopTimer()
  }

  /**
   * Notes when each announced strike may happen by a clock that never jumps. So the notice is not
   * shorter because somebody sets the clock.
   */
  #watchStrikes(pulled: readonly Pulled[]): void {
    const { clock } = this.#parts
    const watched = new Map<string, number>()
    for (const { lever } of pulled) {
      const notBeforeMs = lever?.strike?.notBeforeMs ?? null
      if (lever === undefined || notBeforeMs === null) continue
      const key = strikeKey(lever)
      const first = clock.monotonic() + Math.max(notBeforeMs - clock.now(), 0)
      watched.set(key, this.#strikes.get(key) ?? first)
    }
    this.#strikes = watched
  }

  #step({ instance, lever }: Pulled, value: LeverValue): LeverStep {
    const { clock, noticeMs } = this.#parts
    const step = nextStep({ instance, value, lever, nowMs: clock.now(), noticeMs })
    if (step.kind !== 'act' || step.act === 'start' || lever === undefined) return step
    const leftMs = (this.#strikes.get(strikeKey(lever)) ?? 0) - clock.monotonic()
    return leftMs > 0 ? { kind: 'wait', untilMs: clock.now() + leftMs } : step
  }

  /** Null: the value is bad. `later`: it has to be calculated, and this pass has done enough. */
  #valueOf({ resource, key, value }: Pulled['tag']): LeverValue | 'later' | null {
    if (key === TTL_TAG) {
      const ttl = parseTtl(value)
      if (typeof ttl !== 'string') return { tag: key, ttl }
      this.#report(resource, key, value)
      return null
    }
    const edges = this.#edgesOf(value)
    if (edges === null) this.#report(resource, key, value)
    return edges === null || edges === 'later' ? edges : { tag: key, edges }
  }

  #edgesOf(text: string): Edges | 'later' | null {
    const nowMs = this.#parts.clock.now()
    const known = this.#edges.get(text)
    if (known === null) return null
    if (known !== undefined && nowMs >= known.fromMs && nowMs < (known.next?.atMs ?? nowMs + 1))
      return known
    if (this.#calculations >= CALCULATIONS_PER_PASS) return 'later'
    this.#calculations += 1
    const schedule = parseSchedule(text)
    if (typeof schedule === 'string') {
      this.#edges.set(text, null)
      return null
    }
    const edges = edgesAround(schedule, nowMs)
    this.#edges.set(text, { ...edges, fromMs: edges.last?.atMs ?? nowMs })
    return edges
  }

  #report(instance: string, tag: LeverTag, value: string): void {
    const key = `${instance} ${tag} ${value}`
    if (this.#reported.get(key) === true) return
    this.#reported.set(key, true)
    this.#parts.log.warn(
      { instance, tag, problem: problemOfLever(tag, value) },
      'the tag of an instance cannot be read and does nothing',
    )
  }

  /** Returns whether it has changed the records. */
  async #carryOut(ids: readonly InstanceId[]): Promise<boolean> {
    const { store, log } = this.#parts
    const done = await store.change((tx) => this.#carryOutIn(tx, ids))
    for (const { lever, act } of done) {
      if (act === null) log.info({ ...lever }, 'an end by a tag is announced or taken back')
      else {
        this.#actions.inc({ action: act })
        log.info({ instance: lever.instance, tag: lever.tag, act }, 'carried out a tag')
      }
    }
    return done.length > 0
  }

  /** Decides by the records as they are now. May run more than once. */
  async #carryOutIn(tx: Tx, ids: readonly InstanceId[]) {
    const { host, clock } = this.#parts
    const instances = await tx.instances({ ids, hosts: [host] })
    const tags = leverTags(await tx.tags({ resources: instances.map(({ id }) => id) }))
    const known = new Map((await tx.levers(ids)).map((lever) => [keyOf(lever), lever]))
    const done: { readonly lever: Lever; readonly act: Action | null }[] = []
    const slice = createTimeSlice(clock)
    for (const before of instances) {
      if (slice.isOver()) {
        await nextTurn()
        slice.begin()
      }
      let instance = before
      for (const tag of tags.filter(({ resource }) => resource === instance.id)) {
        const value = this.#valueOf(tag)
        const lever = known.get(keyOf({ instance: instance.id, tag: tag.key }))
        if (value === null || value === 'later') continue
        const step = this.#step({ instance, tag, lever }, value)
        if (step.kind === 'wait') continue
        const change =
          step.kind === 'act' ? changeOf(step.act, instance, isoTime(clock.now())) : null
        if (change !== null) await tx.updateInstance(instance.id, change)
        await tx.putLever(step.lever)
        instance = { ...instance, ...change }
        done.push({ lever: step.lever, act: step.kind === 'act' ? step.act : null })
      }
    }
    return done
  }
}

function pulledBy(
  tags: readonly Pulled['tag'][],
  instances: readonly Instance[],
  levers: readonly Lever[],
): readonly Pulled[] {
  if (tags.length === 0) return []
  const byId = new Map<string, Instance>(instances.map((one) => [one.id, one]))
  const known = new Map(levers.map((lever) => [keyOf(lever), lever]))
  return tags.flatMap((tag): Pulled[] => {
    const instance = byId.get(tag.resource)
    if (instance === undefined) return []
    return [{ instance, tag, lever: known.get(keyOf({ instance: instance.id, tag: tag.key })) }]
  })
}

type Action = Extract<LeverStep, { readonly kind: 'act' }>['act']

function keyOf({ instance, tag }: Pick<Lever, 'instance' | 'tag'>): string {
  return `${instance} ${tag}`
}

function strikeKey(lever: Lever): string {
  return `${keyOf(lever)} ${lever.strike?.dueMs} ${lever.strike?.notBeforeMs}`
}
