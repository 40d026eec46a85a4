/** What a file is taken for by its first bytes. */
import { describe, expect, test } from 'vitest'
import { diskOf } from '../../../src/images/content.ts'

function beginning(latin1: string, offset = 0): Buffer {
  const head = Buffer.alloc(Math.max(1024, offset + 16))
  head.write(latin1, offset, 'latin1')
  return head
}

test.each([
  ['a boot sector', beginning('\x55\xaa', 510)],
  ['a GPT', beginning('EFI PART', 512)],
  ['ext4', beginning('\x53\xef', 0x438)],
  ['XFS', beginning('XFSB')],
  ['btrfs', beginning('_BHRfS_M', 0x10040)],
  ['squashfs', beginning('hsqs')],
  ['an ISO image', beginning('CD001', 0x8001)],
  ['LVM', beginning('LABELONE', 512)],
])('%s is a raw disk', (_what, head) => {
  expect(diskOf(head, 4096, 'x')).toEqual({ format: 'raw', virtualBytes: 4096 })
})

describe('refused by its name', () => {
  test.each([
    [/VMDK/, beginning('KDMV\x01\0\0\0')],
    [/VMDK/, beginning('# Disk DescriptorFile\nversion=1\nRW 1 FLAT "/etc/shadow" 0')],
    [/VHDX/, beginning('vhdxfile')],
    [/VHD /, beginning('conectix')],
    [/VDI/, beginning('\x7f\x10\xda\xbe', 64)],
    [/QED/, beginning('QED\0')],
    [/Parallels/, beginning('WithoutFreeSpace')],
    [/LUKS/, beginning('LUKS\xba\xbe\0\x02')],
    [/gzip: unpack it first/, beginning('\x1f\x8b\x08')],
    [/xz: unpack it first/, beginning('\xfd7zXZ\0')],
    [/zstd: unpack it first/, beginning('\x28\xb5\x2f\xfd')],
    [/bzip2: unpack it first/, beginning('BZh9')],
    [/zip archive: unpack it first/, beginning('PK\x03\x04')],
    [/tar archive: unpack it first/, beginning('ustar', 257)],
    [/ELF/, beginning('\x7fELF')],
    [/web page/, beginning('<!DOCTYPE html>')],
    [/version 1 of the format/, beginning('QFI\xfb\0\0\0\x01')],
    [/not complete/, Buffer.from('QFI\xfb', 'latin1')],
  ])('%s', (message, head) => {
    expect(() => diskOf(head, 4096, 'http://h/x.img')).toThrow(message)
    expect(() => diskOf(head, 4096, 'http://h/x.img')).toThrow(/^http:\/\/h\/x\.img /)
  })

  test.each([
    ['nothing but zeros', beginning('')],
    ['a qcow2 header further in', beginning('QFI\xfb', 512)],
    ['text', beginning('password=secret\n'.repeat(64))],
  ])('%s is no disk', (_what, head) => {
    expect(() => diskOf(head, 4096, 'x')).toThrow(/no known partition table/)
  })

  test.each([
    [0, /empty/],
    [1, /not a multiple of 512/],
    [4095, /not a multiple of 512/],
    [64 * 1024 ** 4 + 512, /64 TiB/],
  ])('a raw disk of %d bytes', (bytes, message) => {
    expect(() => diskOf(beginning(''), bytes, 'x')).toThrow(message)
  })
})
