/** One session: carries bytes between a terminal and a connection. */
import { once } from 'node:events'
import type { Screen, Terminal } from '../../lib/terminal.ts'
import type { TerminalLink } from '../../lib/terminal-link.ts'
import type { TerminalMessage } from '../../lib/terminal-protocol.ts'
import { AtollError } from '../../model/errors.ts'

/**
 * Carries bytes both ways until either side ends, and then ends both. `screen` is null for a pipe.
 * Returns the reason in words. Never fails.
 */
export async function runSession(
  link: TerminalLink,
  terminal: Terminal,
  screen: Screen | null,
): Promise<string> {
  // The character of Enter on a terminal. Without a terminal nothing converts it to a line feed.
  const lineEnd = Buffer.from(terminal.kind === 'shell' && screen === null ? '\n' : '\r')
  const leaving = takeInput(link, terminal, lineEnd).then(
    () => 'detached',
    // The connection is gone, or carries invalid data. Nothing more can be sent to the client.
    (error: unknown) => `connection ended: ${String(error)}`,
  )
  const ending = giveOutput(link, terminal).catch(lastWords)
  const first = await Promise.race([leaving, ending])
  if (typeof first === 'string') {
    await Promise.all([terminal.close(), link.close()])
    return first
  }
  await Promise.all([link.close(first), terminal.close()])
  return first.reason
}

async function takeInput(link: TerminalLink, terminal: Terminal, lineEnd: Buffer): Promise<void> {
  const { input } = terminal
  input.on('error', () => undefined)
  for await (const message of link.messages()) {
    if (message.kind === 'resize') await terminal.resize(message.columns, message.rows)
    else if (input.writableEnded || input.destroyed) continue
    else if (message.kind === 'eof') input.end()
    else if (message.kind === 'data' || message.kind === 'line') {
      const { kind, bytes } = message
      const typed = kind === 'line' ? Buffer.concat([bytes, lineEnd]) : bytes
      if (!input.write(typed)) await roomIn(terminal, link)
    }
  }
}

/** Resolves when more can be written, or when writing is pointless. */
async function roomIn({ input }: Terminal, { gone }: TerminalLink): Promise<void> {
  const closed = new AbortController()
  const onClose = () => closed.abort()
  input.once('close', onClose)
  const signal = AbortSignal.any([closed.signal, gone])
  await once(input, 'drain', { signal }).catch(() => undefined)
  input.off('close', onClose)
}

type End = TerminalMessage & { readonly kind: 'exit' }

async function giveOutput(link: TerminalLink, terminal: Terminal): Promise<End> {
  await link.send({ kind: 'attached', terminal: terminal.kind })
  for await (const bytes of terminal.output) await link.send({ kind: 'data', bytes })
  return { kind: 'exit', ...(await terminal.end()) }
}

/** The last message of a session that failed on our side. */
function lastWords(error: unknown): End {
  const reason = error instanceof AtollError ? error.message : 'the console failed'
  return { kind: 'exit', exitCode: null, reason }
}
