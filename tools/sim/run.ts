/** Runs the scenarios of many seeds, until one fails. */
import { type Choice, scenarioOf } from './scenario.ts'
import type { Failure } from './shrink.ts'
import { type Outcome, type SimulationOptions, simulate } from './world.ts'

/** The first failure; null if there is none. `each` is told of every simulation. */
export async function runSeeds(
  seeds: readonly number[],
  choice: Choice,
  options: SimulationOptions,
  each: (seed: number, outcome: Outcome) => void = () => undefined,
): Promise<Failure | null> {
  for (const seed of seeds) {
    const scenario = scenarioOf(seed, choice)
    const outcome = await simulate(scenario, options)
    each(seed, outcome)
    if (outcome.violation !== null) return { seed, choice, scenario, outcome }
  }
  return null
}

/** So many seeds, from this one on. */
export function seedsFrom(first: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_one, at) => first + at)
}
