/**
 * Sends what is typed to the terminal of an instance: key by key from a terminal, which is in raw
 * mode meanwhile, or a pipe to its end.
 */
import { spawnSync } from 'node:child_process'
import type { TerminalLink } from '../lib/terminal-link.ts'
import { unavailable } from '../model/errors.ts'
import { KIB } from '../model/sizes.ts'

/** Ctrl-], as in telnet and virsh. */
const DETACH_KEY = 0x1d
/** Limit of bytes that are typed but not yet sent. */
const TYPED_LIMIT_BYTES = 64 * KIB

export interface Keyboard {
  /** Resolves when the detach key is pressed or the terminal is closed; never for a pipe. */
  readonly detached: Promise<void>
  /** Stops reading and restores the terminal's settings. May be repeated. */
  close(): void
}

/** Starts to read and to send what is typed. */
export function createKeyboard(link: TerminalLink, input: NodeJS.ReadStream): Keyboard {
  const detached = Promise.withResolvers<void>()
  const restore = input.isTTY ? makeRaw() : () => undefined
  if (input.isTTY) readKeys(link, input, detached.resolve)
  else void sendPipe(link, input)
  // However the process ends.
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
 * Sets the terminal on standard input to raw mode (stty(1)), and returns a function that restores
 * it. Node's own raw mode would still write a carriage return for each line feed, which spoils the
 * output of full-screen programs.
 */
function makeRaw(): () => void {
  const before = stty('-g')
  if (before === null || stty('raw', '-echo') === null)
    throw unavailable('stty cannot set the terminal to raw mode: is coreutils installed?')
  // A terminal that is gone has no settings: a failure does not matter.
  return () => void stty(before.trim())
}

function stty(...args: readonly string[]): string | null {
  const ran = spawnSync('stty', args, { stdio: ['inherit', 'pipe', 'ignore'], encoding: 'utf8' })
  return ran.status === 0 ? ran.stdout : null
}

/**
 * Reading never waits, so that the detach key works while the other end takes nothing. What exceeds
 * the limit is dropped.
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

async function sendPipe(link: TerminalLink, input: NodeJS.ReadStream): Promise<void> {
  try {
    for await (const bytes of input) await link.send({ kind: 'data', bytes })
    await link.send({ kind: 'eof' })
  } catch {
    // The connection is lost. The code that reads from it reports this.
  }
}
