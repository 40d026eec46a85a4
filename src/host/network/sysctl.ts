/**
 * Kernel settings below /proc/sys/net, always those of the calling thread's network namespace.
 *
 * They are read and written synchronously (no disk is involved), so that a caller that enters
 * another namespace for one step reaches the settings there.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { errnoOf } from '../../lib/errno.ts'

/** The value, or null when this kernel or namespace has no such setting. */
export function readSetting(name: string): string | null {
  try {
    return readFileSync(`/proc/sys/net/${name}`, 'utf8').trim()
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null
    throw error
  }
}

/**
 * Writes the value where it differs. Returns whether it wrote; a setting that does not exist is
 * left alone.
 */
export function ensureSetting(name: string, value: string): boolean {
  const have = readSetting(name)
  if (have === null || have === value) return false
  writeSetting(name, value)
  return true
}

/** Throws the kernel's error when it does not take the value. */
export function writeSetting(name: string, value: string): void {
  writeFileSync(`/proc/sys/net/${name}`, value)
}
