/**
 * Where `atolld` begins: the process of one part, or the daemon. Each loads only what it needs.
 *
 * Exit codes: 0 asked to stop, 1 could not start or met a bug, 2 bad configuration or usage, 3 must
 * not run on this machine, or is not wanted.
 */
import { statSync } from 'node:fs'
import { constants, enableCompileCache, flushCompileCache } from 'node:module'
import { join } from 'node:path'

/** The part that the command line names. */
function namedPart(): string | undefined {
  const { argv } = process
  return argv.find((_, index) => argv[index - 1] === '--part')
}

async function begin(): Promise<void> {
  // The process `fence` needs no disk, from its beginning on.
  const isCached = namedPart() !== 'fence' && cacheCode()
  const { runProcess } = await load()
  // Before a part gives up root's rights, which it needs for that.
  if (isCached) flushCompileCache()
  await runProcess()
}

const OTHERS_MAY_WRITE = 0o022

/**
 * Keeps the compiled code beside the programs, where it is trusted as they are: a third of what it
 * takes to load the agent is to parse it. Not in a directory of somebody else's, and not beside
 * sources. Node takes no code of another source, Node or setting of V8. Returns whether it is kept.
 */
function cacheCode(): boolean {
  const directory = import.meta.dirname
  if (!import.meta.filename.endsWith('.cjs')) return false
  const { uid, mode } = statSync(directory)
  if (uid !== process.getuid?.() || (mode & OTHERS_MAY_WRITE) !== 0) return false
  const { status } = enableCompileCache(join(directory, 'compiled'))
  return status === constants.compileCacheStatus.ENABLED
}

function load(): Promise<{ runProcess(): Promise<void> }> {
  switch (namedPart()) {
    case 'services':
      return import('./parts/services-main.ts')
    case 'fence':
      return import('./parts/fence-main.ts')
    case 'api':
      return import('./api-main.ts')
    default:
      return import('./daemon-process.ts')
  }
}

void begin()
