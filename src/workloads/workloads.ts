/**
 * Workloads: the instances themselves. There is one service for each driver, so that an engine that
 * is away delays only its own instances.
 *
 * - Its part of the want: `local.instances`, `local.images` and `local.captures` of its driver, and
 *   `local.keptImages`. The pure function is `plan/workloads.ts`.
 * - The driver (`driver.ts`) runs the steps in the background: at most one for each instance, and a
 *   limited number in all.
 * - A new daemon recognises what an older one created by the driver's list, which uses the names in
 *   `model/names.ts`.
 * - If the daemon dies here, instances go on: they are not its children. The next list shows the
 *   result of interrupted steps.
 * - Links and rules belong to other services, which are applied before this one.
 * - Every pass plans from a list. What is remembered (steps in progress, pauses) only delays steps.
 */
import type { DriverDeclaration, DriverName } from '../model/driver.ts'
import { assertNever } from '../model/errors.ts'
import type { InstanceId } from '../model/ids.ts'
import type { LooseNic } from '../model/loose-nic.ts'
import type { Fact, ImageWant, InstanceWant, LocalWant } from '../model/want.ts'
import { atLatestBoot } from '../plan/latest-boot.ts'
import { inStartOrder, type WantAndHave } from '../plan/start-order.ts'
import { type ImageStatus, planWorkload, type WorkloadHave } from '../plan/workloads.ts'
import type { HostService } from '../services/service.ts'
import { createCaptures } from './captures.ts'
import type { Images, StartGate } from './driver.ts'
import { createReplugs } from './replugs.ts'
import { StepRunner, type StepRunnerOptions } from './step-runner.ts'
import { createTimedList } from './timed-list.ts'
import { NOTHING_WAITS, type WarmKeeper } from './warm.ts'

export interface WorkloadsOptions extends StepRunnerOptions {
  /** The driver's declaration. */
  readonly declaration: DriverDeclaration
  readonly images: Images
  /** What waits for launches. Null or absent: nothing does. */
  readonly warm?: WarmKeeper | null
}

/** The service of one driver. */
export interface Workloads extends HostService {
  /** Is told of NICs of its driver's instances that lead into none of them. Returns at once. */
  foundLoose(nics: readonly LooseNic[]): void
}

/**
 * The service. It wakes the agent when a step ends, when a workload changes by itself, and when an
 * image is ready.
 */
export function createWorkloads(options: WorkloadsOptions): Workloads {
  const { driver, images, declaration, warm = null, gate, wake, clock, log } = options
  const captures = createCaptures({ capturer: driver.capturer, clock, log })
  const runner = new StepRunner(options)
  const list = createTimedList({ driver, busy: () => runner.busy(), wake, clock, log })
  const replugs = createReplugs(options)
  const isMine = (one: { readonly driver: DriverName }) => one.driver === declaration.name
  const ends = [
    // The end of a step wakes the agent anyway.
    driver.watch((instance) => {
      if (instance === null || !runner.busy().has(instance)) wake()
    }),
    images.watch(wake),
    captures.watch(wake),
  ]

  function decide(id: InstanceId, { want: asked, have }: WantAndHave): readonly Fact[] {
    const want = asked && atLatestBoot(asked, have?.bootCount ?? null)
    // Another host may have started it: what ended here does not say what became of it.
    if (want?.run === 'run' && have?.state.kind !== 'running' && gate?.mayStart(want) === false)
      return []
    const problem = runner.problem(id, want?.bootCount)
    const plan = planWorkload(want, have, (image) => images.look(image), problem)
    // Its disk is being copied. The end of that wakes the agent, and the start is planned again.
    const waits = plan.step?.kind === 'start' && captures.holds(id)
    if (plan.step !== null && !waits) runner.offer(plan.step, want?.bootCount ?? 0)
    return plan.facts
  }

  return {
    name: declaration.service,
    gate: false,
    engine: driver.name,

    async apply({ want, resync, signal }) {
      runner.replan()
      // If a step ends during the reading of the list, the list is old for its instance, which
      // waits for the next pass.
      const { haves, busy } = await list.read(resync, signal)
      tellContainers(haves, gate)
      // Before instances are planned, because an instance must not be started while an image is
      // made from it.
      const facts: Fact[] = [
        ...imageFacts(want.local.images.filter(isMine), (image) => images.look(image)),
        ...imageFacts(want.local.captures.filter(isMine), (image) => captures.look(image)),
      ]
      captures.keep(want.local.keptImages, resync)
      const wanted = want.local.instances.filter(isMine)
      const isLeft = leftAlone(want.local, wanted)
      const pairs = inStartOrder(wanted, haves)
      const waiting = warm?.plan(wanted) ?? NOTHING_WAITS
      runner.keep(new Set([...pairs.keys(), ...waiting.steps.map((step) => step.instance)]))
      for (const [id, one] of pairs) {
        if (signal.aborted) break
        if (isLeft(id, one) || (one.want === undefined && waiting.keep.has(id))) continue
        if (!busy.has(id)) {
          facts.push(...decide(id, one))
        } else if (one.want === undefined || one.want.run === 'terminate') runner.overtake(id)
      }
      // Whoever has asked already goes first.
      for (const step of waiting.steps) if (runner.busy().size === 0) runner.offer(step, 0)
      countStates(options, haves)
      return claimSome(facts, runner.claimable())
    },

    foundLoose: (nics) => replugs.add(nics.filter(isMine)),

    hanging: () => [...runner.hanging(), ...replugs.hanging(), ...driver.hanging()],

    async close() {
      for (const end of ends) end()
      replugs.close()
      await runner.close()
      await captures.close()
    },
  }
}

