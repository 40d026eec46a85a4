/**
 * What is typed, on its way to an instance's terminal: key by key from a terminal here, which is
 * raw meanwhile, or from a pipe to its end.
 */
import { spawnSync } from 'node:child_process'
import type { TerminalLink } from '../lib/terminal-link.ts'
import { unavailable } from '../model/errors.ts'
import { KIB } from '../model/sizes.ts'

/** Ctrl-], as of telnet, virsh and others: no program needs it. */
const DETACH_KEY = 0x1d
/** Typed and not taken by the other end. */
const TYPED_LIMIT_BYTES = 64 * KIB

export interface Keyboard {
  /**
   * Resolves when the detach key was pressed, or the terminal here is gone. Of a pipe it never
   * does.
   */
  readonly detached: Promise<void>
  /** Leaves the terminal as it was found, and reads no more. May be repeated. */
  close(): void
}

/** Reads what is typed, and sends it, from now on. */
export function createKeyboard(link: TerminalLink, input: NodeJS.ReadStream): Keyboard {
  const detached = Promise.withResolvers<void>()
  const restore = input.isTTY ? makeRaw() : () => undefined
  if (input.isTTY) readKeys(link, input, detached.resolve)
  else void pour(link, input)
  // Whatever ends the process.
  process.once('exit', restore)
  return {
    detached: detached.promise,
    close() {
      process.off('exit', restore)
      restore()
      input.destroy()
    },
  }
}

/**
 * Hands every key and every byte through, and gives what undoes that (stty(1), on our standard
 * input). Node's own raw mode would still turn each line feed that is shown into two characters,
 * which programs that draw on the screen do not expect.
 */
function makeRaw(): () => void {
  const before = stty('-g')
  if (before === null || stty('raw', '-echo') === null)
    throw unavailable('cannot set up the terminal: stty failed (Debian: apt-get install coreutils)')
  // One that is gone has no settings.
  return () => void stty(before.trim())
}

function stty(...args: readonly string[]): string | null {
  const ran = spawnSync('stty', args, { stdio: ['inherit', 'pipe', 'ignore'], encoding: 'utf8' })
  return ran.status === 0 ? ran.stdout : null
}

/**
 * The detach key counts even while the other end takes nothing, so reading never waits; what is too
 * much is not kept.
 */
function readKeys(link: TerminalLink, input: NodeJS.ReadStream, detach: () => void): void {
  let waitingBytes = 0
  input.on('data', (bytes: Buffer) => {
    const at = bytes.indexOf(DETACH_KEY)
    const typed = at < 0 ? bytes : bytes.subarray(0, at)
    if (typed.length > 0 && waitingBytes + typed.length <= TYPED_LIMIT_BYTES) {
      waitingBytes += typed.length
      const taken = () => {
        waitingBytes -= typed.length
      }
      link.send({ kind: 'data', bytes: typed }).then(taken, taken)
    }
    if (at >= 0) detach()
  })
  input.on('end', detach)
  input.on('error', detach)
}

async function pour(link: TerminalLink, input: NodeJS.ReadStream): Promise<void> {
  try {
    for await (const bytes of input) await link.send({ kind: 'data', bytes })
    await link.send({ kind: 'eof' })
  } catch {
    // The connection is gone, which whoever reads it tells, or the command ends.
  }
}
