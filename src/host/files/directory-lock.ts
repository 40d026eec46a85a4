/**
 * An exclusive lock on a directory (flock(2)). It is on the directory itself, so it holds for every
 * path and namespace. The kernel releases it when the holder dies: there are no stale locks.
 */
import { closeSync, openSync } from 'node:fs'
import { loadLibc } from '../libc.ts'

/**
 * Takes the lock and returns a function that releases it; null when another process holds it.
 * Errors: the kernel's.
 */
export function takeDirectoryLock(directory: string): (() => void) | null {
  const fd = openSync(directory, 'r')
  if (loadLibc().lock(fd)) return () => closeSync(fd)
  closeSync(fd)
  return null
}
