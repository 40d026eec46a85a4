/** Whether a machine of a lab answers another's pings. */
import type { Netns } from '../../tools/kit/netns.ts'

/**
 * Whether one of the pings of two seconds is answered. A link that has just come up, a neighbour
 * whose Ethernet address is being asked for and a busy machine lose the first ones.
 */
export async function reaches(
  from: Netns,
  to: string,
  ...flags: readonly string[]
): Promise<boolean> {
  return (await from.run(['ping', '-c1', '-w2', '-i0.2', ...flags, to])).exitCode === 0
}

/** Whether one ping is answered within half a second: for tests that count what is dropped. */
export async function onePingReaches(from: Netns, to: string): Promise<boolean> {
  return (await from.run(['ping', '-c1', '-W0.5', to])).exitCode === 0
}
