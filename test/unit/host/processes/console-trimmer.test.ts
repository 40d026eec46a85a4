/** The real process, on files of its own. */
import {
  appendFile,
  mkdir,
  mkdtemp,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createConsoleTrimmer } from '../../../../src/host/processes/console-trimmer.ts'
import { systemClock } from '../../../../src/lib/clock.ts'
import { execute } from '../../../../tools/kit/cloud.ts'
import { silentLog } from '../../../../tools/kit/log.ts'
import { eventually } from '../../../../tools/kit/netns.ts'

const KEPT = 10_000
const DEADLINE_MS = 30_000
let stateDir: string
let home: string

beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'atoll-trimmer-'))
  home = join(stateDir, 'machines/i-00000000000000001')
  await mkdir(home, { recursive: true })
})
afterEach(() => rm(stateDir, { recursive: true, force: true }))

const trimmer = () =>
  createConsoleTrimmer({ stateDir, keptBytes: KEPT, clock: systemClock, log: silentLog })
const sizeOf = async (path: string) => (await stat(path)).size
/** Those of this state directory. */
async function running(): Promise<number> {
  return (await execute('pgrep', ['-f', `console-trimmer.sh ${stateDir}`])).stdout
    .trim()
    .split('\n')
    .filter(Boolean).length
}

test(
  'files that grow are cut and their end is kept, by one process, until the directory goes',
  async () => {
    const log = join(home, 'console.log')
    const foreign = join(stateDir, 'foreign')
    await writeFile(foreign, 'x'.repeat(5 * KEPT))
    await symlink(foreign, join(home, 'qemu.log'))
    for (const one of [trimmer(), trimmer(), trimmer()]) one.ensure()
    for (let turn = 0; turn < 2; turn += 1) {
      await appendFile(log, `${'y'.repeat(5 * KEPT)}end ${turn}\n`)
      await eventually('it is cut', async () => (await sizeOf(log)) === 0, DEADLINE_MS)
      const kept = await readFile(`${log}.1`, 'utf8')
      expect(kept).toHaveLength(KEPT)
      expect(kept).toMatch(new RegExp(`end ${turn}\\n$`))
    }
    expect(await sizeOf(foreign)).toBe(5 * KEPT)
    expect(await running()).toBe(1)
    await rm(stateDir, { recursive: true })
    await eventually('it has ended', async () => (await running()) === 0, DEADLINE_MS)
  },
  3 * DEADLINE_MS,
)
