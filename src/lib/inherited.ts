/** Descriptors that a process inherits from whoever started it. */
import { fstatSync } from 'node:fs'

/** Whether a descriptor is open and a socket. */
export function isSocket(fd: number): boolean {
  try {
    return fstatSync(fd).isSocket()
  } catch {
    return false
  }
}
