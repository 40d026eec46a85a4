/** The copy of the code that a daemon runs from is made again when it is gone. */
import { execFile } from 'node:child_process'
import {
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { keepCodeCopy } from '../../src/code-copy.ts'
import { type Clock, systemClock } from '../../src/lib/clock.ts'
import { exists } from '../../src/lib/files.ts'
import { systemRunner } from '../../src/lib/runner.ts'
import { silentLog } from '../../tools/kit/log.ts'

const ROOT = join(import.meta.dirname, '../..')
const run = promisify(execFile)

let directory: string
let root: string
/** What a daemon would run. */
let file: string
let stop: () => void
let said: string[]

/** A checkout with one file, and its copy. */
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'atoll-copy-'))
  root = join(directory, 'checkout')
  await mkdir(join(root, 'src'), { recursive: true })
  await writeFile(join(root, 'src/main.ts'), "console.log('here' as string)\n")
  await writeFile(join(root, 'src/helper.sh'), 'exit 0\n')
  await cp(join(ROOT, 'package.json'), join(root, 'package.json'))
  for (const name of ['node_modules', 'scripts', 'bin'])
    await symlink(join(ROOT, name), join(root, name))
  vi.stubEnv('ATOLL_CACHE', join(directory, 'cache'))
  const { stdout } = await run('/bin/sh', [
    '-c',
    'root=$1 part=main; . "$1/bin/stripped.sh"; echo "$main"',
    'sh',
    root,
  ])
  file = stdout.trim()
  said = []
  stop = () => {}
})
afterEach(async () => {
  stop()
  vi.unstubAllEnvs()
  await rm(directory, { recursive: true, force: true })
})

/** Keeps it, by a clock that is in a hurry. */
async function keep(): Promise<void> {
  const clock: Clock = { ...systemClock, after: (_ms, look) => systemClock.after(10, look) }
  const log = { ...silentLog, warn: note, error: note }
  stop = await keepCodeCopy({ file, run: systemRunner, clock, log })
}
function note(_fields: object, message: string): void {
  said.push(message)
}

it('whole, however much of it was removed', async () => {
  expect(file).toMatch(/\/cache\/src-[0-9a-f]{32}\/src\/main\.js$/)
  await keep()
  const copy = dirname(dirname(file))
  for (const gone of [copy, join(copy, 'src')]) {
    await rename(gone, await mkdtemp(join(directory, 'gone-')))
    await expect.poll(() => exists(file)).toBe(true)
    expect(await readFile(join(copy, 'src/helper.sh'), 'utf8')).toBe('exit 0\n')
  }
  await expect.poll(() => said).toHaveLength(2)
  expect(said[0]).toContain('was made again')
  expect(await readdir(dirname(copy))).toHaveLength(1)
})

it('and is shown to be in use', async () => {
  const copy = dirname(dirname(file))
  await utimes(copy, 1, 1)
  await keep()
  await expect.poll(async () => (await stat(copy)).mtimeMs).toBeGreaterThan(1_000_000_000)
})

it('but not of other code: that is told once', async () => {
  await keep()
  await writeFile(join(root, 'src/main.ts'), 'newer\n')
  await rm(dirname(dirname(file)), { recursive: true })
  await expect.poll(() => said).toEqual([expect.stringContaining('restart this daemon')])
  expect(await exists(file)).toBe(false)
})

it('and where the checkout itself runs there is nothing to keep', async () => {
  const refuse = () => Promise.reject(new Error('it ran something'))
  stop = await keepCodeCopy({
    ...{ file: join(ROOT, 'src/main.ts'), run: refuse, log: silentLog },
    clock: { ...systemClock, after: () => expect.unreachable() },
  })
})
