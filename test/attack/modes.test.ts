/**
 * A user of the host who is not root, against the daemon's files.
 *
 * Before, the state directory stayed world-readable if a script had created it first, as quickstart
 * did. User data, keys and consoles of instances could be read in it.
 */
import { chmod, lstat, mkdir, readdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Cloud, createCloud, execute } from '../../tools/kit/cloud.ts'
import { type InstanceCalls, instanceCalls } from '../../tools/kit/instance-calls.ts'
import { eventually } from '../../tools/kit/netns.ts'

const DEADLINE_MS = 60_000
const SECRET = 'the-secret-of-an-instance'
const NOBODY = '65534'

let cloud: Cloud
let ask: InstanceCalls

beforeAll(async () => {
  cloud = await createCloud('modes')
  ask = instanceCalls(cloud.ec2, DEADLINE_MS)
  const id = (
    await ask.launch(await ask.register('modes', 'docker://atoll-sample:latest'), {
      UserData: Buffer.from(`#!/bin/sh\n# ${SECRET}\necho ${SECRET}\n`).toString('base64'),
    })
  )[0]
  await ask.untilState(id ?? '', 'running')
  await eventually('it answers', () => ask.answers(id ?? ''), DEADLINE_MS)
  // As a script does that makes them first, for a log or a key.
  await cloud.stop('SIGTERM')
  for (const directory of ['state', 'run']) {
    await mkdir(join(cloud.dir, directory), { recursive: true })
    await chmod(join(cloud.dir, directory), 0o755)
  }
  await cloud.start()
  // The test's own directory is private: others are let in as far as to those that are tested.
  await chmod(cloud.dir, 0o755)
}, 120_000)
afterAll(() => cloud?.destroy())

/**
 * Everything below a directory that somebody else may read or write, or a directory that he may
 * enter.
 */
async function openTo(directory: string): Promise<readonly string[]> {
  const { mode } = await lstat(directory)
  const found = (mode & 0o007) === 0 ? [] : [directory]
  // What is in a directory that nobody may enter is closed, whatever its own mode.
  if ((mode & 0o001) === 0) return found
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) found.push(...(await openTo(path)))
    else if (!entry.isSymbolicLink() && ((await lstat(path)).mode & 0o006) !== 0) found.push(path)
  }
  return found
}

it.each(['state', 'run'])('nothing below %s is open to others', async (directory) => {
  const found = await openTo(join(cloud.dir, directory))
  expect(found.map((path) => relative(cloud.dir, path))).toStrictEqual([])
})

it('files with secrets are closed by themselves, too', async () => {
  const state = join(cloud.dir, 'state')
  const names = await readdir(state, { recursive: true, withFileTypes: true })
  const open: string[] = []
  for (const entry of names) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const grep = await execute('/usr/bin/grep', [
      '-qaE',
      `${SECRET}|PRIVATE KEY|[a-z]*ecretAccessKey`,
      path,
    ])
    const isSecret = grep.exitCode === 0 || /key|secret|credential|\.db|ledger/.test(entry.name)
    const { mode } = await lstat(path)
    // In its own directory of mode 0700; a guest's users read it by a mount of it alone.
    const isOfKit = relative(state, path).includes('/kit/')
    if (isSecret && !isOfKit && (mode & 0o077) !== 0) open.push(relative(state, path))
  }
  expect(open).toStrictEqual([])
})

it('no user finds the secret of an instance, by name or by search', async () => {
  const search = await execute('/usr/bin/setpriv', [
    ...[`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--'],
    ...['grep', '-rsl', SECRET, cloud.dir],
  ])
  expect(search.stdout).toBe('')
})
