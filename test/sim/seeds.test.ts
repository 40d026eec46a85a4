/**
 * Whole clouds in which much goes wrong (`tools/sim/`). A night of `scripts/sim --seeds 10000`
 * looks at many more.
 */
import { beforeAll, expect, it } from 'vitest'
import { runSeeds, seedsFrom } from '../../tools/sim/run.ts'
import { scenarioOf } from '../../tools/sim/scenario.ts'
import { commandOf, shrink } from '../../tools/sim/shrink.ts'
import { makeTemplate } from '../../tools/sim/template.ts'
import { simulate } from '../../tools/sim/world.ts'
import { isLong } from '../long-files.ts'

const SHORT = { lengthMs: 5_000 }
const USUAL = { lengthMs: isLong ? 30_000 : SHORT.lengthMs }
/** About a minute of one processor. */
const SEEDS = 200
const MANY_HOSTS = isLong ? 24 : 8

let image: Uint8Array
beforeAll(async () => {
  image = await makeTemplate()
})

it('clouds keep what they promise, and recover', { timeout: 600_000 }, async () => {
  const failure = await runSeeds(seedsFrom(1, SEEDS), USUAL, { image })
  if (failure === null) return
  const small = await shrink(failure, { image })
  expect.fail(`${small.outcome.violation?.message}\nagain: ${commandOf(small)} --trace`)
})

it('many hosts do so, too', { timeout: 120_000 }, async () => {
  const outcome = await simulate(scenarioOf(7, { hosts: MANY_HOSTS, lengthMs: 8_000 }), { image })
  expect(outcome.violation).toBeNull()
  expect(outcome.commits).toBeGreaterThan(100)
})

it('a reboot that the database has lost is in the records again', async () => {
  // Without it, the next reboot would be taken for done.
  const none = { operations: [], faults: [] }
  const more = {
    operations: [
      { kind: 'run', atMs: 8_886, host: 1, count: 1 },
      { kind: 'reboot', atMs: 28_290, host: 1, pick: 0 },
    ],
    faults: [{ kind: 'lost-commits', atMs: 29_533, forMs: 2_301, commits: 8 }],
  } as const
  const lines: string[] = []
  const told = (line: string) => lines.push(line)
  const outcome = await simulate(scenarioOf(641, { ...none, more }), { image, told })
  expect(outcome.violation).toBeNull()
  const positionOf = (text: RegExp) => lines.findIndex((line) => text.test(line))
  expect(positionOf(/ runs i-\w+ boot 2/)).toBeGreaterThan(0)
  expect(positionOf(/ fault 0 /)).toBeGreaterThan(positionOf(/ runs i-\w+ boot 2/))
})

it('a seed always does the same, to the last byte', async () => {
  const scenario = scenarioOf(3, SHORT)
  const lines: string[][] = [[], []]
  const outcomes = [
    await simulate(scenario, { image, told: (line) => lines[0]?.push(line) }),
    await simulate(scenario, { image, told: (line) => lines[1]?.push(line) }),
  ]
  expect(lines[0]).toEqual(lines[1])
  expect(outcomes[0]).toEqual(outcomes[1])
  expect((await simulate(scenarioOf(4, SHORT), { image })).hash).not.toBe(outcomes[0]?.hash)
})
