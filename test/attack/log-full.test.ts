/**
 * The destination of the log is full, gone, or does not read.
 *
 * Before: with stderr on a full disk, or a pipe whose reader was gone, the daemon ended at its next
 * line (ENOSPC, EPIPE); a stopped reader blocked the event loop. Now lines are dropped and counted,
 * nothing waits, and one line says how many were lost.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { until } from '../../tools/lab/run.ts'

const DEADLINE_MS = 30_000

/**
 * Logs as fast as it can, and tells on stdout every 50 ms of how many lines, and of its longest
 * stall.
 */
const LOGGER = `
import { createLog } from '${join(import.meta.dirname, '../../src/lib/log.ts')}'
const log = await createLog({ level: 'info', format: 'json' })
let dropped = 0
log.onDropped?.((lines) => { dropped += lines })
let lines = 0
let longest = 0
let last = performance.now()
setInterval(() => {
  const now = performance.now()
  longest = Math.max(longest, now - last)
  last = now
  for (let n = 0; n < 50; n += 1) log.info({ n: lines++, filler: 'x'.repeat(400) }, 'a line')
}, 5)
setInterval(() => {
  const rss = process.memoryUsage.rss() / 1024 ** 2
  process.stdout.write(JSON.stringify({ lines, dropped, longest, rss }) + '\\n')
}, 50)
`

interface Report {
  readonly lines: number
  readonly dropped: number
  readonly longest: number
  readonly rss: number
}

let directory: string
const children: ChildProcess[] = []

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'atoll-log-'))
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await rm(directory, { recursive: true, force: true })
})

/** Starts the logger; `latest` is its newest report, and null once it has ended. */
async function startLogger(stderr: number | 'cat'): Promise<{ latest(): Report | null }> {
  const file = join(directory, 'logger.ts')
  await writeFile(file, LOGGER)
  const child =
    stderr === 'cat'
      ? spawn('bash', ['-c', `exec node ${file} 2> >(echo $BASHPID >pid; exec cat >read)`], {
          cwd: directory,
          stdio: ['ignore', 'pipe', 'inherit'],
        })
      : spawn('node', [file], { stdio: ['ignore', 'pipe', stderr] })
  children.push(child)
  let latest: Report | null = { lines: 0, dropped: 0, longest: 0, rss: 0 }
  child.once('exit', () => {
    latest = null
  })
  if (child.stdout === null) throw new Error('the logger has no stdout')
  createInterface({ input: child.stdout }).on('line', (line) => {
    latest = JSON.parse(line)
  })
  return { latest: () => latest }
}

/** Waits for a report; a logger that ended is a failure at once. */
async function report(logger: { latest(): Report | null }, holds: (report: Report) => boolean) {
  return await until('a report', DEADLINE_MS, async () => {
    const latest = logger.latest()
    if (latest === null) throw new Error('the log ended its owner')
    return holds(latest) ? latest : null
  })
}

/** Resolves when the log says that lines were lost. */
async function told(file: string): Promise<void> {
  await until('the line about lost lines', DEADLINE_MS, async () =>
    (await readFile(file, 'utf8')).includes('log lines were lost') ? true : null,
  )
}

it('a full disk drops lines, and one line says how many when there is room again', async () => {
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'atoll-test', directory])
  try {
    const file = join(directory, 'log')
    const fd = openSync(file, 'a')
    const logger = await startLogger(fd)
    closeSync(fd)
    const full = await report(logger, ({ dropped }) => dropped > 1_000)
    await writeFile(file, '')
    await report(logger, ({ lines }) => lines > full.lines + 200)
    await told(file)
    const written = (await readFile(file, 'utf8')).split('\n').slice(1, -1)
    const line = written.map((text) => JSON.parse(text)).find(({ lost }) => lost !== undefined)
    expect(line).toMatchObject({ level: 'warn', lost: expect.any(Number) })
    expect(line.lost).toBeGreaterThanOrEqual(1_000)
  } finally {
    for (const child of children.splice(0)) child.kill('SIGKILL')
    await until('the end of the logger', DEADLINE_MS, async () => unmount(directory))
  }
})

function unmount(at: string): true | null {
  try {
    execFileSync('umount', [at], { stdio: 'ignore' })
    return true
  } catch {
    return null
  }
}

it('a device that takes nothing drops all lines', async () => {
  const fd = openSync('/dev/full', 'w')
  const logger = await startLogger(fd)
  closeSync(fd)
  const { lines, dropped } = await report(logger, (seen) => seen.dropped > 1_000)
  expect(dropped).toBeLessThanOrEqual(lines)
})

it('a reader that is stopped is not waited for, and memory stays bounded', async () => {
  const logger = await startLogger('cat')
  const before = await report(logger, ({ lines }) => lines > 500)
  const reader = Number(await readFile(join(directory, 'pid'), 'utf8'))
  process.kill(reader, 'SIGSTOP')
  try {
    const stopped = await report(logger, ({ dropped }) => dropped > 20_000)
    expect(stopped.rss).toBeLessThan(before.rss + 100)
    process.kill(reader, 'SIGCONT')
    const read = join(directory, 'read')
    await told(read)
  } finally {
    process.kill(reader, 'SIGKILL')
  }
})

it('a reader that has exited does not end the daemon', async () => {
  const logger = await startLogger('cat')
  await report(logger, ({ lines }) => lines > 500)
  process.kill(Number(await readFile(join(directory, 'pid'), 'utf8')), 'SIGKILL')
  await report(logger, ({ dropped }) => dropped > 1_000)
})
