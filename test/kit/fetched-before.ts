/**
 * What tests fetch from a mirror, fetched before any of them: a test file moves into a network namespace of its own, where no
 * mirror is reached. Vitest runs this once in its own process ("globalSetup").
 */
import { canRunMachines, tinyGuest } from './tiny-guest.ts'

/** Makes the tiny guest where the machine can run one. */
export async function setup(): Promise<void> {
  if (canRunMachines()) await tinyGuest()
}
