/** How the process of a virtual machine is confined, by the disk that it opens itself. */
import { expect, it } from 'vitest'
import { type CellDisk, cellCommand } from '../../../../src/host/processes/cell.ts'

const argsOf = (disk: CellDisk | null) => cellCommand(1, 2, ['-version'], disk).args
const access = { pool: 'p', user: 'u', conf: '/etc/ceph/ceph.conf', keyring: '/etc/ceph/key' }

it('has a network of its own, unless librbd has to reach the cluster', () => {
  const file = { kind: 'file', directory: '/mnt', marker: '{}', volume: 'vol-1' } as const
  for (const disk of [null, file]) expect(argsOf(disk)).toContain('--net')
  const args = argsOf({ kind: 'ceph', access, image: 'atoll-vol-1' })
  expect(args).not.toContain('--net')
  for (const space of ['--ipc', '--uts', '--mount']) expect(args).toContain(space)
})

it('has a descriptor for each OSD of a large cluster', () => {
  const descriptorsOf = (disk: CellDisk | null) => {
    const args = argsOf(disk)
    return Number(args[args.indexOf('2') + 1])
  }
  expect(descriptorsOf(null)).toBe(256)
  expect(descriptorsOf({ kind: 'ceph', access, image: 'atoll-vol-1' })).toBeGreaterThan(10_000)
})

it('gets the names of what librbd needs, before the program', () => {
  const args = argsOf({ kind: 'ceph', access, image: 'atoll-vol-1' })
  const at = args.indexOf('ceph')
  expect(args.slice(at, at + 4)).toEqual(['ceph', '/etc/ceph/ceph.conf', '/etc/ceph/key', 'u'])
  expect(args[at + 4]).toMatch(/qemu/)
})
