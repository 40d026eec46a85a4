/**
 * Programs in the sandbox that never end: gzip and qemu-img are stopped (SIGSTOP) during their
 * work.
 *
 * Before: gzip kept its place for ever, one of four of an account; qemu-img kept its place for four
 * hours, one of two of the host. Now a program that makes no progress is killed, and the image says
 * so.
 */
import { randomFillSync } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { gunzip } from '../../src/containers/gunzip.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { hasCode } from '../../src/lib/errno.ts'
import { systemRunner } from '../../src/lib/runner.ts'
import { convert } from '../../src/machines/convert.ts'
import { formatId, ID_BYTES } from '../../src/model/ids.ts'
import { MIB } from '../../src/model/sizes.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { fastClock } from '../kit/fast-clock.ts'
import { processesLike } from '../kit/hung.ts'

/** Two minutes are a second and a half. */
const TIMES = 80
const DEADLINE_MS = 60_000
const isRoot = process.getuid?.() === 0

describe.skipIf(!isRoot)('a program in the jail that hangs (needs root)', () => {
  let dir = ''
  const never = new AbortController().signal

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'atoll-jail-hung-'))
  })
  afterEach(() => rm(dir, { recursive: true, force: true }))

  /** Those that this process has started, by the beginning of their command line. */
  async function ours(command: string): Promise<readonly number[]> {
    const found = await processesLike((line) => line.startsWith(command))
    const isOurs = await Promise.all(found.map(descends))
    return found.filter((_pid, index) => isOurs[index])
  }

  /** Stops it as soon as it is there. Returns false if `work` has ended before. */
  async function stop(command: string, work: Promise<unknown>): Promise<boolean> {
    let isOver = false
    const over = () => {
      isOver = true
    }
    work.then(over, over)
    let pids: readonly number[] = []
    const isThere = async () => {
      pids = await ours(command)
      return pids.length > 0 || isOver
    }
    await eventually('it runs', isThere, DEADLINE_MS)
    for (const pid of pids) kill(pid, 'SIGSTOP')
    return pids.length > 0 && !isOver
  }

  it('gzip: is killed, and says which image it was', async () => {
    const noise = gzipSync(randomFillSync(Buffer.alloc(8 * MIB)), { level: 0 })
    const unpack = gunzip('file:///x.gz', fastClock(TIMES), never)
    const read = (async () => {
      let isStopped = false
      for await (const chunk of unpack(chunksOf(noise))) {
        expect(chunk.length).toBeGreaterThan(0)
        if (!isStopped) await stop('gzip -dc', new Promise(() => undefined))
        isStopped = true
      }
    })()
    await expect(read).rejects.toThrow(/file:\/\/\/x.gz was not unpacked: gzip/)
    await eventually('it is gone', async () => (await ours('gzip -dc')).length === 0)
  })

  it('gzip: may wait for its reader for as long as it likes', async () => {
    const zeros = gzipSync(Buffer.alloc(4 * MIB))
    let bytes = 0
    for await (const chunk of gunzip('x', fastClock(10 * TIMES), never)(chunksOf(zeros))) {
      if (bytes === 0) await systemClock.sleep(400)
      bytes += chunk.length
    }
    expect(bytes).toBe(4 * MIB)
  })

  it(
    'qemu-img: is killed, and says whose disk it was',
    async () => {
      const path = join(dir, 'raw')
      await writeFile(path, randomFillSync(Buffer.alloc(256 * MIB)))
      const want = {
        id: formatId('ami', Buffer.alloc(ID_BYTES, 1)),
        instance: formatId('i', Buffer.alloc(ID_BYTES, 1)),
      }
      const tools = {
        run: systemRunner,
        clock: systemClock,
        settings: { maxBytes: 1024 * MIB },
        idleMs: 1_500,
      }
      const job = { want, making: { dir }, progress: () => undefined, signal: never }
      const start = () => convert(tools, job as never, [{ format: 'raw', path }])
      let copied = start()
      // On a fast disk it may end before it is seen.
      while (!(await stop('qemu-img convert', copied))) copied = start()
      await expect(copied).rejects.toThrow(
        new RegExp(
          `the disk of ${want.instance} was not copied: qemu-img: it stopped reading and writing`,
        ),
      )
      await eventually('it is gone', async () => (await ours('qemu-img convert')).length === 0)
    },
    DEADLINE_MS,
  )
})

/** As `process.kill`; one that has ended meanwhile is none. */
function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (!hasCode(error, 'ESRCH')) throw error
  }
}

async function descends(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '')
  const parent = Number(/^PPid:\s+(\d+)$/m.exec(status)?.[1] ?? 0)
  return parent === process.pid || (parent > 1 && (await descends(parent)))
}

async function* chunksOf(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes
}
