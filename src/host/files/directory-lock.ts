/**
 * One process at a time for a directory: a lock on the directory itself, by whatever path and in
 * whatever namespace it is reached. The kernel frees it the moment the holder dies, so there is
 * never a stale one (flock(2)).
 */
import { closeSync, openSync } from 'node:fs'
import { loadLibc } from '../libc.ts'

/**
 * Takes the lock, or returns null when another process holds it. The returned function gives it
 * back. Errors: the kernel's.
 */
export function takeDirectoryLock(directory: string): (() => void) | null {
  const fd = openSync(directory, 'r')
  if (loadLibc().lock(fd)) return () => closeSync(fd)
  closeSync(fd)
  return null
}
