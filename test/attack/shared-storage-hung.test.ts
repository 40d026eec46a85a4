/**
 * A file server that falls silent while disks are looked for: whoever uses the directory stands
 * still in the kernel, deaf to SIGKILL.
 *
 * New with the feature. Where this process opens the file itself, `readFile` of any other file does
 * not return with four of them at once, because libuv has four threads.
 */
import { readFile } from 'node:fs/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { SharedDirectory } from '../../src/host/files/shared-directory.ts'
import type { StoragePlace } from '../../src/model/storage.ts'
import { numbered } from '../kit/records.ts'
import { createSharedFixture, type SharedFixture } from '../kit/shared-directory.ts'
import { mountSilently } from '../kit/silent-fuse.ts'

let place: StoragePlace
let fixture: SharedFixture
let shared: SharedDirectory

beforeEach(async () => {
  fixture = await createSharedFixture()
  shared = fixture.open()
  place = { storage: fixture.storage, volume: numbered('vol', 1) }
})
afterEach(() => fixture.remove())

it('stalls nobody when its server falls silent, and leaves few processes behind', async () => {
  expect(await shared.look()).toMatchObject({ storage: fixture.storage })
  const silent = await mountSilently(fixture.settings.path)
  try {
    const looking = shared.look()
    const finding = Promise.allSettled(Array.from({ length: 5 }, () => shared.find(place)))
    // All threads of libuv are free.
    for (let n = 0; n < 20; n += 1) await readFile('/proc/self/stat')
    const now = performance.now()
    expect(shared.storage()).toBe(fixture.storage)
    expect(performance.now() - now).toBeLessThan(1_000)
    expect(await looking).toMatchObject({ problem: expect.stringContaining('does not answer') })
    expect(shared.storage()).toBeNull()
    // A look that finds another one at work ends at once, also one of another daemon.
    for (const one of [shared, fixture.open()])
      expect(await one.look()).toMatchObject({ problem: expect.stringContaining('stands still') })
    await expect(shared.find(place)).rejects.toThrow('does not answer')
    for (const one of await finding) expect(one).toMatchObject({ status: 'rejected' })
  } finally {
    await silent[Symbol.asyncDispose]()
  }
  await expect.poll(() => shared.look()).toMatchObject({ storage: fixture.storage })
})
