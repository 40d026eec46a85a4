/**
 * The copy of the code that a daemon runs from (`bin/stripped.sh`). It lies in a cache, which
 * anybody may empty at any time (FHS 3.0, 5.5). The daemon goes on without it, but later it reads a
 * container's entry script there, and starts programs for virtual machines and consoles. So it
 * shows that the copy is in use, and makes it again when it is gone.
 */
import { readlink, utimes } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import type { Clock } from './lib/clock.ts'
import { exists } from './lib/files.ts'
import type { Log } from './lib/log.ts'
import { removeTree } from './lib/paths.ts'
import { failureOf, type Runner } from './lib/runner.ts'

const LOOK_MS = 60_000
const MAKE_MS = 300_000
/** Makes the copy of the checkout as it is now. What is there already stays. */
const MAKE = 'root=$1 part=main; . "$root/bin/stripped.sh"'

/** What looks after the copy. */
interface CopyKeeperOptions {
  /** A file of `src` in the copy. */
  readonly file?: string
  readonly run: Runner
  readonly clock: Clock
  readonly log: Log
}

/**
 * Looks at the copy at intervals, and makes it again if it is gone. Does nothing for code that runs
 * from the checkout. Returns what ends that.
 */
export async function keepCodeCopy({
  file = import.meta.filename,
  run,
  clock,
  log,
}: CopyKeeperOptions): Promise<() => void> {
  if (extname(file) !== '.js') return () => undefined
  const copy = dirname(dirname(file))
  // The checkout's may be a link, too.
  const root = dirname(await readlink(join(copy, 'node_modules')))
  let isGone = false
  let cancel = () => {}

  async function look(): Promise<void> {
    if (await exists(file)) {
      // What has not been used for long is removed (`scripts/strip-types.ts`).
      const now = new Date(clock.now())
      return await utimes(copy, now, now)
    }
    // Half a copy would stay.
    await removeTree(dirname(copy), basename(copy))
    const made = await run('/bin/sh', ['-c', MAKE, 'sh', root], { timeoutMs: MAKE_MS })
    if (await exists(file)) {
      log.warn({ copy }, 'the copy of the code that runs was removed, and was made again')
      isGone = false
    } else if (!isGone) {
      isGone = true
      const why = made.exitCode === 0 ? 'the code has changed since' : failureOf(made)
      log.error({ copy, why }, 'the copy of the code that runs was removed: restart this daemon')
    }
  }
  const next = (): void => {
    cancel = clock.after(LOOK_MS, () => {
      look()
        .catch((error: unknown) => log.error({ error, copy }, 'the copy of the code is not seen'))
        .finally(next)
    })
  }
  next()
  return () => cancel()
}
