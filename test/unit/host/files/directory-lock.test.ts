import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { takeDirectoryLock } from '../../../../src/host/files/directory-lock.ts'

it('one holds a directory, by whatever path, until it gives it back', () => {
  const home = mkdtempSync(join(tmpdir(), 'atoll-lock-'))
  const link = `${home}-link`
  symlinkSync(home, link)
  try {
    const release = takeDirectoryLock(home)
    expect(release).not.toBeNull()
    expect(takeDirectoryLock(link)).toBeNull()
    release?.()
    const again = takeDirectoryLock(link)
    expect(again).not.toBeNull()
    again?.()
  } finally {
    rmSync(link)
    rmSync(home, { recursive: true })
  }
})
