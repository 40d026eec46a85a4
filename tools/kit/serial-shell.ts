/** The shell of a guest, on its serial console. */
import { randomBytes } from 'node:crypto'
import { createConnection } from 'node:net'
import { eventually } from './netns.ts'

/** An emulated shell on a busy machine. */
const DEADLINE_MS = 60_000

/** Types a command into it, and reads up to its end. Errors: also those of connecting. */
export async function serialShell(path: string, command: string): Promise<string> {
  const mark = randomBytes(6).toString('hex')
  const socket = createConnection(path)
  let failure: Error | null = null
  socket.on('error', (error) => {
    failure = error
  })
  // Asked in two pieces, so that the echo of what is typed does not look like the answer.
  socket.write(`\necho "begin"-${mark}; ${command}; echo "end"-${mark}\n`)
  let seen = ''
  socket.on('data', (bytes: Buffer) => {
    seen += bytes.toString('latin1')
  })
  try {
    const ended = () => {
      if (failure !== null) throw failure
      return seen.includes(`end-${mark}`)
    }
    await eventually(`the guest ran ${command}`, ended, DEADLINE_MS)
    return seen.slice(seen.indexOf(`begin-${mark}`) + mark.length + 6, seen.indexOf(`end-${mark}`))
  } finally {
    socket.destroy()
  }
}
