/** Space on a file system for a file that is about to be written. */
import { freeBytes } from '../../lib/disk-space.ts'
import { unavailable } from '../../model/errors.ts'
import { MIB, mib } from '../../model/sizes.ts'

/** Always left free on the file system. */
const RESERVE_BYTES = 256 * MIB

/** Errors: `unavailable` when so much cannot be written below `dir` and the reserve kept. */
export async function needSpace(dir: string, bytes: number): Promise<void> {
  const missing = bytes + RESERVE_BYTES - (await freeBytes(dir))
  if (missing > 0) throw noSpace(dir, missing)
}

/** The error for a file system, that of `dir`, on which so much is missing. */
export function noSpace(dir: string, missingBytes: number): Error {
  return unavailable(`${mib(missingBytes)} more must be free on the file system of ${dir}`)
}
