/**
 * Unpacking gzip in the jail (`host/processes/jail.ts`): zlib has been broken by what it unpacked
 * before, and the daemon is root.
 */
import { once } from 'node:events'
import { pipeline } from 'node:stream/promises'
import { jailCommand, jailMissing } from '../host/processes/jail.ts'
import { startWith } from '../lib/runner.ts'
import { bug, refused } from '../model/errors.ts'
import { MIB } from '../model/sizes.ts'

const LIMITS = { seconds: 3600, memoryBytes: 64 * MIB, fileBytes: 0 } as const
/** Of what gzip says when it gives up. */
const REASON_BYTES = 300

/**
 * A stage of a pipeline: what comes in, unpacked. Ends the program when nobody reads on. Errors:
 * `refused` when it is damaged, `name` is said then; `unavailable` when there is no jail.
 */
export function gunzip(name: string, signal: AbortSignal) {
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
      await started
      // A program that gives up closes its side; its exit code tells the story.
      const fed = pipeline(packed, stdin, { signal }).catch((error: unknown) => error)
      yield* stdout
      const [exitCode] = await ended
      if (exitCode !== 0)
        throw refused('InvalidParameterValue', `${name} is damaged: ${reason.trim()}`)
      const failure = await fed
      if (failure instanceof Error) throw failure
    } finally {
      child.kill('SIGKILL')
    }
  }
}
