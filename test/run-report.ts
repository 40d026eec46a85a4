/**
 * The report of `scripts/test`, for which it is called before and after the tests:
 * `run-report.ts begin|end DIRECTORY`. `end` prints every failed test with the first line of its
 * error, every skipped one with the reason, what the tests left on the machine, and the counts.
 * These come last, so that a log that was cut still has them. It fails when the machine is not as
 * it was.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { until } from '../tools/lab/run.ts'
import { machineState, stateDifferences } from './kit/machine-state.ts'
import { isLong, LONG_FILES } from './long-files.ts'

/** What Vitest's JSON reporter writes of a test and of a file. */
interface TestResult {
  readonly fullName: string
  readonly status: string
  readonly failureMessages: readonly (string | null)[]
}
interface FileResult {
  readonly name: string
  readonly status: string
  readonly message: string
  readonly assertionResults: readonly TestResult[]
}

/** What tests stopped last may still be ending. */
const ENDING_MS = 20_000
const LOOK_MS = 500
const ROOT = resolve(import.meta.dirname, '..')

const [step, directory = ''] = process.argv.slice(2)
const stateFile = join(directory, 'machine')
const stateNow = () => machineState([ROOT, tmpdir()])

try {
  if (step === 'begin') await writeFile(stateFile, JSON.stringify(await stateNow()))
  else {
    const different = await differencesAtLast(JSON.parse(readFileSync(stateFile, 'utf8')))
    report(different)
    if (different.length > 0) process.exitCode = 1
  }
} catch (error) {
  console.error(error)
  console.log('0 passed, 1 failed, 0 skipped')
  process.exitCode = 1
}

/** How the machine differs, once that stays. */
async function differencesAtLast(before: readonly string[]): Promise<readonly string[]> {
  let last: readonly string[] = []
  const isSame = async () => {
    last = stateDifferences(before, await stateNow())
    return last.length === 0 ? true : null
  }
  await until('the machine is as before', ENDING_MS, isSame, LOOK_MS).catch(() => undefined)
  return last
}

function report(different: readonly string[]): void {
  const reports = readdirSync(directory).filter((name) => name.endsWith('.json'))
  const files = reports.flatMap((name): readonly FileResult[] => {
    const text = readFileSync(join(directory, name), 'utf8')
    return JSON.parse(text).testResults
  })
  const tests = files.flatMap((file) => file.assertionResults)
  const skipped = tests.filter(({ status }) => ['pending', 'skipped', 'todo'].includes(status))
  for (const { fullName } of skipped) console.log(`skipped: ${fullName}`)
  const long = isLong ? [] : Object.entries(LONG_FILES)
  for (const [file, instead] of long)
    console.log(`skipped: ${file} takes long (scripts/test long): ${instead}`)
  const broken = files.filter(
    ({ status, assertionResults: all }) =>
      status === 'failed' && all.every((test) => test.status !== 'failed'),
  )
  for (const { name, message } of broken) console.log(`did not run: ${name}: ${message}`)
  for (const { name, assertionResults } of files)
    for (const { fullName, status, failureMessages } of assertionResults)
      if (status === 'failed')
        console.log(`failed: ${name}: ${fullName}: ${(failureMessages[0] ?? '').split('\n')[0]}`)
  for (const one of different)
    console.log(`failed: the machine is not as it was before the tests: ${one}`)
  const count = (status: string) => tests.filter((test) => test.status === status).length
  const failed = count('failed') + broken.length + different.length
  console.log(
    `${count('passed')} passed, ${failed} failed, ${skipped.length + long.length} skipped`,
  )
}