/**
 * A claimed instance cannot move to another host. So only those are claimed that can start soon:
 * all facts but the claims beyond this number.
 */
function claimSome(facts: readonly Fact[], claims: number): readonly Fact[] {
  let left = claims
  return facts.filter(({ kind }) => kind !== 'ready' || left-- > 0)
}

function tellContainers(haves: readonly WorkloadHave[], gate: StartGate | undefined): void {
  for (const { instance, container } of haves)
    if (container !== undefined) gate?.found(instance, container)
}

const STATES = [
  ...(['remains', 'arrived', 'lost'] as const),
  ...(['created', 'running', 'suspended', 'ended', 'busy'] as const),
]

function countStates(
  { driver: { name: driver }, meters }: WorkloadsOptions,
  haves: readonly WorkloadHave[],
): void {
  for (const state of STATES) {
    const count = haves.filter((have) => have.state.kind === state).length
    meters.workloads.set({ driver, state }, count)
  }
}

/**
 * A function that tells whether an instance is left alone: its row is unreadable or names another
 * driver, or it is being copied to this host. So is one that is being passed on to another host
 * unless it runs here: the other host may have all of it, and the end of the move decides where it
 * goes on.
 */
function leftAlone(
  { instances, unreadable, moves = [] }: LocalWant,
  mine: readonly InstanceWant[],
): (id: InstanceId, one: WantAndHave) => boolean {
  const left = new Set([
    ...unreadable.ids,
    ...instances.filter((one) => !mine.includes(one)).map(({ id }) => id),
    ...moves.flatMap((one) => (one.kind === 'arriving' ? one.instance : [])),
  ])
  const passed = new Set(moves.flatMap((one) => (one.live === true ? one.instance : [])))
  return (id, { want, have }) =>
    want === undefined
      ? unreadable.any || left.has(id)
      : passed.has(id) && have?.state.kind !== 'running'
}

function imageFacts<Want extends ImageWant>(
  wanted: readonly Want[],
  look: (image: Want) => ImageStatus,
): readonly Fact[] {
  return wanted.map((image): Fact => {
    const found = look(image)
    switch (found.kind) {
      case 'ready': {
        const { digest, repositoryDigest = null, architecture, diskGiB } = found
        const content = { digest, repositoryDigest, architecture, diskGiB }
        return { kind: 'image-available', image: image.id, ...content }
      }
      case 'working':
        return { kind: 'image-progress', image: image.id, message: found.message }
      case 'failed':
        return { kind: 'image-failed', image: image.id, message: found.message }
      default:
        return assertNever(found)
    }
  })
}
