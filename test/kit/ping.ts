/** Whether a machine of a lab answers another's pings. */
import type { Netns } from '../../tools/kit/netns.ts'

/** How often nothing has to come back before that says something. */
const PINGS = 5
const DEADLINE_MS = 20_000
const SENT = /^(\d+) packets transmitted/m

/**
 * Whether one of the pings of two seconds is answered. A link that has just come up, and a
 * neighbour whose Ethernet address is being asked for, lose the first ones. On a busy machine ping
 * may end before it has looked for answers; then it has sent few, and is run again.
 */
export async function reaches(
  from: Netns,
  to: string,
  ...flags: readonly string[]
): Promise<boolean> {
  const began = performance.now()
  for (;;) {
    const { exitCode, stdout } = await from.run(['ping', '-c1', '-w2', '-i0.2', ...flags, to])
    if (exitCode === 0) return true
    const sent = Number(SENT.exec(stdout)?.[1] ?? PINGS)
    if (sent >= PINGS || performance.now() - began > DEADLINE_MS) return false
  }
}

/** Whether one ping is answered within half a second: for tests that count what is dropped. */
export async function onePingReaches(from: Netns, to: string): Promise<boolean> {
  return (await from.run(['ping', '-c1', '-W0.5', to])).exitCode === 0
}
