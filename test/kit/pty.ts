/**
 * A program on a terminal of its own, which the test types to, reads and resizes. util-linux's
 * `script` makes the terminal.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { execute } from '../../tools/kit/cloud.ts'
import { eventually } from '../../tools/kit/netns.ts'

export interface Pty {
  /** Types. */
  type(text: string): void
  /**
   * Waits until the terminal has shown this, beginning where the last wait ended; gives what was
   * shown before it.
   */
  until(text: string): Promise<string>
  /** Gives the terminal another size. */
  resize(columns: number, rows: number): Promise<void>
  /** All that was shown so far. */
  shown(): string
  /** Ends the terminal itself, as a lost line does. */
  cut(): void
  /** Waits for the end of the program; gives its exit code. */
  ended(): Promise<number>
}

const DEADLINE_MS = 60_000

/** Runs a shell command on a new terminal of 90 columns and 30 rows. */
export async function startPty(command: string): Promise<Pty> {
  const whole = `tty; stty cols 90 rows 30; ${command}`
  const child = spawn('script', ['-qec', whole, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const exit = once(child, 'exit')
  let shown = ''
  let seen = 0
  child.stdout.on('data', (bytes: Buffer) => {
    shown += bytes.toString('latin1')
  })
  async function until(text: string): Promise<string> {
    const isThere = () => shown.indexOf(text, seen) >= 0
    await eventually(`the terminal shows ${JSON.stringify(text)}`, isThere, DEADLINE_MS).catch(
      (cause: unknown) => {
        throw new Error(`it shows ${JSON.stringify(shown.slice(seen))}`, { cause })
      },
    )
    const at = shown.indexOf(text, seen)
    const before = shown.slice(seen, at)
    seen = at + text.length
    return before
  }
  const device = (await until('\r\n')).trim()
  return {
    type: (text) => void child.stdin.write(text),
    until,
    async resize(columns, rows) {
      const size = ['cols', String(columns), 'rows', String(rows)]
      const { exitCode, stderr } = await execute('stty', ['-F', device, ...size])
      if (exitCode !== 0) throw new Error(stderr)
    },
    shown: () => shown,
    cut: () => void child.kill('SIGKILL'),
    async ended() {
      const [code] = await exit
      return Number(code)
    },
  }
}
