/**
 * Downloads what tests need from a mirror, before any of them runs: a test file moves into a
 * network namespace of its own, where no mirror can be reached. Vitest runs this once in its own
 * process ("globalSetup").
 */

import { canRunMachines, tinyGuest } from '../../tools/kit/tiny-guest.ts'
import { fetchPackages } from './debian-packages.ts'

/**
 * Makes the tiny guest where the machine can run one, and fetches programs that are not installed.
 */
export async function setup(): Promise<void> {
  // Tests that need one of them say that it is not there.
  await fetchPackages().catch((error: unknown) => process.stderr.write(`${error}\n`))
  if (canRunMachines()) await tinyGuest()
}
