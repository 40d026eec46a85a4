/**
 * spin tries the rules of failover in every order (`failover.pml`), and finds how the instance runs
 * twice when one of them is changed.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { isLong } from '../long-files.ts'

const run = promisify(execFile)
const MODEL = resolve(import.meta.dirname, 'failover.pml')
const TIMEOUT = { timeout: 300_000 }

/** The number of violations that spin finds, by the summary of its verifier. */
async function violations(...macros: readonly string[]): Promise<number> {
  const cwd = await mkdtemp(join(tmpdir(), 'spin-'))
  try {
    const flags = macros.map((macro) => `-D${macro}`)
    await run('spin', [...flags, '-a', MODEL], { cwd })
    // Optimizing takes longer than it saves.
    await run('gcc', ['-w', '-DSAFETY', '-o', 'pan', 'pan.c'], { cwd })
    const { stdout } = await run('./pan', ['-m1000000', '-w22'], { cwd, maxBuffer: 2 ** 24 })
    expect(stdout, 'the search has an end').not.toMatch(/max search depth too small|out of memory/)
    return Number(/errors: (\d+)/.exec(stdout)?.[1])
  } finally {
    await rm(cwd, { recursive: true })
  }
}

it('never runs the instance twice', TIMEOUT, async () => {
  // Members that restart more often make no difference but in time.
  expect(await violations(`RESTARTS=${isLong ? 2 : 1}`)).toBe(0)
})

it.each([
  'COUNTER',
  ...(isLong
    ? ['PROMISE=2', 'FROM_ANSWER', 'DURABLE=0', 'RESTARTED=FREE', 'CONSENT_ANYWAY', 'ANY_EPOCH']
    : []),
])('finds what is wrong with %s', TIMEOUT, async (macro) => {
  expect(await violations(macro)).toBe(1)
})
