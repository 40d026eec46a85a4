/** The daemon's directories, and that it is the only daemon on them and on this machine. */
import { chmodSync, mkdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from './config.ts'
import { publishedDirectory } from './config-images.ts'
import { takeDirectoryLock } from './host/directory-lock.ts'
import { takeProcessLock } from './lib/process-lock.ts'

const PRIVATE = 0o700

/** Makes the directories and takes them, and gives what undoes that. Errors: another daemon that has them or this machine. */
export async function takeState(config: Config): Promise<() => Promise<void>> {
  for (const dir of [config.stateDir, config.runtimeDir]) {
    mkdirSync(dir, { recursive: true, mode: PRIVATE })
    // Whoever made it before may have let others in: user data, keys and what instances say are below it.
    chmodSync(dir, PRIVATE)
  }
  // Empty until somebody publishes an image: `atoll image publish`, or a copy.
  const published = publishedDirectory(config.stateDir)
  if (config.images.directories.includes(published))
    mkdirSync(published, { recursive: true, mode: 0o755 })
  const locks = [
    takeDirectory('stateDir', config.stateDir),
    takeDirectory('runtimeDir', config.runtimeDir),
  ]
  // Two on one machine would undo each other's links and rules, whatever their directories.
  const unlock = await takeProcessLock('atolld')
  if (unlock === null) throw new Error('another atolld runs on this machine: stop it first')
  await writeFile(join(config.runtimeDir, 'atolld.pid'), `${process.pid}\n`)
  return async () => {
    await unlock()
    for (const release of locks) release()
  }
}

function takeDirectory(setting: 'stateDir' | 'runtimeDir', directory: string): () => void {
  const release = takeDirectoryLock(directory)
  if (release !== null) return release
  throw new Error(
    `another atolld runs with ${setting} ${directory}: stop it, or set ${setting} to another`,
  )
}
