import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { below, removeTree } from '../../../src/lib/paths.ts'

describe('a path below a root', () => {
  it.each(['', '.', '..', '../x', 'a/b', '/etc', 'a\0b', '/', 'x'.repeat(256), 'é'.repeat(128)])(
    'is not made of %j',
    (name) => {
      expect(() => below('/state', name)).toThrow(RangeError)
      expect(() => below('/state', 'machines', name, 'disk')).toThrow(RangeError)
    },
  )

  it('has an absolute root', () => {
    expect(() => below('state', 'x')).toThrow(RangeError)
    expect(() => below('', 'x')).toThrow(RangeError)
  })

  it('is as many steps below it as it has names, whatever they are', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.string(), fc.constantFrom('..', '.', 'a')), { minLength: 1 }),
        (names) => {
          let path: string
          try {
            path = below('/a/b', ...names)
          } catch (error) {
            expect(error).toBeInstanceOf(RangeError)
            return
          }
          expect(path.startsWith('/a/b/')).toBe(true)
          expect(path.split('/')).toHaveLength(3 + names.length)
        },
      ),
    )
  })
})

describe('removing a tree', () => {
  let root: string
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'atoll-paths-'))
    await mkdir(join(root, 'state/vols/v1/deep'), { recursive: true })
    await mkdir(join(root, 'victim'))
    await writeFile(join(root, 'victim/kept'), 'x')
  })
  afterEach(() => rm(root, { recursive: true }))

  it('removes it, and ignores what is not there', async () => {
    await removeTree(join(root, 'state'), 'vols', 'v1')
    await removeTree(join(root, 'state'), 'vols', 'v1')
    await removeTree(join(root, 'state'), 'nothing', 'v1')
    expect(existsSync(join(root, 'state/vols/v1'))).toBe(false)
    expect(existsSync(join(root, 'state/vols'))).toBe(true)
  })

  it('follows no link inside it, and removes a link instead of what it names', async () => {
    await symlink(join(root, 'victim'), join(root, 'state/vols/v1/deep/link'))
    await symlink(join(root, 'victim'), join(root, 'state/vols/v2'))
    await removeTree(join(root, 'state'), 'vols', 'v1')
    await removeTree(join(root, 'state'), 'vols', 'v2')
    expect(existsSync(join(root, 'state/vols/v2'))).toBe(false)
    expect(existsSync(join(root, 'victim/kept'))).toBe(true)
  })

  it('does not go through a directory that is a link to elsewhere', async () => {
    await symlink(join(root, 'victim'), join(root, 'state/elsewhere'))
    await expect(removeTree(join(root, 'state'), 'elsewhere', 'kept')).rejects.toThrow(/is a link/)
    expect(existsSync(join(root, 'victim/kept'))).toBe(true)
  })

  it('takes a root that is reached through a link', async () => {
    await symlink(join(root, 'state'), join(root, 'link'))
    await removeTree(join(root, 'link'), 'vols', 'v1')
    expect(existsSync(join(root, 'state/vols/v1'))).toBe(false)
  })

  it('removes no root', async () => {
    await expect(removeTree(root)).rejects.toThrow(RangeError)
    expect(existsSync(root)).toBe(true)
  })
})
