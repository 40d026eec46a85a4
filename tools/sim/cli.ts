/**
 * `scripts/sim`: simulates whole clouds. Exit codes: 0 all is well, 1 something is wrong, 2 usage.
 */
import { Command, InvalidArgumentError } from 'commander'
import { failoverHistory } from './failover.ts'
import { runSeeds, seedsFrom } from './run.ts'
import { scenarioOf } from './scenario.ts'
import { commandOf, shrink } from './shrink.ts'
import { makeTemplate } from './template.ts'
import { simulate } from './world.ts'

interface Options {
  readonly seeds: number
  readonly seed: number
  readonly hosts?: number
  readonly seconds?: number
  readonly operations?: readonly number[]
  readonly faults?: readonly number[]
  readonly trace?: boolean
  readonly failover?: boolean
}

/** A random first seed: each night is another one. */
const SEEDS = 2 ** 31

function wholeNumber(text: string): number {
  if (!/^\d{1,10}$/.test(text)) throw new InvalidArgumentError('a whole number is expected')
  return Number(text)
}

function positions(text: string): readonly number[] {
  return text === 'none' ? [] : text.split(',').map(wholeNumber)
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** Runs the rules of failover. Returns whether nothing ran twice. */
function isFailoverRight(first: number, count: number): boolean {
  let runs = 0
  for (let seed = first; seed < first + count; seed += 1) {
    const history = failoverHistory(seed)
    runs += history.runs.length
    if (!history.overlaps) continue
    print(`seed ${seed}: the instance ran twice at a time`)
    for (const run of history.runs) print(`  ${JSON.stringify(run)}`)
    return false
  }
  print(`${count} seeds from ${first}: of ${runs} runs no two were at a time`)
  return true
}

const program = new Command('sim')
  .description('Simulates whole clouds in which much goes wrong, each as its seed says.')
  .option('--seeds <n>', 'how many seeds', wholeNumber, 1)
  .option('--seed <s>', 'the first seed; a random one unless given', wholeNumber)
  .option('--hosts <n>', 'how many hosts; as the seed says unless given', wholeNumber)
  .option('--seconds <t>', 'how long things go wrong', wholeNumber)
  .option('--operations <list>', 'only these operations of the scenario, by number', positions)
  .option('--faults <list>', 'only these faults of the scenario, by number', positions)
  .option('--trace', 'print everything that happens')
  .option('--failover', 'only the rules of failover, which are much faster')
  .allowExcessArguments(false)
  .exitOverride((end) => process.exit(end.exitCode === 0 ? 0 : 2))
const options = program.parse().opts<Options>()
const { seeds, seed = Math.floor(Math.random() * SEEDS), seconds, trace = false } = options
if (options.failover === true) process.exit(isFailoverRight(seed, seeds) ? 0 : 1)
const choice = {
  hosts: options.hosts,
  lengthMs: seconds === undefined ? undefined : seconds * 1000,
  operations: options.operations,
  faults: options.faults,
}
const image = await makeTemplate()
const told = trace ? { told: print } : {}
let events = 0
let virtualMs = 0
const beganMs = performance.now()
const failure = await runSeeds(
  seedsFrom(seed, seeds),
  choice,
  { image, ...told },
  (_at, outcome) => {
    events += outcome.events
    virtualMs += outcome.virtualMs
    if (seeds === 1)
      print(`seed ${seed}: ${outcome.events} events, hash ${outcome.hash.slice(0, 16)}`)
  },
)
const seconds_ = ((performance.now() - beganMs) / 1000).toFixed(1)
if (failure === null) {
  print(
    `${seeds} seeds from ${seed}: nothing is wrong (${events} events, ${Math.round(virtualMs / 60_000)} simulated minutes, ${seconds_} s)`,
  )
  process.exit(0)
}
print(`seed ${failure.seed}: ${failure.outcome.violation?.message}`)
// What was chosen by hand is small already.
const isChosen = choice.operations !== undefined || choice.faults !== undefined
const small = isChosen ? failure : await shrink(failure, { image })
const { scenario, outcome } = small
for (const operation of scenario.operations) print(`  operation ${JSON.stringify(operation)}`)
for (const fault of scenario.faults) print(`  fault ${JSON.stringify(fault)}`)
print(`${scenario.hosts} hosts, ${scenario.nodes} nodes: ${outcome.violation?.message}`)
print(`again: ${commandOf(small)} --trace`)
// The same once more, because a failure that does not repeat itself is a fault of the simulation.
const again = await simulate(scenarioOf(small.seed, small.choice), { image })
if (again.hash !== outcome.hash) print('this does not repeat itself: the simulation has a fault')
process.exit(1)
