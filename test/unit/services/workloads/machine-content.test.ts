/** What a file is taken for by its first bytes. */
import { describe, expect, test } from 'vitest'
import { diskOf } from '../../../../src/services/workloads/machine-content.ts'

function beginning(latin1: string, offset = 0): Buffer {
  const head = Buffer.alloc(1024)
  head.write(latin1, offset, 'latin1')
  return head
}

test.each([
  ['a boot sector', beginning('\x55\xaa', 510)],
  ['nothing but zeros', beginning('')],
  ['an ISO image', Buffer.concat([beginning(''), beginning('CD001', 1)])],
  ['a qcow2 header further in', beginning('QFI\xfb', 512)],
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
    [0, /empty/],
    [1, /no multiple of 512/],
    [4095, /no multiple of 512/],
    [64 * 1024 ** 4 + 512, /64 TiB/],
  ])('a raw disk of %d bytes', (bytes, message) => {
    expect(() => diskOf(beginning(''), bytes, 'x')).toThrow(message)
  })
})
