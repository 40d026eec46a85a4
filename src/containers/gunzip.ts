/**
 * Unpacks gzip in the jail (`host/processes/jail.ts`): hostile input has broken zlib before, and
 * the daemon is root.
 */
import { once } from 'node:events'
import { pipeline } from 'node:stream/promises'
import { jailCommand, jailMissing } from '../host/processes/jail.ts'
import type { Clock } from '../lib/clock.ts'
import { withDeadline } from '../lib/deadline.ts'
import { startWith } from '../lib/runner.ts'
import { bug, refused, unavailable } from '../model/errors.ts'
import { MIB } from '../model/sizes.ts'

const LIMITS = { seconds: 3600, memoryBytes: 64 * MIB, fileBytes: 0 } as const
/** Maximum length of gzip's error message. */
const REASON_BYTES = 300
/**
 * A program without output for this long hangs, and would occupy its place. Time in which nobody
 * reads does not count.
 */
const IDLE_MS = 120_000

/**
 * A stage of a pipeline that unpacks its input. Ends the program when nobody reads any more.
 * Errors: `refused` when the input is damaged, with `name`; `unavailable` when there is no jail,
 * and when the program hangs.
 */
export function gunzip(name: string, clock: Pick<Clock, 'after'>, signal: AbortSignal) {
  const late = () => unavailable(`${name} was not unpacked: gzip stopped and was killed`)
  const soon = <T>(work: () => Promise<T>) =>
    withDeadline({ clock, ms: IDLE_MS, late, signal }, work)

  return async function* unpack(packed: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    const order = { program: 'gzip', args: ['-dc'], limits: LIMITS, files: [] }
    const { program, args, inherit } = jailCommand(order)
    const child = startWith(program, args, 'pipe', inherit)
    const { stdin, stdout, stderr } = child
    if (stdin === null || stdout === null) throw bug('a program without its pipes')
    const started = once(child, 'spawn').catch((error: unknown) => {
      throw jailMissing(error)
    })
    const ended = once(child, 'close')
    ended.catch(() => undefined)
    let reason = ''
    stderr?.on('data', (chunk: Buffer) => {
      reason = (reason + chunk.toString('latin1')).slice(0, REASON_BYTES)
    })
    try {
      await soon(() => started)
      // A program that fails closes its input. Its exit code says why.
      const fed = pipeline(packed, stdin, { signal }).catch((error: unknown) => error)
      const chunks = stdout[Symbol.asyncIterator]()
      for (;;) {
        const { done, value } = await soon(() => chunks.next())
        if (done === true) break
        yield value
      }
      const [exitCode] = await soon(() => ended)
      if (exitCode !== 0)
        throw refused('InvalidParameterValue', `${name} is damaged: ${reason.trim()}`)
      const failure = await fed
      if (failure instanceof Error) throw failure
    } finally {
      child.kill('SIGKILL')
      stdout.destroy()
    }
  }
}
