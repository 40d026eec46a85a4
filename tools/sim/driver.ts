/**
 * The driver of a simulated machine, as a daemon uses it: steps take time, fail, and are
 * interrupted by the end of the daemon between any two changes of the machine.
 */
import type { Clock } from '../../src/lib/clock.ts'
import { unavailable } from '../../src/model/errors.ts'
import type { InstanceId } from '../../src/model/ids.ts'
import type { ImageFindings } from '../../src/model/want.ts'
import { kindOf, type WarmInstance } from '../../src/model/warm-instance.ts'
import type { ImageStatus, WorkloadHave } from '../../src/plan/workloads.ts'
import type { Images, WarmDriver, WorkloadDriver } from '../../src/workloads/driver.ts'
import type { Machine } from './machine.ts'
import type { Stream } from './random.ts'

/** How the engine of the machine behaves. */
export interface EngineTroubles {
  /** Share of its calls that fail. */
  failing: number
  /** How much longer calls take. */
  slowerMs: number
}

const LIST_MS = 15
const STEP_MS = 200
const IMAGE_MS = 1_500

interface DriverParts {
  readonly machine: Machine
  readonly troubles: EngineTroubles
  readonly clock: Clock
  readonly random: Stream
  /** Called when a step fails. */
  readonly failed: (instance: string) => void
}

/** The driver for one run of the daemon. */
export function createSimulatedDriver(parts: DriverParts): WorkloadDriver {
  const { machine, troubles, clock, random, failed } = parts
  const ends = new Set<() => void>()
  async function call(ms: number, instance?: string): Promise<void> {
    await clock.sleep(random.between(0, ms) + random.between(0, troubles.slowerMs))
    if (!random.chance(troubles.failing)) return
    if (instance !== undefined) failed(instance)
    throw unavailable('the engine does not answer')
  }
  const warm = createSimulatedWarm(parts, call)
  const driver: WorkloadDriver = {
    name: 'docker',
    stopSeconds: 10,
    capturer: {
      capture: async () => {
        throw unavailable('images are not made here')
      },
      keep: async () => undefined,
    },
    async list() {
      await call(LIST_MS)
      const found = machine.list().map(warm.look)
      // What it says may be old when it arrives.
      await clock.sleep(random.between(0, LIST_MS))
      return found
    },
    async launch(instance) {
      await call(STEP_MS, instance.id)
      machine.create(instance)
      await driver.start(instance, new AbortController().signal)
    },
    async start(instance) {
      await call(STEP_MS, instance.id)
      machine.start(instance)
      await clock.sleep(random.between(0, LIST_MS))
    },
    async plug(instance) {
      await call(STEP_MS)
      machine.plug(instance)
    },
    async stop(instance) {
      await call(STEP_MS)
      machine.end(instance, 'outside')
    },
    async remove(instance) {
      await call(STEP_MS)
      machine.end(instance, 'outside')
      await call(STEP_MS)
      warm.driver.discard(instance)
      machine.remove(instance)
    },
    warm: warm.driver,
    replug: async () => [],
    storage: async () => [],
    console: async () => null,
    holds: async (instance) => machine.workloads.has(instance),
    attach: async () => null,
    watch(changed) {
      const end = machine.watch(changed)
      ends.add(end)
      return end
    },
    hanging: () => [],
    async close() {
      for (const end of ends) end()
    },
  }
  return driver
}

/** Those that wait for launches: what this run of the daemon remembers of them. */
function createSimulatedWarm(
  { machine, clock, random }: DriverParts,
  call: (ms: number) => Promise<void>,
) {
  const waiting = new Map<InstanceId, WarmInstance>()
  const driver: WarmDriver = {
    async prepare(id, want) {
      await call(STEP_MS)
      machine.prepare(id)
      await clock.sleep(random.between(0, LIST_MS))
      waiting.set(id, { id, ...kindOf(want) })
    },
    async adopt(instance) {
      const isWaiting = waiting.delete(instance.id)
      await call(LIST_MS)
      if (!isWaiting) throw unavailable('nothing waits')
      machine.take(instance)
      await clock.sleep(random.between(0, LIST_MS))
      machine.plug(instance)
    },
    waiting: () => [...waiting.values()],
    discard: (id) => void waiting.delete(id),
  }
  return {
    driver,
    look(have: WorkloadHave): WorkloadHave {
      if (have.warm === undefined) return have
      const isReady = have.state.kind === 'running' && waiting.has(have.instance)
      if (!isReady) waiting.delete(have.instance)
      return { ...have, warm: isReady ? 'ready' : 'spoilt' }
    },
  }
}

const FOUND: ImageFindings = {
  digest: `sha256:${'0'.repeat(64)}`,
  architecture: 'x86_64',
  diskGiB: null,
}

/** Images that are there after a while. */
export function createSimulatedImages(clock: Clock, random: Stream): Images {
  const known = new Map<string, ImageStatus>()
  const listeners = new Set<() => void>()
  return {
    look({ location }) {
      const now = known.get(location)
      if (now !== undefined) return now
      const working: ImageStatus = { kind: 'working', message: 'pulling' }
      known.set(location, working)
      clock.after(random.between(0, IMAGE_MS), () => {
        known.set(location, { kind: 'ready', ...FOUND })
        for (const changed of listeners) changed()
      })
      return working
    },
    watch(changed) {
      listeners.add(changed)
      return () => void listeners.delete(changed)
    },
    close: async () => undefined,
  }
}
