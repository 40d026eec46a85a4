/**
 * A client with an API key names files of the host as images: its guest prints its initramfs, and
 * error texts say what other files contain.
 *
 * Before: every file below the five directories of `images.directories` (among them /srv, /root,
 * /home, /tmp) could be an initramfs, whatever its mode and number of links; a file of 512 zeros
 * was a disk; and the answer to a wrong digest contained the right one.
 */

import { createHash, randomBytes } from 'node:crypto'
import { link, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { ConfigError, parseConfig } from '../../src/config-file.ts'
import { createMachineImages, type MachineImages } from '../../src/images/machine-images.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { createMetrics } from '../../src/lib/metrics.ts'
import { createKeptImages } from '../../src/machines/created-images.ts'
import { FIRST_DRIVERS } from '../../src/model/driver.ts'
import { formatId, ID_BYTES } from '../../src/model/ids.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { must } from '../../tools/lab/run.ts'
import { bzImage, cpio } from '../kit/image-contents.ts'
import { outboundTo } from '../kit/outbound.ts'

const SETTLE_MS = 60_000
const SECRET = `password=${'s3cret'.repeat(100)}\n`

let dir: string
let published: string
let cacheDir: string
let images: MachineImages

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'atoll-attack-images-'))
  published = join(dir, 'images')
  cacheDir = join(dir, 'cache')
  await mkdir(published)
  await writeFile(join(published, 'vmlinuz'), bzImage())
  await writeFile(join(published, 'initrd'), cpio(512))
  images = createMachineImages({
    kept: createKeptImages(dir),
    cacheDir,
    directories: [published],
    maxBytes: 1024 ** 2,
    cacheBytes: 1024 ** 3,
    inUse: async () => new Set(),
    s3: null,
    clock: systemClock,
    log: silentLog,
    metrics: createMetrics(),
    outbound: outboundTo('127.0.0.1'),
  })
})
afterEach(async () => {
  await images.close()
  await rm(dir, { recursive: true, force: true })
})

function look(location: string) {
  const id = formatId('ami', randomBytes(ID_BYTES))
  return vi.waitUntil(
    () => {
      const now = images.look({ id, location, digest: null, driver: FIRST_DRIVERS.machine })
      return now.kind === 'working' ? undefined : now
    },
    { timeout: SETTLE_MS, interval: 10 },
  )
}

/** What comes of this name as an initramfs, a kernel and a disk, without the name. */
async function tryAs(name: string): Promise<readonly string[]> {
  const path = name.startsWith('/') ? name : join(published, name)
  const told: string[] = []
  for (const location of [
    `kernel=${published}/vmlinuz,initrd=${path}`,
    `kernel=${path},initrd=${published}/initrd`,
    `${path}.img`,
  ]) {
    const found = await look(location)
    told.push(
      found.kind === 'failed'
        ? found.message.replaceAll(path, 'FILE').replace('.img', '')
        : found.kind,
    )
  }
  return told
}

const NOT_PUBLISHED =
  'file://FILE is not a published image of this host; its operator can make it one: atoll image publish FILE'

