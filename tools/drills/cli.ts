/**
 * The command line of the drills: selects them, creates the lab, prints rows, and stores the raw
 * figures.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { messageOf } from '../../src/model/errors.ts'
import { destroyLab } from '../lab/lab.ts'
import { DRILL_LAB, drillLab, drills } from './all.ts'
import { checkConsistency, SCARCE } from './consistency/run.ts'
import { type Drill, type DrillRow, runDrill } from './drill.ts'
import { neighboursWrittenInto, neighbourTable } from './neighbours/page.ts'
import { attacks, NEIGHBOURS_LAB, type NeighbourRow, runNeighbours } from './neighbours/run.ts'
import { runAndRemove } from './own-group.ts'
import { reachText, reachWrittenInto, tryReach } from './reach.ts'
import { REACH_CONFIG } from './reach-world.ts'
import { consistencyText, remarks, ruleLatencyText, table, writtenInto } from './report.ts'
import { measureRuleLatency } from './rule-latency.ts'
import { worstOf } from './worst.ts'

const PAGE = join(import.meta.dirname, '../../docs/what-happens-when.md')
const REACH_PAGE = join(import.meta.dirname, '../../docs/reach.md')
const NEIGHBOURS_PAGE = join(import.meta.dirname, '../../docs/what-one-instance-can-use-up.md')

const began = performance.now()
function progress(line: string): void {
  const seconds = ((performance.now() - began) / 1000).toFixed(1).padStart(6)
  process.stderr.write(`${seconds} s  ${line}\n`)
}

function rounds(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('a number from 1 on')
  return value
}

const program = new Command('scripts/drill')
  .description('Failure drills in a lab of three whole hosts.')
  .argument('<name...>', 'drills, or all, or list')
  .option('--json <file>', 'write the rows there')
  .option('--write-docs', 'write the table into its page in docs')
  .option('--rounds <n>', 'carry out each drill so often; its row is of the worst', rounds, 1)
  .option('--keep', 'leave the lab as it is in the end, and use it again next time')
  .option('--seed <n>', 'of the consistency check', (text) => Number(text), 1)
  .option('--seconds <n>', 'of the consistency check', (text) => Number(text), 60)
  .option('--lab <name>', 'name of the lab', DRILL_LAB)
  .addOption(new Option('--in-own-group').hideHelp())
  .parse()
const options = program.opts<{
  readonly json?: string
  readonly writeDocs?: true
  readonly keep?: true
  readonly lab: string
  readonly rounds: number
  /** This process is the one that `runAndRemove` has started. */
  readonly inOwnGroup?: true
  readonly seed: number
  readonly seconds: number
}>()

/**
 * Does something with the lab of this name, and removes it in the end, also when the process is
 * told to end. What a drill is doing then must not make the lab again while it is being removed, so
 * another process does it.
 */
async function inLab(name: string, work: () => Promise<number>): Promise<number> {
  if (options.inOwnGroup === true) return await work()
  const [, ...argv] = process.argv
  return await runAndRemove(
    [...argv, '--in-own-group'],
    async () => {
      if (options.keep !== true) await destroyLab(name)
    },
    (signal) => progress(`${signal}: the drill ends`),
  )
}

async function main(names: readonly string[]): Promise<number> {
  if (names.includes('list')) {
    for (const { name, about } of drills) process.stdout.write(`${name.padEnd(18)} ${about}\n`)
    process.stdout.write(
      `${'consistency'.padEnd(18)} many ask and somebody breaks, and the history is checked (not in "all")\n`,
    )
    process.stdout.write(
      `${'neighbours'.padEnd(18)} an instance or a client uses up what all share (not in "all"; names after it: ${attacks.map(({ name }) => name).join(', ')})\n`,
    )
    process.stdout.write(
      `${'rule-latency'.padEnd(18)} how long until a changed rule of a security group is in force on all hosts (not in "all")\n`,
    )
    process.stdout.write(
      `${'reach'.padEnd(18)} who reaches whom, in VPCs with the same addresses, too (not in "all")\n`,
    )
    return 0
  }
  const [first = '', ...others] = names
  if (first === 'neighbours') return await neighbours(others)
  if (names.includes('consistency')) return await consistency()
  if (names.includes('rule-latency')) return await ruleLatency()
  if (names.includes('reach')) return await reach()
  const unknown = names.filter((name) => name !== 'all' && !drills.some((one) => one.name === name))
  if (unknown.length > 0)
    program.error(`there is no drill "${unknown.join(' ')}"; see: scripts/drill list`, {
      exitCode: 2,
    })
  const chosen = drills.filter(({ name }) => names.includes('all') || names.includes(name))
  return await inLab(options.lab, () => inTurn(chosen))
}

