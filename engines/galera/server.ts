/** This machine's mariadbd, seen from outside: its process and its data directory. */

import { readdir, readFile, stat } from 'node:fs/promises'
import { constants } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const PROGRAM = 'mariadbd'
const LOOK_AGAIN_MS = 200
/** A stopping server writes its memory to the disk. What it has committed is already there. */
const END_MS = 30_000
/** The server's own directory has a few dozen entries, and each database some hundred. */
const ENTRIES_LIMIT = 20_000
/** Galera's ring buffer, its page files, and the last view. */
const GALERA_FILES = /^(?:galera\.cache|gcache\.page\..*|gvwstate\..*)$/

/** A process. Its start time distinguishes it from a later one with the same id. */
export interface ServerProcess {
  readonly pid: number
  readonly start: string
}

/** The mariadbd that runs on this data directory (`--datadir=DIR`). Null when there is none. */
export async function findServer(dataDir: string): Promise<ServerProcess | null> {
  const wanted = `--datadir=${resolve(dataDir)}`
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const pid = Number(name)
    const process = await processOf(pid)
    if (process === null) continue
    const argv = (await readQuietly(`/proc/${pid}/cmdline`)).split('\0')
    if (argv.some((argument) => argument.replace(/\/+$/, '') === wanted)) return process
  }
  return null
}

/** The process with this id, if it is a running mariadbd. */
async function processOf(pid: number): Promise<ServerProcess | null> {
  const line = await readQuietly(`/proc/${pid}/stat`)
  const open = line.indexOf('(')
  const close = line.lastIndexOf(')')
  // proc(5): the name is field 2, the state field 3, the start field 22.
  const fields = line.slice(close + 2).split(' ')
  if (line.slice(open + 1, close) !== PROGRAM || fields[0] === 'Z') return null
  return { pid, start: fields[19] ?? '' }
}

/**
 * Stops it regularly or kills it (what it has committed is on the disk), and waits for its end.
 * False: it is still there.
 */
export async function endServer(server: ServerProcess, patienceMs = END_MS): Promise<boolean> {
  for (const signal of [constants.signals.SIGTERM, constants.signals.SIGKILL]) {
    if (!(await isThere(server))) return true
    try {
      process.kill(server.pid, signal)
    } catch (error) {
      // ESRCH: it has ended meanwhile.
      if (await isThere(server)) throw error
    }
    const deadline = performance.now() + patienceMs
    while ((await isThere(server)) && performance.now() < deadline) await sleep(LOOK_AGAIN_MS)
  }
  return !(await isThere(server))
}

async function isThere({ pid, start }: ServerProcess): Promise<boolean> {
  return (await processOf(pid))?.start === start
}

/**
 * Changes whenever a file in the data directory was written, created or removed. Galera's own cache
 * gets the commits of other nodes in any case, so it does not count.
 */
export async function dataFingerprint(dataDir: string): Promise<string> {
  let newest = 0
  let count = 0
  let bytes = 0
  const open = [dataDir]
  for (let directory = open.pop(); directory !== undefined; directory = open.pop()) {
    for (const entry of await readdir(directory, { withFileTypes: true }).catch(() => [])) {
      if (count >= ENTRIES_LIMIT) break
      if (GALERA_FILES.test(entry.name)) continue
      const path = join(directory, entry.name)
      const found = await stat(path).catch(() => null)
      if (found === null) continue
      count += 1
      bytes += found.size
      newest = Math.max(newest, found.mtimeMs)
      if (entry.isDirectory()) open.push(path)
    }
  }
  return `${count} ${bytes} ${newest}`
}

async function readQuietly(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '')
}
