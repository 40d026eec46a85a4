/**
 * The number of bytes that a program and its descendants have read and written, as the kernel
 * counts them.
 */
import { readFile } from 'node:fs/promises'

/** In `/proc/<pid>/io` (proc_pid_io(5)): bytes of read(2), write(2) and similar calls. */
const MOVED = /^[rw]char: (?<bytes>\d+)$/gm
/** The programs that we start have fewer generations of children. */
const GENERATIONS_MAX = 8

/**
 * Bytes that the process and its descendants have read and written. Null when the kernel does not
 * say. Ended processes count only once their parent has waited for them, so results may decrease:
 * compare them only for equality.
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

/** The children of the first thread. The programs that we start have no others. */
async function childrenOf(pid: number): Promise<readonly number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  return text.split(' ').filter(Boolean).map(Number)
}
