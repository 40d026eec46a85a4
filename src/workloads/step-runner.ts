/**
 * Steps in the background: at most one per instance, a limited number in all, pauses after those
 * that fail.
 *
 * It remembers only what holds steps back; a fresh one is always right, if more eager.
 */
import type { Clock } from '../lib/clock.ts'
import { inTime } from '../lib/deadline.ts'
import type { Log } from '../lib/log.ts'
import type { Metrics } from '../lib/metrics.ts'
import { AtollError, assertNever, messageOf } from '../model/errors.ts'
import type { InstanceId } from '../model/ids.ts'
import type { WorkloadProblem, WorkloadStep } from '../plan/workloads.ts'
import { createAttempts } from './attempts.ts'
import type { WorkloadDriver } from './driver.ts'

export interface StepRunnerOptions {
  readonly driver: WorkloadDriver
  /** Asks for another pass: a step ended, or a pause is over. */
  readonly wake: () => void
  readonly clock: Clock
  readonly log: Log
  readonly meters: WorkloadMeters
}

/** Steps in progress at one time, stops aside: those only wait. */
const CONCURRENT_STEPS = 8
/**
 * A step that takes longer hangs, a stop aside: what it waits for is named, and its place is free
 * for others...
 */
const LATE_MS = 30_000
/** ...as long as no more than this hang. */
const LATE_STEPS = 64
/**
 * What fails this often for one boot is not tried again if it never ran; the pauses between add up
 * to seven seconds.
 */
const LAUNCH_ATTEMPTS = 4
/** How long `close` waits for steps in progress; the next daemon finds whatever they leave. */
const CLOSE_DEADLINE_MS = 5_000

interface InProgress {
  readonly step: WorkloadStep
  readonly sinceMs: number
  readonly abort: AbortController
  readonly done: Promise<void>
}

/** Carries out the steps of the plan and tells, by `wake`, when to plan again. */
export class StepRunner {
  readonly #options: StepRunnerOptions
  readonly #meters: WorkloadMeters
  readonly #driver: string
  readonly #attempts = createAttempts()
  readonly #running = new Map<InstanceId, InProgress>()
  readonly #problems = new Map<InstanceId, WorkloadProblem & { readonly bootCount: number }>()
  readonly #closing = new AbortController()
  #alarmMs = Number.POSITIVE_INFINITY

  constructor(options: StepRunnerOptions) {
    this.#options = options
    this.#meters = options.meters
    this.#driver = options.driver.name
  }

