/**
 * The failure drills, in a lab of three whole hosts: only the instances of the broken host lose
 * anything, and everything recovers by itself. A short set always runs, all of them in the long
 * mode (`scripts/test long`).
 */
import { afterAll, afterEach, expect, it, onTestFinished } from 'vitest'
import { drillLab, drills } from '../../tools/drills/all.ts'
import { checkConsistency, SCARCE } from '../../tools/drills/consistency/run.ts'
import { runDrill } from '../../tools/drills/drill.ts'
import { consistencyText, remarks, table } from '../../tools/drills/report.ts'
import { destroyLab } from '../../tools/lab/lab.ts'
import { isLong } from '../long-files.ts'

const NAME = 'drilltest'
/** What runs always: a host lost, no bus. Daemons are killed in `test/fresh`, by the command. */
const SHORT: ReadonlySet<string> = new Set(['host-loss', 'bus-all-loss'])
const LAB_MS = 240_000
const DRILL_MS = 420_000
const CONSISTENCY_SECONDS = 60
const CONSISTENCY_LAB = 'consistencytest'

const said: string[] = []
const progress = (line: string) => said.push(line)

afterEach(() => {
  said.length = 0
})
afterAll(() => destroyLab(NAME), LAB_MS)

it.each(drills.filter(({ name }) => isLong || SHORT.has(name)))(
  '$name',
  async (drill) => {
    const lab = await drillLab(progress, NAME)
    const row = await runDrill(drill, lab, progress)
    process.stdout.write(`${table([row])}\n${remarks(row).join('\n')}\n`)
    // How long a gap may be is for a quiet machine to say (scripts/drill); what must never be lost
    // or left over is not.
    const broken = row.missed.filter((text) => !/^(gap of API|a floating IP)/.test(text))
    expect(broken, said.join('\n')).toEqual([])
  },
  DRILL_MS,
)

it.runIf(isLong)(
  'a random history is one that a cloud may have',
  async () => {
    await destroyLab(NAME)
    const lab = await drillLab(progress, CONSISTENCY_LAB, SCARCE)
    onTestFinished(() => destroyLab(CONSISTENCY_LAB), LAB_MS)
    const seed = Date.now() % 100_000
    const result = await checkConsistency(lab, { seed, seconds: CONSISTENCY_SECONDS }, progress)
    process.stdout.write(`${consistencyText(result)}\n`)
    expect(result.violations, said.join('\n')).toEqual([])
  },
  DRILL_MS,
)
