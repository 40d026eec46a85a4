import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type DriverName, FIRST_DRIVERS, parseDriverName } from '../../../src/model/driver.ts'
import {
  driverByLocation,
  driverOf,
  IMAGE_LOCATION_MAX_LENGTH,
  isLocationOf,
  keptBy,
  keptLocation,
  parseImageLocation,
} from '../../../src/model/image-location.ts'
import { hostName, numbered } from '../../kit/records.ts'

const THIRD = driverName('process')

function driverName(text: string): DriverName {
  const name = parseDriverName(text)
  if (name === undefined) throw new Error(`${text} is no driver`)
  return name
}

describe('image locations', () => {
  test.each([
    ['docker://web', 'web:latest'],
    ['docker://web:1.2', 'web:1.2'],
    ['docker://registry.example:5000/team/web:v1', 'registry.example:5000/team/web:v1'],
    ['docker://ghcr.io/a/b', 'ghcr.io/a/b:latest'],
    [`docker://web@sha256:${'a'.repeat(64)}`, `web@sha256:${'a'.repeat(64)}`],
  ])('%s', (text, reference) => {
    expect(parseImageLocation(text)).toEqual({ kind: 'docker', reference })
  })

  test.each(['/srv/rootfs.tar', '/srv/a/rootfs.tar.gz', '/srv/x.tgz'])('file://%s', (path) => {
    expect(parseImageLocation(`file://${path}`)).toEqual({ kind: 'file', path })
    expect(parseImageLocation(path)).toEqual({ kind: 'file', path })
  })

  test.each([
    '',
    'web:1',
    'docker://',
    'docker://-x',
    'docker://web:',
    'docker://we b',
    'docker://web\n',
    'docker://a/../b',
    'docker://a//b',
    'http://host/x.tar',
    'file://relative.tar',
    'file:///srv/../etc/x.tar',
    'file:///srv/./x.tar',
    'file:///etc/shadow',
    'file:///srv/two words.tar',
    'file://',
    `file:///${'a'.repeat(2000)}.tar`,
    'file:///srv/a\u202egmi.tar',
    'file:///srv/a\u200b.tar',
    'file:///srv/a\ud800.img',
    'http://host/a\u0000.img',
    'http://user@host/a.img',
    'http://:secret@host/a.img',
    's3://bucket/../a.img',
    's3://../a.img',
  ])('refused: %j', (text) => {
    expect(parseImageLocation(text)).toBeUndefined()
  })
})