describe('unpublished files are indistinguishable, and reach no guest', () => {
  /** Each makes FILE and FILE.img. */
  const doors: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
    'only root may read': (path) => writeFile(path, cpio(512), { mode: 0o600 }),
    'only a group may read': (path) => writeFile(path, cpio(512), { mode: 0o640 }),
    'has a second name': async (path) => {
      const elsewhere = join(dir, basename(path))
      await writeFile(elsewhere, cpio(512))
      await link(elsewhere, path)
    },
    'is a symbolic link out': (path) => symlink('/etc/shadow', path),
    'is a symbolic link to nowhere': (path) => symlink('/nowhere', path),
    'is a symbolic link to itself': (path) => symlink(path, path),
    'is a symbolic link to what this process has open': (path) => symlink('/proc/self/fd/0', path),
    'is a symbolic link to the environment': (path) => symlink('/proc/self/environ', path),
    'is a directory': (path) => mkdir(path),
    'is a pipe that nobody writes to': (path) => must(['mkfifo', '-m', '666', path]),
    'is a device': (path) => must(['mknod', '-m', '666', path, 'c', '1', '5']),
    'is not there': async () => undefined,
  }

  test.each(Object.entries(doors))('%s', async (_what, make) => {
    for (const name of ['x', 'x.img']) await make(join(published, name))
    expect(await tryAs('x')).toEqual([NOT_PUBLISHED, NOT_PUBLISHED, NOT_PUBLISHED])
    expect(await readdir(cacheDir)).toEqual([])
  })

  test.each([
    '/etc/shadow',
    '/etc/passwd',
    '/root/.bash_history',
    '/proc/self/environ',
    '/dev/zero',
    '/nowhere',
  ])('%s', async (path) => {
    expect(await tryAs(path)).toEqual([NOT_PUBLISHED, NOT_PUBLISHED, NOT_PUBLISHED])
  })

  test('in a directory that only root may enter, or behind a link to one', async () => {
    await mkdir(join(published, 'closed'), { mode: 0o700 })
    await mkdir(join(dir, 'outside'))
    await symlink(join(dir, 'outside'), join(published, 'way'))
    for (const below of [join(published, 'closed'), join(dir, 'outside')])
      for (const name of ['x', 'x.img']) await writeFile(join(below, name), cpio(512))
    for (const name of ['closed/x', 'way/x', `${dir}/outside/x`])
      expect(await tryAs(name)).toEqual([NOT_PUBLISHED, NOT_PUBLISHED, NOT_PUBLISHED])
  })
})

describe('a file published by mistake is used as what it is, or not at all', () => {
  test.each([
    ['text', Buffer.from(SECRET)],
    ['text of whole sectors', Buffer.from(SECRET.repeat(512).slice(0, 4096))],
    ['nothing', Buffer.alloc(0)],
    ['zeros', Buffer.alloc(4096)],
    ['packed text', gzipSync(SECRET)],
    ['a PEM key', Buffer.from(`-----BEGIN PRIVATE KEY-----\n${'A'.repeat(995)}`)],
    ['a database', Buffer.concat([Buffer.from('SQLite format 3\0'), Buffer.alloc(4080)])],
    [
      'what begins like an ELF file',
      Buffer.concat([Buffer.from('\x7fELF', 'latin1'), Buffer.alloc(508)]),
    ],
  ])('%s', async (_what, content) => {
    for (const name of ['x', 'x.img']) await writeFile(join(published, name), content)
    for (const told of await tryAs('x')) expect(told).toMatch(/^file:\/\/FILE is /)
    expect(await readdir(cacheDir)).toEqual([])
  })

  test('an initramfs is no kernel, and a kernel no initramfs', async () => {
    expect(await look(`kernel=${published}/initrd,initrd=${published}/initrd`)).toMatchObject({
      message: expect.stringMatching(/not a bootable kernel/),
    })
    expect(await look(`kernel=${published}/vmlinuz,initrd=${published}/vmlinuz`)).toMatchObject({
      message: expect.stringMatching(/not an initramfs/),
    })
  })
})

test('a guess at the content of a file is not confirmed, whether right or wrong', async () => {
  await writeFile(join(published, 'secret.img'), SECRET, { mode: 0o600 })
  await writeFile(join(published, 'text.img'), SECRET)
  const guess = (content: string) => createHash('sha256').update(content).digest('hex')
  for (const name of ['secret.img', 'text.img']) {
    const [right, wrong] = await Promise.all(
      [SECRET, 'wrong'].map((content) => look(`${published}/${name}#sha256=${guess(content)}`)),
    )
    expect(right).toMatchObject({ kind: 'failed' })
    expect(right).toEqual(wrong)
  }
})

