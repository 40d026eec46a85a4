/**
 * Tells from its first bytes what a file is: a qcow2 or raw disk, a kernel, an initramfs, a root
 * file system archive, or something else, which is refused by its name. Pure, except for reading
 * those bytes.
 *
 * A file is used only as what its content proves it to be, so that no other file of a host is given
 * to a guest as an image.
 */
import type { FileHandle } from 'node:fs/promises'
import { constants, gunzipSync } from 'node:zlib'
import { AtollError, refused } from '../model/errors.ts'
import { KIB, MIB } from '../model/sizes.ts'
import { isQcow, parseQcow2, QCOW2_HEAD_BYTES, VIRTUAL_MAX_BYTES } from './qcow2.ts'

interface Mark {
  readonly name: string
  readonly offset: number
  readonly bytes: Buffer
}

/** A file type that is not a disk image, and what to say about it. */
interface Foreign extends Mark {
  readonly advice: string
}

/** How much of a file is needed. The last signature, of btrfs, follows its first 64 KiB. */
const MARKS_HEAD_BYTES = 68 * KIB

const PACKED = 'unpack it first'
const CONVERT = 'convert it with `qemu-img convert -O qcow2`'
/**
 * Signatures of files that may be mistaken for a disk image. A disk with an MBR begins with the
 * code of a boot loader.
 */
const FOREIGN: readonly Foreign[] = [
  foreign('a VMDK image', 'KDMV', CONVERT),
  foreign('a VMDK image', 'COWD', CONVERT),
  foreign('a VMDK descriptor', '# Disk DescriptorFile', CONVERT),
  foreign('a VHDX image', 'vhdxfile', CONVERT),
  foreign('a VHD image', 'conectix', CONVERT),
  foreign('a VDI image', '\x7f\x10\xda\xbe', CONVERT, 0x40),
  foreign('a QED image', 'QED\0', CONVERT),
  foreign('a Parallels image', 'WithoutFreeSpace', CONVERT),
  foreign('a Parallels image', 'WithouFreSpacExt', CONVERT),
  foreign('an encrypted (LUKS) disk', 'LUKS\xba\xbe', 'decrypt it first'),
  foreign('compressed with gzip', '\x1f\x8b', PACKED),
  foreign('compressed with xz', '\xfd7zXZ\0', PACKED),
  foreign('compressed with zstd', '\x28\xb5\x2f\xfd', PACKED),
  foreign('compressed with bzip2', 'BZh', PACKED),
  foreign('compressed with lz4', '\x04\x22\x4d\x18', PACKED),
  foreign('a zip archive', 'PK\x03\x04', PACKED),
  foreign('a 7z archive', '7z\xbc\xaf\x27\x1c', PACKED),
  foreign('a tar archive', 'ustar', PACKED, 257),
  foreign('a program or kernel (ELF)', '\x7fELF', 'a kernel is given as kernel=FILE,initrd=FILE'),
  foreign('a web page', '<!DOCTYPE', 'look at what the location answers'),
  foreign('a web page', '<!doctype', 'look at what the location answers'),
  foreign('a web page', '<html', 'look at what the location answers'),
]

/** Signatures of partition tables and file systems, as in blkid(8). */
const ON_DISKS: readonly Mark[] = [
  // A boot sector with or without partitions (MBR, FAT, NTFS), also of hybrid ISO images.
  mark('MBR', '\x55\xaa', 510),
  // UEFI specification, 5.3.2, with sectors of 512 and of 4096 bytes.
  mark('GPT', 'EFI PART', 512),
  mark('GPT', 'EFI PART', 4096),
  mark('ext2, ext3 or ext4', '\x53\xef', 0x438),
  mark('XFS', 'XFSB'),
  mark('btrfs', '_BHRfS_M', 0x10040),
  mark('F2FS', '\x10\x20\xf5\xf2', 1024),
  mark('EROFS', '\xe2\xe1\xf5\xe0', 1024),
  mark('squashfs', 'hsqs'),
  mark('ISO 9660', 'CD001', 0x8001),
  mark('LVM', 'LABELONE', 512),
]

/**
 * https://docs.kernel.org/arch/x86/boot.html: the boot flag and the real-mode header of a bzImage.
 */
const BZIMAGE: readonly Mark[] = [
  mark('boot flag', '\x55\xaa', 0x1fe),
  mark('bzImage', 'HdrS', 0x202),
]
/** https://docs.kernel.org/arch/arm64/booting.html */
const ARM64_IMAGE = mark('Image', 'ARM\x64', 56)
/** QEMU boots an ELF file by its PVH note or multiboot header. */
const ELF = mark('ELF', '\x7fELF')
const ELF_TYPE_OFFSET = 16
const ELF_MACHINE_OFFSET = 18
/** ET_EXEC and ET_DYN (elf(5)). */
const ELF_TYPES: readonly number[] = [2, 3]
/** EM_386, EM_X86_64, EM_AARCH64. */
const ELF_MACHINES: readonly number[] = [3, 62, 183]

/**
 * Formats that the kernel unpacks (init/initramfs.c, lib/decompress.c). The content of gzip is
 * checked as well.
 */
