/**
 * Makes a failing scenario smaller: fewer hosts, less time, fewer faults and operations, as long as
 * the same rule is broken.
 */
import { type Choice, type Scenario, scenarioOf } from './scenario.ts'
import { type Outcome, type SimulationOptions, simulate } from './world.ts'

/** Simulations that are tried for it. */
const TRIES = 150

/** A scenario of the seed that fails, and how. */
export interface Failure {
  readonly seed: number
  readonly choice: Choice
  readonly scenario: Scenario
  readonly outcome: Outcome
}

/** The smallest scenario that was found, which is the given one if none is smaller. */
export async function shrink(failure: Failure, options: SimulationOptions): Promise<Failure> {
  const { seed } = failure
  const rule = failure.outcome.violation?.rule
  let best = failure
  let tries = 0

  async function isAsBad(choice: Choice): Promise<boolean> {
    if (tries >= TRIES) return false
    tries += 1
    const scenario = scenarioOf(seed, choice)
    const outcome = await simulate(scenario, options)
    if (outcome.violation?.rule !== rule) return false
    best = { seed, choice, scenario, outcome }
    return true
  }

  for (let hosts = 2; hosts < best.scenario.hosts; hosts += 1)
    if (await isAsBad({ ...best.choice, hosts })) break
  const all = (count: number) => Array.from({ length: count }, (_one, at) => at)
  const { operations: asked = all(best.scenario.operations.length) } = best.choice
  const { faults: wrong = all(best.scenario.faults.length) } = best.choice
  await withFewer(wrong, (faults) => isAsBad({ ...best.choice, faults }))
  await withFewer(asked, (operations) => isAsBad({ ...best.choice, operations }))
  return best
}

/** Leaves out halves, quarters, and then one after the other (Zeller's delta debugging). */
async function withFewer(
  positions: readonly number[],
  isAsBad: (some: readonly number[]) => Promise<boolean>,
): Promise<void> {
  let kept = positions
  for (
    let size = Math.ceil(kept.length / 2);
    size >= 1;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  )
    for (let at = 0; at < kept.length; ) {
      const rest = [...kept.slice(0, at), ...kept.slice(at + size)]
      if (await isAsBad(rest)) kept = rest
      else at += size
    }
}

/** The command that repeats it. */
export function commandOf({
  seed,
  choice: { hosts, lengthMs, operations, faults },
}: Failure): string {
  const list = (name: string, of: readonly number[] | undefined) =>
    of === undefined ? [] : [`--${name}`, of.length === 0 ? 'none' : of.join(',')]
  return [
    ...['scripts/sim', '--seed', seed],
    ...(hosts === undefined ? [] : ['--hosts', hosts]),
    ...(lengthMs === undefined ? [] : ['--seconds', lengthMs / 1000]),
    ...list('operations', operations),
    ...list('faults', faults),
  ].join(' ')
}
