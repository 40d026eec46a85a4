/** Programs end in many ways; each comes back as a value. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { failureOf, systemRunner } from '../../../src/lib/runner.ts'
import { eventually } from '../../../tools/kit/netns.ts'

const RUNNER = resolve(import.meta.dirname, '../../../src/lib/runner.ts')

test('output, input and exit code come back', async () => {
  const result = await systemRunner('sh', ['-c', 'cat; echo oops >&2; exit 3'], { stdin: 'hello' })
  expect(result).toEqual({ exitCode: 3, stoppedBy: null, stdout: 'hello', stderr: 'oops\n' })
})

test('arguments are never read by a shell', async () => {
  const { stdout } = await systemRunner('echo', ['$(id)', ';', '*'])
  expect(stdout).toBe('$(id) ; *\n')
})

test('a program that takes too long is killed', async () => {
  const result = await systemRunner('sleep', ['60'], { timeoutMs: 50 })
  expect(result).toMatchObject({ exitCode: null, stoppedBy: 'timeout' })
})

test('a program that moves nothing any more is killed, and one that moves is not', async () => {
  const idleMs = 500
  const hung = await systemRunner('sh', ['-c', 'echo begun; kill -STOP $$'], { idleMs })
  expect(hung).toEqual({ exitCode: null, stoppedBy: 'idle', stdout: 'begun\n', stderr: '' })
  expect(failureOf(hung)).toMatch(/stopped reading and writing/)
  // What it started counts, and so does what says nothing to us.
  const copies = 'for i in $(seq 15); do head -c 9 /dev/zero >/dev/null; sleep 0.1; done'
  const busy = await systemRunner('sh', ['-c', `(${copies}); :`], { idleMs })
  expect(busy).toMatchObject({ exitCode: 0, stoppedBy: null })
})

test('a program that says too much is killed, and what it said is cut', async () => {
  const result = await systemRunner('yes', [], { outputLimitBytes: 100_000 })
  expect(result).toMatchObject({ exitCode: null, stoppedBy: 'output limit' })
  expect(result.stdout.length).toBeLessThanOrEqual(100_000)
})

test('an abort kills, before the start and after', async () => {
  const signal = AbortSignal.abort()
  expect(await systemRunner('sleep', ['60'], { signal })).toMatchObject({ stoppedBy: 'abort' })
  const later = new AbortController()
  const running = systemRunner('sleep', ['60'], { signal: later.signal })
  later.abort()
  expect(await running).toMatchObject({ exitCode: null, stoppedBy: 'abort' })
})

test('a program that ignores its input does no harm', async () => {
  const result = await systemRunner('true', [], { stdin: 'x'.repeat(1_000_000) })
  expect(result.exitCode).toBe(0)
})

test('a program that does not exist rejects with its code', async () => {
  await expect(systemRunner('/no/such/program', [])).rejects.toMatchObject({ code: 'ENOENT' })
})

test('a program that is to end with us does, even when we are killed', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'atoll-runner-'))
  const file = join(dir, 'pid')
  const run = `['-c', 'echo $$ >"$0"; exec sleep 600', '${file}'], { group: true, endsWithUs: true }`
  const ours = `import { systemRunner } from '${RUNNER}'; await systemRunner('sh', ${run})`
  const parent = spawn(process.execPath, ['--input-type=module', '-e', ours], { stdio: 'ignore' })
  try {
    await eventually('the program runs', () => existsSync(file) && readFileSync(file).length > 1)
    const pid = readFileSync(file, 'utf8').trim()
    parent.kill('SIGKILL')
    await once(parent, 'exit')
    await eventually('the program has ended', () => !existsSync(`/proc/${pid}`))
  } finally {
    parent.kill('SIGKILL')
    rmSync(dir, { recursive: true })
  }
  const options = { endsWithUs: true }
  await expect(systemRunner('/no/such', [], options)).rejects.toMatchObject({ code: 'ENOENT' })
  expect(await systemRunner('sh', ['-c', 'exit 127'], options)).toMatchObject({ exitCode: 127 })
})

test('does not pass on how the daemon counts when memory runs out', async () => {
  const file = '/proc/self/oom_score_adj'
  const before = readFileSync(file, 'utf8')
  // Not everybody may set one below 0, which is what the unit file does; either is inherited alike.
  const own = '500'
  writeFileSync(file, own)
  try {
    const look = `until [ "$(cat /proc/$$/oom_score_adj)" = 0 ]; do :; done; echo plain`
    const { stdout } = await systemRunner('sh', ['-c', look])
    expect(stdout).toBe('plain\n')
    expect(readFileSync(file, 'utf8').trim()).toBe(own)
  } finally {
    writeFileSync(file, before)
  }
})
