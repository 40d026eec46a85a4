/**
 * What a file of a virtual machine's image is, by its first bytes: a qcow2 or raw disk, a kernel, an initramfs, or something else that
 * is refused by its name. Pure but for reading those bytes.
 */
import type { FileHandle } from 'node:fs/promises'
import { AtollError, refused } from '../../model/errors.ts'
import { isQcow, parseQcow2, QCOW2_HEAD_BYTES, VIRTUAL_MAX_BYTES } from './qcow2.ts'

/** What QEMU and the guest have to be told of a disk. */
interface DiskContent {
  readonly format: 'qcow2' | 'raw'
  /** Size of the disk that the guest sees. */
  readonly virtualBytes: number
}

interface Mark {
  readonly name: string
  readonly offset: number
  readonly bytes: Buffer
}

const PACKED = 'unpack it first'
const CONVERT = 'convert it with `qemu-img convert -O qcow2`'
/** How things begin that somebody may take for a disk image. What has an MBR begins with the code of a boot loader. */
const FOREIGN: readonly (Mark & { readonly advice: string })[] = [
  mark('a VMDK image', 'KDMV', CONVERT),
  mark('a VMDK image', 'COWD', CONVERT),
  mark('a VMDK descriptor', '# Disk DescriptorFile', CONVERT),
  mark('a VHDX image', 'vhdxfile', CONVERT),
  mark('a VHD image', 'conectix', CONVERT),
  mark('a VDI image', '\x7f\x10\xda\xbe', CONVERT, 0x40),
  mark('a QED image', 'QED\0', CONVERT),
  mark('a Parallels image', 'WithoutFreeSpace', CONVERT),
  mark('a Parallels image', 'WithouFreSpacExt', CONVERT),
  mark('an encrypted (LUKS) disk', 'LUKS\xba\xbe', 'decrypt it first'),
  mark('compressed with gzip', '\x1f\x8b', PACKED),
  mark('compressed with xz', '\xfd7zXZ\0', PACKED),
  mark('compressed with zstd', '\x28\xb5\x2f\xfd', PACKED),
  mark('compressed with bzip2', 'BZh', PACKED),
  mark('compressed with lz4', '\x04\x22\x4d\x18', PACKED),
  mark('a zip archive', 'PK\x03\x04', PACKED),
  mark('a 7z archive', '7z\xbc\xaf\x27\x1c', PACKED),
  mark('a tar archive', 'ustar', PACKED, 257),
  mark('a program or kernel (ELF)', '\x7fELF', 'a kernel is given as kernel=FILE,initrd=FILE'),
  mark('a web page', '<!DOCTYPE', 'look at what the location answers'),
  mark('a web page', '<!doctype', 'look at what the location answers'),
  mark('a web page', '<html', 'look at what the location answers'),
]
/** https://docs.kernel.org/arch/x86/boot.html: the real-mode header of a bzImage. */
const BZIMAGE: Mark = { name: 'bzImage', offset: 0x202, bytes: Buffer.from('HdrS') }
/** QEMU boots an ELF by its PVH note or multiboot header. */
const ELF: Mark = { name: 'ELF', offset: 0, bytes: Buffer.from('\x7fELF', 'latin1') }
const SECTOR_BYTES = 512

/**
 * What disk is in this file. `name` is the location, for messages. Errors: `refused` when it is none that QEMU may be given, with what
 * it is instead.
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
      return { format: 'qcow2', virtualBytes: parseQcow2(head, bytes).virtualBytes }
    } catch (error) {
      throw error instanceof AtollError ? saying(error.message) : error
    }
  }
  const foreign = FOREIGN.find((one) => has(head, one))
  if (foreign !== undefined) throw saying(`is ${foreign.name}: ${foreign.advice}`)
  if (bytes === 0) throw saying('is empty')
  if (bytes % SECTOR_BYTES !== 0)
    throw saying(`is neither qcow2 nor a raw disk: its ${bytes} bytes are no multiple of 512`)
  if (bytes > VIRTUAL_MAX_BYTES) throw saying('is a disk of more than 64 TiB')
  return { format: 'raw', virtualBytes: bytes }
}

/** Errors: `refused` when the file is no kernel that QEMU can boot. */
export async function inspectKernel(file: FileHandle, name: string): Promise<void> {
  const head = await headOf(file)
  if (has(head, BZIMAGE) || has(head, ELF)) return
  throw refused(
    'InvalidParameterValue',
    `${name} is no kernel that can be booted: neither a bzImage nor an ELF file`,
  )
}

/** Errors: `refused` when there is nothing in it. What the kernel can unpack is the kernel's to know. */
export async function inspectInitrd(file: FileHandle, name: string): Promise<void> {
  const { size } = await file.stat()
  if (size === 0) throw refused('InvalidParameterValue', `${name} is empty`)
}

function mark(name: string, latin1: string, advice: string, offset = 0) {
  return { name, offset, bytes: Buffer.from(latin1, 'latin1'), advice }
}

function has(head: Buffer, { offset, bytes }: Mark): boolean {
  return head.subarray(offset, offset + bytes.length).equals(bytes)
}

async function headOf(file: FileHandle): Promise<Buffer> {
  const head = Buffer.alloc(QCOW2_HEAD_BYTES)
  let length = 0
  while (length < head.length) {
    const { bytesRead } = await file.read(head, length, head.length - length, length)
    if (bytesRead === 0) break
    length += bytesRead
  }
  return head.subarray(0, length)
}
