/** The smallest valid files of each format that an image can have. */

/** A kernel as x86 boots it, by its header. */
export function bzImage(): Buffer {
  const kernel = Buffer.alloc(4096, 1)
  kernel.writeUInt16LE(0xaa55, 0x1fe)
  kernel.write('HdrS', 0x202)
  return kernel
}

/** An initramfs of so many bytes. */
export function cpio(bytes: number): Buffer {
  const archive = Buffer.alloc(bytes)
  archive.write(`070701${'0'.repeat(104)}`, 'latin1')
  return archive
}

/** A tar archive of so many bytes with one file of zeros (tar(5)). */
export function tar(bytes: number): Buffer {
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, '0')}\0`
  const archive = Buffer.alloc(bytes)
  archive.write('zeros', 0)
  archive.write(octal(0o644, 7), 100)
  archive.write(octal(bytes - 512, 11), 124)
  archive.write('        0', 148)
  archive.write('ustar\x0000', 257)
  const sum = archive.subarray(0, 512).reduce((total, byte) => total + byte, 0)
  archive.write(`${octal(sum, 6)} `, 148)
  return archive
}
