/**
 * How many bytes a program and all its descendants have read and written, as the kernel counts
 * them.
 */
import { readFile } from 'node:fs/promises'

/** In `/proc/<pid>/io` (proc_pid_io(5)): bytes by read(2), write(2) and their like. */
const MOVED = /^[rw]char: (?<bytes>\d+)$/gm
/** Nobody whom we start has as many generations of children. */
const GENERATIONS_MAX = 8

/**
 * Bytes that the process and its descendants have read and written; null when the kernel does not
 * tell. What has ended counts as far as its parent has heard of it, so that two results are to be
 * compared for being equal, not for which is greater.
 */
export async function bytesMoved(pid: number): Promise<number | null> {
  try {
    return await movedBy([pid], GENERATIONS_MAX)
  } catch {
    return null
  }
}

async function movedBy(pids: readonly number[], generations: number): Promise<number> {
  let bytes = 0
  for (const pid of pids) {
    const account = await readFile(`/proc/${pid}/io`, 'utf8')
    for (const { groups } of account.matchAll(MOVED)) bytes += Number(groups?.['bytes'])
    if (generations > 0) bytes += await movedBy(await childrenOf(pid), generations - 1)
  }
  return bytes
}

/** Those of its first thread: programs that we start have children by no other. */
async function childrenOf(pid: number): Promise<readonly number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return text.split(' ').filter(Boolean).map(Number)
}
