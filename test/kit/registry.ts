/**
 * A container registry of a test's own: Debian's docker-registry, with one user, on the loopback
 * device of the caller's namespace.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from '../../tools/kit/netns.ts'

const PROGRAM = '/usr/bin/docker-registry'
const PORT = 5000
const DEADLINE_MS = 30_000
/** htpasswd(1), bcrypt with few rounds, of `REGISTRY_USER`. */
const HTPASSWD = '$2b$05$abcdefghijklmnopqrstuuk9fGY1WFn3tedGXOEoclJ1Kik0ei9g6'

export const REGISTRY = `127.0.0.1:${PORT}`
export const REGISTRY_USER = { username: 'puller', password: 'Geheim-9' }

interface Registry {
  close(): Promise<void>
}

/** Whether this machine has one. */
export function canRunRegistry(): boolean {
  return existsSync(PROGRAM)
}

/** Starts it. The network namespace is that of the calling thread. */
export async function startRegistry(): Promise<Registry> {
  const dir = await mkdtemp(join(tmpdir(), 'atoll-registry-'))
  const htpasswd = join(dir, 'htpasswd')
  await writeFile(htpasswd, `${REGISTRY_USER.username}:${HTPASSWD}\n`)
  const config = join(dir, 'config.json')
  await writeFile(
    config,
    JSON.stringify({
      version: 0.1,
      log: { level: 'error' },
      storage: { filesystem: { rootdirectory: join(dir, 'data') } },
      http: { addr: REGISTRY },
      auth: { htpasswd: { realm: 'test', path: htpasswd } },
    }),
  )
  const child: ChildProcess = spawn(PROGRAM, ['serve', config], { stdio: 'ignore' })
  const answers = () =>
    fetch(`http://${REGISTRY}/v2/`).then(
      ({ status }) => status === 401,
      () => false,
    )
  await eventually('the registry answers', answers, DEADLINE_MS)
  return {
    async close() {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
      await rm(dir, { recursive: true, force: true })
    },
  }
}