/** Carries out drills, one after the other. */
async function inTurn(chosen: readonly Drill[]): Promise<number> {
  const rows: DrillRow[] = []
  let failed = false
  for (const drill of chosen) {
    const rounds: DrillRow[] = []
    for (let round = 0; round < options.rounds; round += 1) {
      try {
        const lab = await drillLab(progress, options.lab)
        progress(`== ${drill.name}`)
        const row = await runDrill(drill, lab, progress)
        rounds.push(row)
        for (const remark of remarks(row)) progress(remark)
      } catch (error) {
        failed = true
        progress(`FAILED: ${drill.name} could not be carried out: ${messageOf(error)}`)
      }
    }
    if (rounds.length > 0) rows.push(worstOf(rounds))
    if (options.json !== undefined)
      writeFileSync(options.json, `${JSON.stringify(rows, null, 2)}\n`)
  }
  const today = new Date().toISOString().slice(0, 10)
  process.stdout.write(`${table(rows, today)}\n`)
  if (options.writeDocs === true) {
    writeFileSync(PAGE, writtenInto(readFileSync(PAGE, 'utf8'), drills, rows, today))
  }
  return failed || rows.some(({ missed }) => missed.length > 0) ? 1 : 0
}

/** Attacks shared resources one after the other. */
async function neighbours(only: readonly string[]): Promise<number> {
  const { json, writeDocs } = options
  const unknown = only.filter((name) => !attacks.some((one) => one.name === name))
  if (unknown.length > 0)
    program.error(`there is no attack "${unknown.join(' ')}"; see: scripts/drill list`, {
      exitCode: 2,
    })
  const lab = options.lab === DRILL_LAB ? NEIGHBOURS_LAB : options.lab
  return await inLab(lab, async () => {
    const rows: readonly NeighbourRow[] = await runNeighbours({ lab, only }, progress)
    if (json !== undefined) writeFileSync(json, `${JSON.stringify(rows, null, 2)}\n`)
    process.stdout.write(`${neighbourTable(rows)}\n`)
    const missed = rows.flatMap((row) => row.missed.map((text) => `MISSED: ${row.name}: ${text}\n`))
    process.stdout.write(missed.join(''))
    if (writeDocs === true) {
      const page = readFileSync(NEIGHBOURS_PAGE, 'utf8')
      const today = new Date().toISOString().slice(0, 10)
      writeFileSync(NEIGHBOURS_PAGE, neighboursWrittenInto(page, rows, today))
    }
    return missed.length === 0 ? 0 : 1
  })
}

/** The randomized run. Its history is stored in the JSON file. */
async function consistency(): Promise<number> {
  const { json } = options
  const name = `${options.lab}c`
  return await inLab(name, async () => {
    const lab = await drillLab(progress, name, SCARCE)
    const { history, ...result } = await checkConsistency(lab, options, progress)
    if (json !== undefined) writeFileSync(json, JSON.stringify({ ...result, history }, null, 1))
    process.stdout.write(`${consistencyText(result)}\n`)
    return result.violations.length === 0 ? 0 : 1
  })
}

/** Times of changed rules. */
async function ruleLatency(): Promise<number> {
  const { json } = options
  return await inLab(options.lab, async () => {
    const lab = await drillLab(progress, options.lab)
    const times = await measureRuleLatency(lab, progress)
    if (json !== undefined) writeFileSync(json, JSON.stringify(times))
    const { text, met } = ruleLatencyText(times)
    process.stdout.write(`${text}\n`)
    return met ? 0 : 1
  })
}

/** The tables of who reaches whom. */
async function reach(): Promise<number> {
  const { json, seed, writeDocs } = options
  const name = `${options.lab}r`
  return await inLab(name, async () => {
    const lab = await drillLab(progress, name, REACH_CONFIG)
    const rounds = await tryReach(lab, seed, progress)
    if (json !== undefined) writeFileSync(json, JSON.stringify(rounds, null, 1))
    process.stdout.write(`${reachText(rounds)}\n`)
    if (writeDocs === true) {
      const today = new Date().toISOString().slice(0, 10)
      const page = readFileSync(REACH_PAGE, 'utf8')
      writeFileSync(REACH_PAGE, reachWrittenInto(page, rounds, today))
    }
    return rounds.every(({ wrong }) => wrong.length === 0) ? 0 : 1
  })
}

process.exit(await main(program.args))