test('the digest of an image that somebody else has here does not give it away', async () => {
  const disk = Buffer.alloc(4096)
  disk.writeUInt16LE(0xaa55, 510)
  await writeFile(join(published, 'mine.img'), disk)
  expect(await look(`${published}/mine.img`)).toMatchObject({ kind: 'ready' })
  const hex = createHash('sha256').update(disk).digest('hex')
  expect(await look(`${published}/other.img#sha256=${hex}`)).toMatchObject({ kind: 'failed' })
})

test('a link within the published images is followed', async () => {
  await symlink('initrd', join(published, 'latest'))
  const found = await look(`kernel=${published}/vmlinuz,initrd=${published}/latest`)
  if (found.kind !== 'ready') throw new Error(JSON.stringify(found))
  const details = await images.details(
    found.digest,
    `kernel=${published}/vmlinuz,initrd=${published}/latest`,
  )
  expect(details.kind === 'kernel' && (await readFile(details.initrdPath))).toEqual(cpio(512))
})

describe('a setting that publishes more than images is refused', () => {
  const problems = (text: string): string => {
    try {
      parseConfig(text, 'atoll.yaml')
      return ''
    } catch (error) {
      if (error instanceof ConfigError) return error.message
      throw error
    }
  }
  test.each([
    ...[
      '/',
      '/root',
      '/root/',
      '/root/images',
      '/home',
      '/home/me/images',
      '/tmp',
      '/tmp/x',
      '/var/tmp',
      '/etc',
      '/etc/ssl',
    ],
    ...[
      '/proc',
      '/proc/1/root',
      '/sys',
      '/run',
      '/run/x',
      '/var/run/x',
      '/dev',
      '/dev/shm',
      '/boot',
      '/usr',
      '/bin',
      '/lib',
    ],
    ...[
      '/var',
      '/var/lib',
      '/var/log',
      '/var/lib/atoll',
      '/var/lib/atoll/',
      '/var/lib/atoll/machines',
      '/var/lib/docker/volumes',
    ],
    ...[
      '/var/lib/atoll/images/..',
      '/var/lib/atoll/images/../machines',
      '//root',
      '/./root',
      '/srv',
      '/mnt',
      '/var/lib/mysql',
    ],
  ])('%s', (path) => {
    expect(problems(`images: {directories: [/var/lib/atoll/images, ${path}]}`)).toMatch(
      /^atoll\.yaml:1: images\.directories\.1: /,
    )
  })

  test('by symbolic links, also to what is not there yet', async () => {
    for (const [name, target] of [
      ['a', '/root'],
      ['b', '/root/not-there-yet'],
      ['c', '/'],
      ['d', 'a'],
    ] as const)
      await symlink(target, join(dir, name))
    const state = `stateDir: ${dir}/state\nruntimeDir: ${dir}/run\n`
    for (const name of ['a', 'a/x', 'b', 'c', 'c/etc', 'd'])
      expect(problems(`${state}images: {directories: [${dir}/${name}]}`)).toMatch(
        /images\.directories/,
      )
    await mkdir(join(dir, 'state'))
    await symlink('/root', join(dir, 'state/images'))
    expect(problems(`${state}images: {directories: [${dir}/state/images]}`)).toMatch(
      /images\.directories/,
    )
  })

  test('that holds what another setting names', () => {
    const secret = 'cluster: {secretFile: /srv/images/secret}\n'
    expect(problems(`${secret}images: {directories: [/srv/images]}`)).toMatch(
      /\/srv\/images\/secret/,
    )
    const key = 'store: {tls: {ca: /srv/tls/ca.crt, cert: /srv/tls/a.crt, key: /srv/tls/a.key}}\n'
    expect(problems(`${key}images: {directories: [/srv/tls]}`)).toMatch(/\/srv\/tls\//)
  })

  test('the default and directories of their own are accepted', () => {
    expect(parseConfig('', 'x').images.directories).toEqual(['/var/lib/atoll/images'])
    for (const path of [
      '/srv/images',
      '/srv/images/',
      '/var/lib/atoll/images',
      '/mnt/nas/images',
      '/opt/atoll-images',
    ])
      expect(problems(`images: {directories: [${path}]}`)).toBe('')
  })
})