const INITRAMFS: readonly Mark[] = [
  mark('bzip2', 'BZh'),
  mark('LZMA', '\x5d\0\0'),
  mark('XZ', '\xfd7zXZ\0'),
  mark('LZO', '\x89LZO\0\r\n\x1a\n'),
  mark('LZ4', '\x02\x21\x4c\x18'),
  mark('LZ4', '\x04\x22\x4d\x18'),
  mark('Zstandard', '\x28\xb5\x2f\xfd'),
]
/**
 * A cpio header in a format that the kernel accepts: 13 numbers of 8 digits
 * (https://docs.kernel.org/driver-api/early-userspace/buffer-format.html).
 */
const CPIO = /^07070[12][0-9A-Fa-f]{104}/
const CPIO_HEADER_BYTES = 110
const GZIP = mark('gzip', '\x1f\x8b\x08')
/** "ustar" at this offset marks POSIX and GNU tar (tar(5)). */
const USTAR = mark('tar', 'ustar', 257)
/**
 * How much of a compressed file is unpacked to recognise it, and the maximum result: gzip can pack
 * 1,032 bytes into one.
 */
const PACKED_HEAD_BYTES = 4096
const UNPACKED_MAX_BYTES = 8 * MIB

/** What QEMU and the guest must know of a disk. */
interface DiskContent {
  readonly format: 'qcow2' | 'raw'
  /** Size of the disk that the guest sees. */
  readonly virtualBytes: number
}

const SECTOR_BYTES = 512

/**
 * The kind of disk in this file. `name` is the location, for messages. Errors: `refused` when QEMU
 * may not use it, with what it is instead.
 */
export async function inspectDisk(file: FileHandle, name: string): Promise<DiskContent> {
  const { size } = await file.stat()
  return diskOf(await headOf(file), size, name)
}

/** Like `inspectDisk`, for a file of `bytes` that begins with `head`. */
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
    throw saying(`is neither qcow2 nor a raw disk: its ${bytes} bytes are not a multiple of 512`)
  if (bytes > VIRTUAL_MAX_BYTES) throw saying('is a disk of more than 64 TiB')
  if (!isDisk(head))
    throw saying('is neither qcow2 nor a raw disk: it has no known partition table or file system')
  return { format: 'raw', virtualBytes: bytes }
}

/** Errors: `refused` when the file is not a kernel that QEMU can boot. */
export async function inspectKernel(file: FileHandle, name: string): Promise<void> {
  if (isKernel(await headOf(file))) return
  throw refused(
    'InvalidParameterValue',
    `${name} is not a bootable kernel: neither a bzImage nor an ELF file nor an arm64 Image`,
  )
}

/** Errors: `refused` when the file is nothing that a kernel unpacks. */
export async function inspectInitrd(file: FileHandle, name: string): Promise<void> {
  if (isInitramfs(await headOf(file))) return
  throw refused(
    'InvalidParameterValue',
    `${name} is not an initramfs: neither a cpio archive nor one that is packed with gzip, xz, zstd, bzip2, lzma, lzo or lz4`,
  )
}

/** The first bytes of a file, as many as are inspected. */
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

/** The type of a file that is not a disk image. Undefined when it has no other signature. */
function foreignMark(head: Buffer): Foreign | undefined {
  return FOREIGN.find((one) => has(head, one))
}

/** Whether a raw disk with this beginning has a partition table or a file system. */
function isDisk(head: Buffer): boolean {
  return ON_DISKS.some((one) => has(head, one))
}

/** Whether this is the beginning of a kernel. */
export function isKernel(head: Buffer): boolean {
  if (BZIMAGE.every((one) => has(head, one)) || has(head, ARM64_IMAGE)) return true
  if (!has(head, ELF) || head.length < ELF_MACHINE_OFFSET + 2) return false
  return (
    ELF_TYPES.includes(head.readUInt16LE(ELF_TYPE_OFFSET)) &&
    ELF_MACHINES.includes(head.readUInt16LE(ELF_MACHINE_OFFSET))
  )
}

/** Whether this is the beginning of an initramfs. */
export function isInitramfs(head: Buffer): boolean {
  if (has(head, GZIP)) return isCpio(unpackedHead(head))
  return isCpio(head) || INITRAMFS.some((one) => has(head, one))
}

/**
 * The compression of the root file system archive with this beginning. Null when it is not an
 * archive.
 */
export function archivePacking(head: Buffer): 'gzip' | 'none' | null {
  if (has(head, GZIP)) return has(unpackedHead(head), USTAR) ? 'gzip' : null
  return has(head, USTAR) ? 'none' : null
}

function isCpio(head: Buffer): boolean {
  return CPIO.test(head.toString('latin1', 0, CPIO_HEADER_BYTES))
}

/** The beginning of a gzip file's content. Empty when it cannot be unpacked. */
function unpackedHead(head: Buffer): Buffer {
  try {
    return gunzipSync(head.subarray(0, PACKED_HEAD_BYTES), {
      finishFlush: constants.Z_SYNC_FLUSH,
      maxOutputLength: UNPACKED_MAX_BYTES,
    })
  } catch {
    return Buffer.alloc(0)
  }
}

function mark(name: string, latin1: string, offset = 0): Mark {
  return { name, offset, bytes: Buffer.from(latin1, 'latin1') }
}

function foreign(name: string, latin1: string, advice: string, offset = 0): Foreign {
  return { ...mark(name, latin1, offset), advice }
}

function has(head: Buffer, { offset, bytes }: Mark): boolean {
  return head.subarray(offset, offset + bytes.length).equals(bytes)
}
