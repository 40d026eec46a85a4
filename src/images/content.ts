/**
 * What a file of a virtual machine's image is, by its first bytes: a qcow2 or raw disk, a kernel,
 * an initramfs, or something else that is refused by its name. Pure but for reading those bytes.
 */
import type { FileHandle } from 'node:fs/promises'
import { AtollError, refused } from '../model/errors.ts'
import { isQcow, parseQcow2, QCOW2_HEAD_BYTES, VIRTUAL_MAX_BYTES } from './qcow2.ts'
import { foreignMark, isDisk, isInitramfs, isKernel, MARKS_HEAD_BYTES } from './signatures.ts'

/** What QEMU and the guest have to be told of a disk. */
interface DiskContent {
  readonly format: 'qcow2' | 'raw'
  /** Size of the disk that the guest sees. */
  readonly virtualBytes: number
}

const SECTOR_BYTES = 512

/**
 * What disk is in this file. `name` is the location, for messages. Errors: `refused` when it is
 * none that QEMU may be given, with what it is instead.
 */
export async function inspectDisk(file: FileHandle, name: string): Promise<DiskContent> {
  const { size } = await file.stat()
  return diskOf(await headOf(file), size, name)
}

/** As `inspectDisk`, of a file of `bytes` that begins with `head`. */
export function diskOf(head: Buffer, bytes: number, name: string): DiskContent {
  const saying = (what: string) => refused('InvalidParameterValue', `${name} ${what}`)
  if (isQcow(head)) {
    try {
      const { virtualBytes } = parseQcow2(head.subarray(0, QCOW2_HEAD_BYTES), bytes)
      return { format: 'qcow2', virtualBytes }
    } catch (error) {
      throw error instanceof AtollError ? saying(error.message) : error
    }
  }
  const foreign = foreignMark(head)
  if (foreign !== undefined) throw saying(`is ${foreign.name}: ${foreign.advice}`)
  if (bytes === 0) throw saying('is empty')
  if (bytes % SECTOR_BYTES !== 0)
    throw saying(`is neither qcow2 nor a raw disk: its ${bytes} bytes are no multiple of 512`)
  if (bytes > VIRTUAL_MAX_BYTES) throw saying('is a disk of more than 64 TiB')
  if (!isDisk(head))
    throw saying(
      'is neither qcow2 nor a raw disk: there is no partition table and no file system that is known on it',
    )
  return { format: 'raw', virtualBytes: bytes }
}

/** Errors: `refused` when the file is no kernel that QEMU can boot. */
export async function inspectKernel(file: FileHandle, name: string): Promise<void> {
  if (isKernel(await headOf(file))) return
  throw refused(
    'InvalidParameterValue',
    `${name} is no kernel that can be booted: neither a bzImage nor an ELF file nor an arm64 Image`,
  )
}

/** Errors: `refused` when the file is nothing that a kernel unpacks. */
export async function inspectInitrd(file: FileHandle, name: string): Promise<void> {
  if (isInitramfs(await headOf(file))) return
  throw refused(
    'InvalidParameterValue',
    `${name} is no initramfs: neither a cpio archive nor one that is packed with gzip, xz, zstd, bzip2, lzma, lzo or lz4`,
  )
}

/** The first bytes of a file, as many as `image-marks.ts` looks at. */
export async function headOf(file: FileHandle): Promise<Buffer> {
  const head = Buffer.alloc(MARKS_HEAD_BYTES)
  let length = 0
  while (length < head.length) {
    const { bytesRead } = await file.read(head, length, head.length - length, length)
    if (bytesRead === 0) break
    length += bytesRead
  }
  return head.subarray(0, length)
}