  /** Instances with a step in progress. */
  busy(): ReadonlySet<InstanceId> {
    return new Set(this.#running.keys())
  }

  /** Why steps for this boot of the instance should not be tried any longer, if so. */
  problem(instance: InstanceId, bootCount: number | undefined): WorkloadProblem | undefined {
    const problem = this.#problems.get(instance)
    return problem?.bootCount === bootCount ? problem : undefined
  }

  /**
   * Starts the step if it may be tried now and there is room; otherwise the plan will come to it
   * again.
   */
  offer(step: WorkloadStep, bootCount: number): void {
    const { clock } = this.#options
    const waitMs = this.#attempts.waitMs(instanceOf(step), step.kind, bootCount, clock.monotonic())
    if (waitMs > 0) {
      this.#wakeAfter(waitMs)
      return
    }
    // The end of any step wakes the agent, which plans this one again.
    if (step.kind === 'stop' || this.room() > 0) this.#begin(step, bootCount)
  }

  /** How many more steps could begin now, stops aside. */
  room(): number {
    const steps = [...this.#running.values()].filter(({ step }) => step.kind !== 'stop')
    const late = steps.filter((one) => this.#isLate(one)).length
    return CONCURRENT_STEPS - (steps.length - Math.min(late, LATE_STEPS))
  }

  /** The steps that hang, a sentence each. */
  hanging(): readonly string[] {
    const late = [...this.#running.values()].filter((one) => this.#isLate(one))
    const nowMs = this.#options.clock.monotonic()
    return late.map(
      ({ step, sinceMs }) =>
        `${this.#driver} has not ended the ${step.kind} of ${instanceOf(step)} for ${Math.round((nowMs - sinceMs) / 1000)} s`,
    )
  }

  #isLate({ step, sinceMs }: InProgress): boolean {
    const patienceMs =
      LATE_MS + (step.kind === 'stop' ? this.#options.driver.stopSeconds * 1000 : 0)
    return this.#options.clock.monotonic() - sinceMs > patienceMs
  }

  /** Gives up a stop in progress: what follows kills, so it need not be waited for. */
  overtake(instance: InstanceId): void {
    const one = this.#running.get(instance)
    if (one?.step.kind === 'stop') one.abort.abort()
  }

  /** Forgets all instances but these. */
  keep(instances: ReadonlySet<InstanceId>): void {
    this.#attempts.keep(instances)
    for (const id of this.#problems.keys()) if (!instances.has(id)) this.#problems.delete(id)
  }

  /** Begins nothing more and waits a while for what is in progress. */
  async close(): Promise<void> {
    this.#closing.abort()
    for (const id of this.#running.keys()) this.overtake(id)
    const steps = Promise.allSettled([...this.#running.values()].map(({ done }) => done))
    await inTime(this.#options.clock, CLOSE_DEADLINE_MS, steps)
  }

  #begin(step: WorkloadStep, bootCount: number): void {
    const instance = instanceOf(step)
    const abort = new AbortController()
    const done = this.#carryOut(step, bootCount, abort.signal).finally(() => {
      this.#running.delete(instance)
      this.#meters.inProgress.set({ driver: this.#driver }, this.#running.size)
      if (!this.#closing.signal.aborted) this.#options.wake()
    })
    const sinceMs = this.#options.clock.monotonic()
    this.#running.set(instance, { step, sinceMs, abort, done })
    this.#meters.inProgress.set({ driver: this.#driver }, this.#running.size)
  }

  async #carryOut(step: WorkloadStep, bootCount: number, signal: AbortSignal): Promise<void> {
    const { driver, clock, log } = this.#options
    const { kind } = step
    const instance = instanceOf(step)
    const startMs = clock.monotonic()
    try {
      await carryOut(driver, step, signal)
      const endMs = clock.monotonic()
      if (kind === 'start' || kind === 'launch')
        this.#attempts.started(instance, kind, bootCount, endMs)
      this.#meters.seconds.observe({ driver: this.#driver, step: kind }, (endMs - startMs) / 1000)
      this.#meters.steps.inc({ driver: this.#driver, step: kind, outcome: 'done' })
      log.info({ instance, step: kind, durationMs: Math.round(endMs - startMs) }, 'workload step')
    } catch (error) {
      // Overtaken by a termination: not a failure.
      if (signal.aborted) return
      this.#meters.steps.inc({ driver: this.#driver, step: kind, outcome: 'failed' })
      log.warn({ instance, step: kind, error }, 'workload step failed')
      const failures = this.#attempts.failed(instance, kind, bootCount, clock.monotonic())
      const permanent = error instanceof AtollError && error.kind === 'refused'
      if (permanent || failures >= LAUNCH_ATTEMPTS)
        this.#problems.set(instance, { bootCount, message: messageOf(error), permanent })
    }
  }

  /** One timer, for the nearest of all pauses: the pass that it causes sets the next. */
  #wakeAfter(waitMs: number): void {
    const { clock, wake } = this.#options
    const atMs = clock.monotonic() + waitMs
    if (atMs >= this.#alarmMs) return
    this.#alarmMs = atMs
    clock.sleep(waitMs, this.#closing.signal).then(
      () => {
        if (this.#alarmMs === atMs) this.#alarmMs = Number.POSITIVE_INFINITY
        wake()
      },
      () => undefined,
    )
  }
}

function carryOut(driver: WorkloadDriver, step: WorkloadStep, signal: AbortSignal): Promise<void> {
  switch (step.kind) {
    case 'launch':
      return driver.launch(step.instance, step.digest, signal)
    case 'start':
      return driver.start(step.instance, signal)
    case 'plug':
      return driver.plug(step.instance, signal)
    case 'stop':
      return driver.stop(step.instance, signal)
    case 'remove':
      return driver.remove(step.instance, step.keep)
    default:
      return assertNever(step)
  }
}

function instanceOf(step: WorkloadStep): InstanceId {
  return typeof step.instance === 'string' ? step.instance : step.instance.id
}

/** The metrics of all drivers of a host. */
export type WorkloadMeters = ReturnType<typeof createWorkloadMeters>

/** Declares the metrics, once for all drivers. */
export function createWorkloadMeters(metrics: Metrics) {
  return {
    workloads: metrics.gauge('atoll_workloads', 'Workloads on this host by driver and state', [
      'driver',
      'state',
    ]),
    steps: metrics.counter('atoll_workload_steps_total', 'Steps that ended, by kind and outcome', [
      'driver',
      'step',
      'outcome',
    ]),
    seconds: metrics.histogram('atoll_workload_step_seconds', 'How long steps took', [
      'driver',
      'step',
    ]),
    inProgress: metrics.gauge('atoll_workload_steps_in_progress', 'Steps in progress', ['driver']),
  }
}
