/** The contract of root disks (`machines/disks/disk.ts`), for each place where they can be. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SHARED_PLACE } from '../../src/host/files/shared-directory.ts'
import type { RootDisk } from '../../src/machines/disks/disk.ts'
import { GIB } from '../../src/model/sizes.ts'

const execute = promisify(execFile)

/** A place, and its disks. */
export interface DiskPlace {
  /** The disk of the instance with this number; the same one again for the same number. */
  disk(n: number): RootDisk
  close(): Promise<void>
}

/** Runs a program with the disk as its descriptor 3, opened as `cell.sh` does it. */
async function through(disk: RootDisk, program: string): Promise<string> {
  const opened = await disk.open()
  try {
    const { opens } = opened
    const enter =
      opens === null ? '' : '. "$0"; enter "$1"; expect "$2"; enter_volume "$3"; open_disk; cd /; '
    const given = opens === null ? [] : [SHARED_PLACE, opens.directory, opens.marker, opens.volume]
    const command = `exec 3<>"/proc/${process.pid}/fd/${opened.fd}"; set -e; ${enter}${program}`
    return (await execute('bash', ['-c', command, ...given])).stdout
  } finally {
    opened.close()
  }
}

const infoOf = async (disk: RootDisk) =>
  JSON.parse(await through(disk, 'qemu-img info --output=json -U /proc/self/fd/3'))

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
      expect(await infoOf(disk)).toMatchObject({ format: 'qcow2', 'virtual-size': 3 * GIB })
    })

    it('makes a disk on a base, which it does not open', async () => {
      const disk = place.disk(1)
      const path = join(dir, 'none yet.img')
      await disk.make({ path, format: 'raw' }, GIB)
      expect(await infoOf(disk)).toMatchObject({
        'virtual-size': GIB,
        'backing-filename': path,
        'backing-filename-format': 'raw',
      })
    })

    it('says that there is none', async () => {
      await expect(place.disk(1).find()).rejects.toMatchObject({ kind: 'refused' })
    })

    it('keeps what is written, and each disk apart from the others', async () => {
      const [one, two] = [place.disk(1), place.disk(2)]
      for (const disk of [one, two]) await disk.make(null, GIB)
      const write = (what: string) =>
        `qemu-io -f qcow2 -c "write -P ${what} 0 64k" /proc/self/fd/3 >&2`
      await through(one, write('0x5a'))
      await through(two, write('0x6b'))
      const read = (what: string) =>
        `qemu-io -r -f qcow2 -c "read -P ${what} 0 64k" /proc/self/fd/3 || true`
      expect(await through(one, read('0x5a'))).not.toContain('Pattern')
      expect(await through(two, read('0x6b'))).not.toContain('Pattern')
      expect(await through(two, read('0x5a'))).toContain('Pattern verification failed')
    })

    it('leaves nothing of a disk that could not be made', async () => {
      const disk = place.disk(1)
      await writeFile(join(dir, 'x'), '')
      await expect(
        disk.make({ path: join(dir, 'x'), format: 'nonsense' }, GIB),
      ).rejects.toMatchObject({ kind: 'unavailable' })
      await expect(disk.find()).rejects.toMatchObject({ kind: 'refused' })
      await disk.make(null, GIB)
      await disk.find()
    })
  })
}
