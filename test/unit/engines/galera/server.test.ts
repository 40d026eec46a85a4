/** Finding and ending the server of a data directory, with real processes of its name. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { dataFingerprint, endServer, findServer } from '../../../../engines/galera/server.ts'

let dir = ''
const children: ChildProcess[] = []
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'atoll-galera-server-'))
  // A shell by that name: scripts would go by the name of their interpreter.
  copyFileSync('/bin/bash', join(dir, 'mariadbd'))
  mkdirSync(join(dir, 'data'))
})
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  rmSync(dir, { recursive: true })
})

/** A process that looks like the server of a data directory. */
async function start(dataDir: string, script = 'read line'): Promise<ChildProcess> {
  const child = spawn(join(dir, 'mariadbd'), ['-c', `echo up; ${script}`, `--datadir=${dataDir}`], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  children.push(child)
  if (child.stdout === null) throw new Error('no output')
  await once(child.stdout, 'data')
  return child
}

test('the server of this data directory is found, and no other', async () => {
  const data = join(dir, 'data')
  expect(await findServer(data)).toBeNull()
  const child = await start(`${data}/`)
  expect((await findServer(data))?.pid).toBe(child.pid)
  expect(await findServer(dir)).toBeNull()
})

test.each([
  ['ends when it is asked to', 'read line', 'SIGTERM'],
  ['does not listen', "trap '' TERM; while :; do read -t 1 line; done", 'SIGKILL'],
  ['stands still', 'kill -STOP $$; read line', 'SIGKILL'],
] as const)('one that %s', async (_what, script, signal) => {
  const data = join(dir, 'data')
  const child = await start(data, script)
  const gone = once(child, 'exit')
  const found = await findServer(data)
  if (found === null) throw new Error('not found')
  expect(await endServer(found, 500)).toBe(true)
  expect((await gone)[1]).toBe(signal)
})

test('a later process of the same number is left alone', async () => {
  const child = await start(join(dir, 'data'))
  const { pid = 0 } = child
  expect(await endServer({ pid, start: '1' })).toBe(true)
  expect(child.exitCode ?? child.signalCode).toBeNull()
})

test('whatever is written into the data directory shows', async () => {
  const seen = [await dataFingerprint(dir)]
  writeFileSync(join(dir, 'data/ibdata1'), 'a')
  seen.push(await dataFingerprint(dir))
  writeFileSync(join(dir, 'data/ibdata1'), 'bb')
  seen.push(await dataFingerprint(dir))
  rmSync(join(dir, 'data/ibdata1'))
  seen.push(await dataFingerprint(dir))
  expect(new Set(seen).size).toBe(seen.length)
  // What others commit is no sign of life.
  const before = await dataFingerprint(join(dir, 'data'))
  writeFileSync(join(dir, 'data/galera.cache'), 'a')
  expect((await dataFingerprint(join(dir, 'data'))).split(' ').slice(0, 2)).toStrictEqual(
    before.split(' ').slice(0, 2),
  )
  expect(await dataFingerprint(join(dir, 'nowhere'))).toBe('0 0 0')
})
