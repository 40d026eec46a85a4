/** One holder at a time, and none after the holder's death. */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { takeProcessLock } from '../../../src/lib/process-lock.ts'

const LOCK = join(import.meta.dirname, '../../../src/lib/process-lock.ts')

test('the second waits for nothing: it is told', async () => {
  const name = randomUUID()
  const release = await takeProcessLock(name)
  expect(release).not.toBeNull()
  expect(await takeProcessLock(name)).toBeNull()
  await release?.()
  const again = await takeProcessLock(name)
  expect(again).not.toBeNull()
  await again?.()
})

test('names do not disturb one another', async () => {
  const locks = await Promise.all([takeProcessLock(randomUUID()), takeProcessLock(randomUUID())])
  for (const release of locks) {
    expect(release).not.toBeNull()
    await release?.()
  }
})

test('SIGKILL leaves no lock behind', async () => {
  const name = randomUUID()
  const program = `
    import { takeProcessLock } from ${JSON.stringify(LOCK)}
    const release = await takeProcessLock(${JSON.stringify(name)})
    process.stdout.write(release === null ? 'refused' : 'held')
    process.stdin.resume()
  `
  const holder = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const [said] = await once(holder.stdout, 'data')
  expect(String(said)).toBe('held')
  expect(await takeProcessLock(name)).toBeNull()
  const ended = once(holder, 'exit')
  holder.kill('SIGKILL')
  await ended
  const release = await takeProcessLock(name)
  expect(release).not.toBeNull()
  await release?.()
})