describe('locations of virtual machines', () => {
  const plain = { sha256: null, seed: null, firmware: 'bios', machine: 'q35' }
  const sha256 = 'ab'.repeat(32)
  const disks = [
    ['file:///srv/a.qcow2', { scheme: 'file', path: '/srv/a.qcow2' }],
    ['/srv/a.img', { scheme: 'file', path: '/srv/a.img' }],
    ['file:///srv/b/a.raw', { scheme: 'file', path: '/srv/b/a.raw' }],
    ['http://h/a.img', { scheme: 'http', url: 'http://h/a.img' }],
    ['https://h:8443/a?x=1', { scheme: 'http', url: 'https://h:8443/a?x=1' }],
    ['s3://bucket/key', { scheme: 's3', bucket: 'bucket', key: 'key' }],
    ['s3://my.bucket-1/a/b.qcow2', { scheme: 's3', bucket: 'my.bucket-1', key: 'a/b.qcow2' }],
  ] as const
  const options = [
    ['', {}],
    [`#sha256=${sha256}`, { sha256 }],
    ['#seed=nocloud', { seed: 'nocloud' }],
    ['#firmware=uefi', { firmware: 'uefi' }],
    ['#machine=q35&firmware=bios', {}],
    [`#firmware=uefi&seed=nocloud&sha256=${sha256}`, { firmware: 'uefi', seed: 'nocloud', sha256 }],
  ] as const
  const matrix = disks.flatMap(([text, disk]) =>
    options.map(([fragment, given]) => [text + fragment, disk, given] as const),
  )

  test.each(matrix)('%s', (text, disk, given) => {
    expect(parseImageLocation(text)).toEqual({
      kind: 'disk',
      disk,
      options: { ...plain, ...given },
    })
    expect(driverByLocation(text)).toBe(FIRST_DRIVERS.machine)
  })

  test.each([
    ['', {}],
    ['#machine=microvm', { machine: 'microvm' }],
    [`#sha256=${sha256}&seed=nocloud`, { sha256, seed: 'nocloud' }],
  ] as const)('a kernel and its initramfs%s', (fragment, given) => {
    const text = `kernel=/boot/vmlinuz,initrd=s3://bucket/initrd.img${fragment}`
    expect(parseImageLocation(text)).toEqual({
      kind: 'kernel',
      kernel: { scheme: 'file', path: '/boot/vmlinuz' },
      initrd: { scheme: 's3', bucket: 'bucket', key: 'initrd.img' },
      options: { ...plain, ...given },
    })
    expect(driverByLocation(text)).toBe(FIRST_DRIVERS.machine)
  })

  test.each([
    // Files: of another name, relative, with segments that lead elsewhere.
    '/srv/a.vmdk',
    '/srv/a.iso',
    'file://a.img',
    'file:///srv/../etc/a.img',
    'file:///srv/./a.img',
    '/.img/../shadow',
    // URLs: of another scheme, of nothing, with credentials, of an archive.
    'ftp://h/a.img',
    'HTTP//h/a.img',
    'http://h',
    'http://h/',
    'http://',
    'http://user@h/a.img',
    'http://user:word@h/a.img',
    'https://h/rootfs.tar.gz',
    // Buckets and keys.
    's3://bucket',
    's3://bucket/',
    's3:///key',
    's3://Bucket/key',
    's3://b/key',
    's3://-bucket/key',
    's3://bucket/../other',
    's3://bucket/a/./b',
    // Pairs: half of one, of nothing, of three, of firmware.
    'kernel=/a',
    'kernel=/a,initrd=',
    'kernel=,initrd=/a',
    'initrd=/a,kernel=/b',
    'kernel=/a,initrd=/b,initrd=/c',
    'kernel=a,initrd=/b',
    'kernel=/a,initrd=/b#firmware=uefi',
    // Options: unknown, twice, of another value, of no use.
    '/a.img#x=1',
    '/a.img#seed',
    '/a.img#seed=ec2',
    '/a.img#seed=nocloud&seed=nocloud',
    '/a.img#sha256=abc',
    `/a.img#sha256=${sha256.toUpperCase()}`,
    `/a.img#sha256=${sha256}0`,
    '/a.img#machine=pc',
    '/a.img#machine=microvm',
    '/a.img#firmware=efi',
    '/a.img#seed=nocloud#firmware=uefi',
    '/a b.img',
    'http://h/a\u0000.img',
  ])('refused: %j', (text) => {
    expect(parseImageLocation(text)).toBeUndefined()
    expect(driverByLocation(text)).toBe(FIRST_DRIVERS.container)
  })

  test('of what was made of an instance say what runs it, and which host alone has it', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(FIRST_DRIVERS.container, FIRST_DRIVERS.machine, THIRD),
        fc.stringMatching(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/).map(hostName),
        fc.nat(1000),
        (driver, host, n) => {
          const image = numbered('ami', n)
          const text = keptLocation(driver, host, image)
          expect(parseImageLocation(text)).toEqual({ kind: 'kept', driver, host, image })
          expect(driverByLocation(text)).toBe(driver)
          expect(keptBy(text)).toBe(host)
        },
      ),
    )
    expect(keptBy('docker://web')).toBeNull()
  })

  test.each([
    'atoll://',
    'atoll://here/machine',
    'atoll://here/machine/i-0123456789abcdef0',
    'atoll://here/machine/ami-0123456789abcdef0/x',
    'atoll://here/machine/ami-0123456789abcdef0#seed=nocloud',
    'atoll://here/disk/ami-0123456789abcdef0',
    'atoll://here/driver/ami-0123456789abcdef0',
    'atoll://here/driver/qemu/ami-0123456789abcdef0',
    'atoll://here/driver/../ami-0123456789abcdef0',
    'atoll://here/driver/a/b/ami-0123456789abcdef0',
    'atoll://here/machine/a/ami-0123456789abcdef0',
    'atoll://Here/machine/ami-0123456789abcdef0',
    'atoll://../machine/ami-0123456789abcdef0',
    'kernel=atoll://here/machine/ami-0123456789abcdef0,initrd=/srv/i',
  ])('no host keeps %j', (text) => {
    expect(parseImageLocation(text)).toBeUndefined()
  })
})

test.each([
  ['docker://web', null, 'container'],
  ['file:///srv/disk.qcow2', {}, 'machine'],
  // An older daemon launched it.
  ['file:///srv/disk.qcow2', null, 'machine'],
  // The image was deregistered since.
  ['', {}, 'machine'],
  ['', null, 'container'],
] as const)('an older instance of "%s" with the disk %o is a %s', (location, disk, kind) => {
  const known = { location, hasVolume: disk !== null }
  expect(driverOf({ driver: null }, known)).toBe(FIRST_DRIVERS[kind])
  expect(driverOf({ driver: THIRD }, known)).toBe(THIRD)
})

test.each([
  ['process:///bin/true', true],
  ['docker://web', true],
  ['docker://', false],
  ['https://user@h/a.img', false],
  ['atoll://here/disk/ami-0123456789abcdef0', false],
  ['process://a b', false],
  ['process://', false],
  [`process://${'a'.repeat(IMAGE_LOCATION_MAX_LENGTH)}`, false],
  ['/etc/shadow', false],
])('a record with a driver may have the location %j: %j', (text, may) => {
  expect(isLocationOf(THIRD, text)).toBe(may)
  expect(isLocationOf(null, text)).toBe(parseImageLocation(text) !== undefined)
})
