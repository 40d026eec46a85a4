/**
 * Runs steps in the background: at most one for each instance, a limited number in all, with pauses
 * after failures.
 *
 * What it remembers only delays steps, so a new one is correct, too.
 */
import type { Clock } from '../lib/clock.ts'
import { inTime } from '../lib/deadline.ts'
import type { Log } from '../lib/log.ts'
import type { Metrics } from '../lib/metrics.ts'
import { AtollError, assertNever, messageOf } from '../model/errors.ts'
import type { InstanceId } from '../model/ids.ts'
import type { WorkloadProblem, WorkloadStep } from '../plan/workloads.ts'
import { createAttempts } from './attempts.ts'
import type { StartGate, WorkloadDriver } from './driver.ts'

export interface StepRunnerOptions {
  readonly driver: WorkloadDriver
  /** Absent: only this host may start its instances. */
  readonly gate?: StartGate
  /** Asks for another pass: a step or a pause has ended. */
  readonly wake: () => void
  readonly clock: Clock
  readonly log: Log
  readonly meters: WorkloadMeters
}

/** Maximum number of concurrent steps. Stops do not count, because they only wait. */
export const CONCURRENT_STEPS = 8
/**
 * As many more may wait for a place. A pass takes a while on a busy host, and places would stay
 * empty until the next one.
 */
const WAITING_STEPS = CONCURRENT_STEPS
/**
 * A step that takes longer hangs (except a stop). It is reported, and another step gets its place.
 */
const LATE_MS = 30_000
/** Maximum number of hanging steps whose places others get. */
const LATE_STEPS = 64
/**
 * A step that fails this often for one boot is not repeated if the instance never ran. The pauses
 * between add up to seven seconds.
 */
const LAUNCH_ATTEMPTS = 4
/** How long `close` waits for steps in progress. The next daemon finds what they leave. */
const CLOSE_DEADLINE_MS = 5_000

interface InProgress {
  readonly step: WorkloadStep
  readonly sinceMs: number
  readonly abort: AbortController
  readonly done: Promise<void>
}

/** Runs the steps of the plan. `wake` says when to plan again. */
export class StepRunner {
  readonly #options: StepRunnerOptions
  readonly #meters: WorkloadMeters
  readonly #driver: string
  readonly #attempts = createAttempts()
  readonly #running = new Map<InstanceId, InProgress>()
  readonly #waiting = new Map<InstanceId, () => void>()
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

  /** Why steps for this boot of the instance should not be repeated. Undefined if they may. */
  problem(instance: InstanceId, bootCount: number | undefined): WorkloadProblem | undefined {
    const problem = this.#problems.get(instance)
    return problem?.bootCount === bootCount ? problem : undefined
  }

  /**
   * Forgets the steps that wait for a place. To be called before the instances are read: what is
   * begun meanwhile would be unknown to the plan, which names the others again.
   */
  replan(): void {
    this.#waiting.clear()
  }

