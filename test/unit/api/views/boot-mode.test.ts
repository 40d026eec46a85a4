/** With which firmware a virtual machine boots. */
import { expect, it } from 'vitest'
import { bootMode } from '../../../../src/api/views/boot-mode.ts'

it.each([
  ['docker://sample:latest', undefined],
  ['file:///images/rootfs.tar', undefined],
  ['file:///images/disk.qcow2', 'legacy-bios'],
  ['https://example.org/disk.qcow2#firmware=uefi', 'uefi'],
  ['s3://bucket/disk.qcow2#seed=nocloud&firmware=uefi', 'uefi'],
  ['s3://bucket/disk.qcow2#seed=nocloud', 'legacy-bios'],
  ['', undefined],
  ['nonsense', undefined],
])('of %j is %s', (location, mode) => {
  expect(bootMode(location)).toBe(mode)
})
