/**
 * A program whose doings are removed when it has ended, however it ends: it runs in a process group
 * of its own, so that nothing of it goes on during the removal.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:os'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
type Ending = (typeof SIGNALS)[number]

/**
 * Runs Node with these arguments, and `remove` after it. Each of `SIGNALS` ends the program and all
 * that it has started in its group, at once; more of them do not disturb `remove`. If this process
 * is killed, the program is, too. Returns the exit code, after a signal that of a shell (128 and
 * the number of the signal). Errors: those of `remove`.
 */
export async function runAndRemove(
  argv: readonly string[],
  remove: () => Promise<void>,
  told: (signal: Ending) => void,
): Promise<number> {
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', process.execPath, ...argv], {
    stdio: 'inherit',
    detached: true,
  })
  const ended = once(child, 'exit')
  let signal: Ending | null = null
  for (const one of SIGNALS)
    process.on(one, () => {
      if (signal !== null) return
      signal = one
      told(one)
      endGroup(child.pid)
    })
  const [exitCode] = await ended
  endGroup(child.pid)
  await remove()
  if (signal !== null) return 128 + constants.signals[signal]
  return typeof exitCode === 'number' ? exitCode : 1
}

function endGroup(leader: number | undefined): void {
  if (leader === undefined) return
  try {
    process.kill(-leader, 'SIGKILL')
  } catch {
    // All of it has ended.
  }
}
