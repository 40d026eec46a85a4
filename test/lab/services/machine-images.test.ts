/**
 * Disk images as `qemu-img` makes them, valid and malicious: what we read from them, compared with
 * what QEMU says.
 */

import { mkdtemp, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { createMachineImages, type MachineImages } from '../../../src/images/machine-images.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { createMetrics } from '../../../src/lib/metrics.ts'
import { createKeptImages } from '../../../src/machines/created-images.ts'
import { FIRST_DRIVERS } from '../../../src/model/driver.ts'
import { formatId, ID_BYTES } from '../../../src/model/ids.ts'
import { GIB } from '../../../src/model/sizes.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { must } from '../../../tools/lab/run.ts'
import { outboundTo } from '../../kit/outbound.ts'

const SETTLE_MS = 60_000

let dir: string
let images: MachineImages
let file: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'atoll-qemu-img-'))
  images = createMachineImages({
    kept: createKeptImages(dir),
    cacheDir: join(dir, 'cache'),
    directories: [dir],
    maxBytes: GIB,
    cacheBytes: 8 * GIB,
    inUse: async () => new Set(),
    s3: null,
    clock: systemClock,
    log: silentLog,
    metrics: createMetrics(),
    outbound: outboundTo('127.0.0.1'),
  })
})
afterAll(async () => {
  await images.close()
  await rm(dir, { recursive: true, force: true })
})
beforeEach(async () => {
  const files = (await readdir(dir)).filter((name) => name.startsWith('image-'))
  file = join(dir, `image-${files.length}.img`)
})

/** What becomes of the image in `file`. */
async function look() {
  const id = formatId('ami', Buffer.alloc(ID_BYTES, 1))
  const want = { id, location: file, digest: null, driver: FIRST_DRIVERS.machine }
  return await vi.waitUntil(
    () => {
      const now = images.look(want)
      return now.kind === 'working' ? undefined : now
    },
    { timeout: SETTLE_MS, interval: 20 },
  )
}

function create(...args: readonly string[]): Promise<string> {
  return must(['qemu-img', 'create', '-q', ...args], { timeoutMs: SETTLE_MS })
}

const infoSchema = z.object({ 'virtual-size': z.number(), format: z.string() })

describe('accepted, with the size and format that QEMU finds', () => {
  test.each([
    ['-f', 'qcow2', 'F', '1G'],
    ['-f', 'qcow2', 'F', '512'],
    ['-f', 'qcow2', 'F', '1000'],
    ['-f', 'qcow2', '-o', 'compat=0.10', 'F', '3G'],
    ['-f', 'qcow2', '-o', 'cluster_size=512', 'F', '100M'],
    ['-f', 'qcow2', '-o', 'cluster_size=2M', 'F', '63T'],
    ['-f', 'qcow2', '-o', 'lazy_refcounts=on,refcount_bits=1', 'F', '1G'],
    ['-f', 'qcow2', '-o', 'refcount_bits=64', 'F', '1G'],
    ['-f', 'qcow2', '-o', 'compression_type=zstd', 'F', '1G'],
    ['-f', 'qcow2', '-o', 'extended_l2=on', 'F', '1G'],
    ['-f', 'qcow2', '-o', 'preallocation=metadata', 'F', '64M'],
  ])('%s %s %s %s %s', async (...args) => {
    await create(...args.map((arg) => (arg === 'F' ? file : arg)))
    const json = await must(['qemu-img', 'info', '--output=json', file], { timeoutMs: SETTLE_MS })
    const info = infoSchema.parse(JSON.parse(json))
    const found = await look()
    if (found.kind !== 'ready') throw new Error(JSON.stringify(found))
    const { kind, ...details } = await images.details(found.digest, file)
    expect({ kind, ...details }).toMatchObject({
      kind: 'disk',
      format: info.format,
      virtualBytes: info['virtual-size'],
    })
  })

  test.each([
    ['mkfs.ext4', ['mkfs.ext4', '-q']],
    ['mformat', ['mformat', '-F', '-i']],
  ] as const)('a raw disk by %s', async (_what, command) => {
    await create('-f', 'raw', file, '64M')
    const drive = command[0] === 'mformat' ? ['::'] : []
    await must([...command, file, ...drive], { timeoutMs: SETTLE_MS })
    expect(await look()).toMatchObject({ kind: 'ready' })
  })

  test('with snapshots and data', async () => {
    await create('-f', 'qcow2', file, '64M')
    await must(['qemu-io', '-c', 'write -P 7 0 8M', file])
    for (const name of ['a', 'b']) await must(['qemu-img', 'snapshot', '-c', name, file])
    expect(await look()).toMatchObject({ kind: 'ready' })
  })
})

describe('refused', () => {
  test('a backing file, whether its format is named or not', async () => {
    const backing = ['-b', '/etc/shadow', '-F', 'raw']
    await create('-f', 'qcow2', '-u', ...backing, file, '1M')
    expect(await look()).toMatchObject({ message: expect.stringMatching(/names a backing file/) })
  })

  test('a backing file of version 2', async () => {
    await create(
      '-f',
      'qcow2',
      '-u',
      '-o',
      'compat=0.10',
      '-b',
      '/etc/shadow',
      '-F',
      'raw',
      file,
      '1M',
    )
    expect(await look()).toMatchObject({ message: expect.stringMatching(/names a backing file/) })
  })

  test.each(['on', 'off'])('an external data file, raw or not (%s)', async (raw) => {
    const data = join(dir, `data-${raw}`)
    await create('-f', 'qcow2', '-o', `data_file=${data},data_file_raw=${raw}`, file, '1M')
    expect(await look()).toMatchObject({ message: expect.stringMatching(/external data file/) })
  })

  test('encryption', async () => {
    const secret = ['--object', 'secret,id=s,data=abcdefgh']
    const aes = ['-o', 'encrypt.format=aes,encrypt.key-secret=s']
    await create('-f', 'qcow2', ...secret, ...aes, file, '1M')
    expect(await look()).toMatchObject({ message: expect.stringMatching(/encrypted/) })
  })

  test('an image that is cut off', async () => {
    await create('-f', 'qcow2', file, '1G')
    await truncate(file, 65_536)
    expect(await look()).toMatchObject({ message: expect.stringMatching(/damaged or truncated/) })
  })

  test.each(['vmdk', 'vdi', 'vpc', 'qed', 'vhdx', 'parallels'])('%s', async (format) => {
    await create('-f', format, file, '64M')
    expect(await look()).toMatchObject({ message: expect.stringMatching(/qemu-img convert/) })
  })

  test('a raw disk with nothing on it', async () => {
    await create('-f', 'raw', file, '1M')
    expect(await look()).toMatchObject({
      message: expect.stringMatching(/no known partition table/),
    })
  })

  test.each(['gzip', 'xz', 'zstd', 'bzip2'])('%s', async (packer) => {
    await writeFile(`${file}.raw`, Buffer.alloc(4096))
    await must(['sh', '-ec', `${packer} -c < ${file}.raw > ${file}`])
    expect((await stat(file)).size).toBeGreaterThan(0)
    expect(await look()).toMatchObject({ message: expect.stringMatching(/unpack it first/) })
  })
})
