/** The contract of root disks (`machines/disks/disk.ts`), for each place where they can be. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SHARED_PLACE } from '../../src/host/files/shared-directory.ts'
import type { CellDisk } from '../../src/host/processes/cell.ts'
import type { RootDisk } from '../../src/machines/disks/disk.ts'
import { GIB } from '../../src/model/sizes.ts'

const execute = promisify(execFile)

/** A place, and its disks. */
export interface DiskPlace {
  /** The disk of the instance with this number; the same one again for the same number. */
  disk(n: number): RootDisk
  /** Whether a disk has all of its base, which is read when it is made. */
  readonly isWhole: boolean
  close(): Promise<void>
}

/**
 * Runs a program with the disk as `$DISK` of the format `$FORMAT`: its descriptor 3, opened as
 * `cell.sh` does it, or the name by which QEMU opens it itself.
 */
async function through(disk: RootDisk, program: string): Promise<string> {
  const opened = await disk.open()
  try {
    const { opens } = opened
    const enter = opens?.kind === 'file' ? ENTER : ''
    const given =
      opens?.kind === 'file' ? [SHARED_PLACE, opens.directory, opens.marker, opens.volume] : []
    const command = `exec 3<>"/proc/${process.pid}/fd/${opened.fd}"; set -e; ${enter}${program}`
    const env = { ...process.env, ...named(opens) }
    return (await execute('bash', ['-c', command, ...given], { env })).stdout
  } finally {
    opened.close()
  }
}

const ENTER = '. "$0"; enter "$1"; expect "$2"; enter_volume "$3"; open_disk; cd /; '

function named(opens: CellDisk | null): { readonly DISK: string; readonly FORMAT: string } {
  if (opens?.kind !== 'ceph') return { DISK: '/proc/self/fd/3', FORMAT: 'qcow2' }
  const { pool, user, conf, keyring } = opens.access
  const options = `id=${user}:conf=${conf}:keyring=${keyring}`
  return { DISK: `rbd:${pool}/${opens.image}:${options}`, FORMAT: 'raw' }
}

const infoOf = async (disk: RootDisk) =>
  JSON.parse(await through(disk, 'qemu-img info --output=json -U -f "$FORMAT" "$DISK"'))

const write = (what: string) => `qemu-io -f "$FORMAT" -c "write -P ${what} 0 64k" "$DISK" >&2`
const read = (what: string) => `qemu-io -r -f "$FORMAT" -c "read -P ${what} 0 64k" "$DISK" || true`
const digestOf = (n: number) => `sha256:${String(n).padStart(64, '0')}`

/** An image that begins with bytes 0x7c. */
async function makeBase(path: string): Promise<void> {
  await execute('qemu-img', ['create', '-q', '-f', 'qcow2', path, '64M'])
  await execute('qemu-io', ['-f', 'qcow2', '-c', 'write -P 0x7c 0 64k', path])
}

/** Declares the tests. */
export function disksContract(name: string, make: () => Promise<DiskPlace>): void {
  describe(`root disks: ${name}`, () => {
    let place: DiskPlace
    let dir: string
    beforeEach(async () => {
      dir = await mkdtemp(join(tmpdir(), 'atoll-base-'))
      place = await make()
    })
    afterEach(async () => {
      await place.close()
      await rm(dir, { recursive: true, force: true })
    })

    it('makes an empty disk of the size', async () => {
      const disk = place.disk(1)
      await disk.make(null, 3 * GIB)
      await disk.find()
      expect(await infoOf(disk)).toMatchObject({ 'virtual-size': 3 * GIB })
    })

    it('makes a disk on a base, which it does not open unless the disk has all of it', async () => {
      const disk = place.disk(1)
      const path = join(dir, 'none yet.img')
      if (place.isWhole) await makeBase(path)
      await disk.make({ path, format: 'qcow2', digest: digestOf(1) }, GIB)
      expect(await infoOf(disk)).toMatchObject({
        'virtual-size': GIB,
        ...(place.isWhole ? {} : { 'backing-filename': path, 'backing-filename-format': 'qcow2' }),
      })
      if (place.isWhole) expect(await through(disk, read('0x7c'))).not.toContain('Pattern')
    })

    it('makes several disks on one base, and the one that is there stays', async () => {
      const path = join(dir, 'base.img')
      await makeBase(path)
      const base = { path, format: 'qcow2', digest: digestOf(2) } as const
      for (const n of [1, 2]) await place.disk(n).make(base, GIB)
      await through(place.disk(1), write('0x5a'))
      if (place.disk(1).isShared) await place.disk(1).make(base, GIB)
      expect(await through(place.disk(1), read('0x5a'))).not.toContain('Pattern')
      if (place.isWhole) expect(await through(place.disk(2), read('0x7c'))).not.toContain('Pattern')
    })

    it('says that there is none', async () => {
      await expect(place.disk(1).find()).rejects.toMatchObject({ kind: 'refused' })
    })

    it('keeps what is written, and each disk apart from the others', async () => {
      const [one, two] = [place.disk(1), place.disk(2)]
      for (const disk of [one, two]) await disk.make(null, GIB)
      await through(one, write('0x5a'))
      await through(two, write('0x6b'))
      expect(await through(one, read('0x5a'))).not.toContain('Pattern')
      expect(await through(two, read('0x6b'))).not.toContain('Pattern')
      expect(await through(two, read('0x5a'))).toContain('Pattern verification failed')
    })

    it('leaves nothing of a disk that could not be made', async () => {
      const disk = place.disk(1)
      await writeFile(join(dir, 'x'), '')
      await expect(
        disk.make({ path: join(dir, 'x'), format: 'nonsense' as 'raw', digest: digestOf(3) }, GIB),
      ).rejects.toMatchObject({ kind: 'unavailable' })
      await expect(disk.find()).rejects.toMatchObject({ kind: 'refused' })
      await disk.make(null, GIB)
      await disk.find()
    })
  })
}
