/**
 * The copy of src that the daemon runs: it works without a stripper, and its lines are those of the
 * source.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '../../..')
const SCRIPT = join(ROOT, 'scripts/strip-types.ts')
const run = promisify(execFile)
const TIMEOUT_MS = 60_000
let directory: string
let copy: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'atoll-strip-'))
  copy = join(directory, 'src-1')
  // Two at once, as two daemons of one machine would.
  await Promise.all([strip(copy), strip(copy)])
}, TIMEOUT_MS)

afterAll(() => rm(directory, { recursive: true, force: true }))

function strip(target: string) {
  return run(process.execPath, ['--disable-warning=ExperimentalWarning', SCRIPT, ROOT, target])
}

it(
  'runs in a Node that strips nothing',
  async () => {
    const main = join(copy, 'src/main.js')
    const { stdout } = await run(process.execPath, ['--no-strip-types', main, '--version'])
    expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/)
  },
  TIMEOUT_MS,
)

it('has each file of the source, line by line, and imports no other', async () => {
  const paths = async (of: string) =>
    (await readdir(of, { recursive: true }))
      .filter((path) => /\.(?:[jt]s|sh)$/.test(path))
      .toSorted()
  const sources = await paths(join(ROOT, 'src'))
  expect(await paths(join(copy, 'src'))).toEqual(
    sources.map((path) => path.replace(/\.ts$/, '.js')).toSorted(),
  )
  for (const path of sources) {
    const source = await readFile(join(ROOT, 'src', path), 'utf8')
    const stripped = await readFile(join(copy, 'src', path.replace(/\.ts$/, '.js')), 'utf8')
    expect(stripped.split('\n').length).toBe(source.split('\n').length)
    expect(stripped).not.toMatch(/^\s*(?:import|export)\b.*'\.\S*\.ts'/m)
  }
})

it(
  'leaves nothing but the one copy, also where none can be made',
  async () => {
    expect(await readdir(directory)).toEqual(['src-1'])
    await writeFile(join(directory, 'file'), '')
    await expect(strip(join(directory, 'file/src-1'))).rejects.toMatchObject({ code: 1 })
  },
  TIMEOUT_MS,
)
