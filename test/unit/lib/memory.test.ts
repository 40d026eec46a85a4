/** Memory is given back by a real process that had a burst of work, and only once it is quiet. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const MODULE = join(import.meta.dirname, '../../../src/lib/memory.ts')
const TIMEOUT_MS = 60_000
const run = promisify(execFile)

/**
 * Leaves 60 MB of garbage that has grown old, then is busy for `busyMs`, then quiet for as long as it takes until memory was given
 * back, or for ten looks. Returns how often that happened by the end of the busy time and by the end of all, and the bytes.
 */
async function burst(options: {
  readonly flags: readonly string[]
  readonly busyMs: number
  readonly machineIsQuiet: boolean
}): Promise<{ early: number; late: number; freedBytes: number }> {
  const program = `
    import { startMemoryTrim } from ${JSON.stringify(MODULE)}
    import { setTimeout as sleep } from 'node:timers/promises'
    const trims = []
    const log = { debug: (fields) => trims.push(fields) }
    const blocks = Array.from({ length: 300 }, () => new Array(25_000).fill({}))
    globalThis.gc?.()
    globalThis.gc?.()
    blocks.length = 0
    startMemoryTrim(log, { lookMs: 100, machineIsQuiet: () => ${options.machineIsQuiet} })
    const end = performance.now() + ${options.busyMs}
    while (performance.now() < end) {
      const pause = performance.now() + 50
      while (performance.now() < pause);
      await sleep(1)
    }
    const early = trims.length
    for (let look = 0; look < 10 && trims.length === early; look++) await sleep(100)
    const [first] = trims
    const freedBytes = first === undefined ? 0 : first.residentBytes - first.settledBytes
    console.log(JSON.stringify({ early, late: trims.length, freedBytes }))`
  const { stdout } = await run(process.execPath, [
    ...options.flags,
    '--input-type=module',
    '--eval',
    program,
  ])
  return JSON.parse(stdout)
}

test(
  'a process that becomes quiet gives back its garbage, once',
  async () => {
    const { early, late, freedBytes } = await burst({
      flags: ['--expose-gc'],
      busyMs: 500,
      machineIsQuiet: true,
    })
    expect({ early, late }).toEqual({ early: 0, late: 1 })
    expect(freedBytes).toBeGreaterThan(30e6)
  },
  TIMEOUT_MS,
)

test.each([
  { why: 'the machine is busy', flags: ['--expose-gc'], machineIsQuiet: false },
  { why: 'Node has no collection on demand', flags: [], machineIsQuiet: true },
])(
  'nothing happens where $why',
  async ({ flags, machineIsQuiet }) => {
    expect(await burst({ flags, busyMs: 0, machineIsQuiet })).toMatchObject({ late: 0 })
  },
  TIMEOUT_MS,
)
