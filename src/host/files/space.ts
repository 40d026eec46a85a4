/** Checks free space on a file system before a file is written. */
import { freeBytes } from '../../lib/disk-space.ts'
import { unavailable } from '../../model/errors.ts'
import { MIB, mib } from '../../model/sizes.ts'

/** Always left free on the file system. */
const RESERVE_BYTES = 256 * MIB

/** Errors: `unavailable` when this much cannot be written below `dir` without using the reserve. */
export async function needSpace(dir: string, bytes: number): Promise<void> {
  const missing = bytes + RESERVE_BYTES - (await freeBytes(dir))
  if (missing > 0) throw noSpace(dir, missing)
}

/** The error when the file system of `dir` lacks this many bytes. */
export function noSpace(dir: string, missingBytes: number): Error {
  return unavailable(`${mib(missingBytes)} more must be free on the file system of ${dir}`)
}