  /**
   * Starts the step if it may be tried now and a place is free. It may wait for a place until the
   * next plan, which will name it again.
   */
  offer(step: WorkloadStep, bootCount: number): void {
    const { clock } = this.#options
    const waitMs = this.#attempts.waitMs(instanceOf(step), step.kind, bootCount, clock.monotonic())
    if (waitMs > 0) {
      this.#wakeAfter(waitMs)
      return
    }
    const begin = () => this.#begin(step, bootCount)
    if (step.kind === 'stop' || this.room() > 0) begin()
    else if (this.#waiting.size < WAITING_STEPS) this.#waiting.set(instanceOf(step), begin)
  }

  /** How many more steps the next plan may name and see started soon. */
  claimable(): number {
    return this.room() + WAITING_STEPS - this.#waiting.size
  }

  /** How many more steps could start now, not counting stops. */
  room(): number {
    const steps = [...this.#running.values()].filter(({ step }) => step.kind !== 'stop')
    const late = steps.filter((one) => this.#isLate(one)).length
    return CONCURRENT_STEPS - (steps.length - Math.min(late, LATE_STEPS))
  }

  /** A sentence for each step that hangs. */
  hanging(): readonly string[] {
    const late = [...this.#running.values()].filter((one) => this.#isLate(one))
    const nowMs = this.#options.clock.monotonic()
    return late.map(
      ({ step, sinceMs }) =>
        `${this.#driver} has not finished the ${step.kind} of ${instanceOf(step)} for ${Math.round((nowMs - sinceMs) / 1000)} s`,
    )
  }

  #isLate({ step, sinceMs }: InProgress): boolean {
    const patienceMs =
      LATE_MS + (step.kind === 'stop' ? this.#options.driver.stopSeconds * 1000 : 0)
    return this.#options.clock.monotonic() - sinceMs > patienceMs
  }

  /** No longer waits for a stop in progress, because the next step kills the instance. */
  overtake(instance: InstanceId): void {
    const one = this.#running.get(instance)
    if (one?.step.kind === 'stop') one.abort.abort()
  }

  /** Forgets all other instances. */
  keep(instances: ReadonlySet<InstanceId>): void {
    this.#attempts.keep(instances)
    for (const id of this.#problems.keys()) if (!instances.has(id)) this.#problems.delete(id)
  }

  /** Starts nothing more, and waits a while for steps in progress. */
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
      if (this.#closing.signal.aborted) return
      this.#beginNext()
      this.#options.wake()
    })
    const sinceMs = this.#options.clock.monotonic()
    this.#running.set(instance, { step, sinceMs, abort, done })
    this.#meters.inProgress.set({ driver: this.#driver }, this.#running.size)
  }

  #beginNext(): void {
    const [next] = this.#waiting
    if (next === undefined || this.room() <= 0) return
    const [instance, begin] = next
    this.#waiting.delete(instance)
    begin()
  }

  async #carryOut(step: WorkloadStep, bootCount: number, signal: AbortSignal): Promise<void> {
    const { driver, gate, clock, log } = this.#options
    const { kind } = step
    const instance = instanceOf(step)
    const startMs = clock.monotonic()
    try {
      await carryOut(driver, step, gate, signal)
      const endMs = clock.monotonic()
      if (kind === 'start' || kind === 'launch' || kind === 'resume')
        this.#attempts.started(instance, kind, bootCount, endMs)
      this.#meters.seconds.observe({ driver: this.#driver, step: kind }, (endMs - startMs) / 1000)
      this.#meters.steps.inc({ driver: this.#driver, step: kind, outcome: 'done' })
      log.info({ instance, step: kind, durationMs: Math.round(endMs - startMs) }, 'workload step')
    } catch (error) {
      // A termination replaced it, so it is not a failure.
      if (signal.aborted) return
      this.#meters.steps.inc({ driver: this.#driver, step: kind, outcome: 'failed' })
      log.warn({ instance, step: kind, error }, 'workload step failed')
      const failures = this.#attempts.failed(instance, kind, bootCount, clock.monotonic())
      const permanent = error instanceof AtollError && error.kind === 'refused'
      if (permanent || failures >= LAUNCH_ATTEMPTS)
        this.#problems.set(instance, { bootCount, message: messageOf(error), permanent })
    }
  }

  /** One timer for the shortest pause. The pass that it causes sets the next. */
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

function carryOut(
  driver: WorkloadDriver,
  step: WorkloadStep,
  gate: StartGate | undefined,
  signal: AbortSignal,
): Promise<void> {
  switch (step.kind) {
    case 'launch':
    case 'adopt':
    case 'start': {
      const { instance } = step
      const permit = async (container: string | null) => await gate?.permit(instance, container)
      if (step.kind === 'start') return driver.start(instance, signal, permit)
      return step.kind === 'launch'
        ? driver.launch(instance, step.digest, signal, permit)
        : (driver.warm?.adopt(instance, step.digest, signal, permit) ?? Promise.resolve())
    }
    case 'prepare':
      return driver.warm?.prepare(step.instance, step.want, signal) ?? Promise.resolve()
    case 'plug':
      return driver.plug(step.instance, signal)
    case 'resume':
      return driver.resume?.(step.instance) ?? Promise.resolve()
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
