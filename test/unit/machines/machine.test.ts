import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type Accelerator,
  isTracked,
  type MachineFiles,
  type MachineSettings,
  machineUuid,
  renderMachine,
} from '../../../src/machines/machine.ts'
import { formatId } from '../../../src/model/ids.ts'
import { KIB, MIB } from '../../../src/model/sizes.ts'
import { instance } from '../../../tools/kit/instance.ts'
import { numbered } from '../../kit/records.ts'

const FILES: MachineFiles = {
  monitor: 4,
  serial: 5,
  agent: 12,
  consoleLog: 6,
  isDiskShared: false,
  ceph: null,
  disk: 7,
  base: { fd: 8, format: 'qcow2' },
  kernel: null,
  firmware: null,
  seed: null,
  taps: [3],
}
const SETTINGS: MachineSettings = {
  accelerator: 'tcg',
  tscKhz: 2_100_000,
  mtuBytes: 1450,
  nicPorts: 0,
  isIncoming: false,
  options: { sha256: null, seed: null, firmware: 'bios', machine: 'q35' },
}
const HOME = '/var/lib/atoll/machines/i-1'

function values(args: readonly string[], option: string): readonly string[] {
  return args.flatMap((arg, index) => (args[index - 1] === option ? [arg] : []))
}

describe('a machine for QEMU', () => {
  test('has a UUID that cloud-init takes for EC2, and it names the instance', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 9, maxLength: 9 }), (bytes) => {
        const id = formatId('i', bytes)
        const uuid = machineUuid(id)
        expect(uuid).toMatch(/^ec2[0-9a-f]{5}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
        expect(uuid.replaceAll('-', '')).toContain(id.slice(2))
        expect(values(renderMachine(instance(1, { id }), HOME, FILES, SETTINGS), '-uuid')).toEqual([
          uuid,
        ])
      }),
    )
  })

  test('opens a disk in a pool of Ceph by librbd, and stands still when that fails', () => {
    const ceph = { pool: 'p', image: 'atoll-vol-1', user: 'u' }
    const args = renderMachine(instance(1), HOME, { ...FILES, ceph, base: null }, SETTINGS)
    const nodes = values(args, '-blockdev').map((node) => JSON.parse(node))
    expect(nodes).toEqual([
      {
        ...{ driver: 'rbd', 'node-name': 'root', pool: 'p', image: 'atoll-vol-1', user: 'u' },
        ...{ conf: '/etc/ceph/ceph.conf', cache: { direct: true }, discard: 'unmap' },
      },
    ])
    expect(values(args, '-device')).toContain(
      'virtio-blk-pci,drive=root,bootindex=0,werror=stop,rerror=stop',
    )
  })

  test('has an amount of memory of which every write is noticed while it moves', () => {
    for (const memoryMiB of [96, 256, 1024, 4096]) {
      const want = instance(1, { type: { ...instance(1).type, memoryMiB } })
      const sizeOn = (accelerator: Accelerator) => {
        const args = renderMachine(want, HOME, FILES, { ...SETTINGS, accelerator })
        return Number(/^size=(\d+)K$/.exec(values(args, '-m')[0] ?? '')?.[1]) * KIB
      }
      expect(sizeOn('kvm')).toBe(memoryMiB * MIB)
      expect(isTracked(sizeOn('kvm'), 'kvm')).toBe(true)
      expect(sizeOn('tcg')).toBe(memoryMiB * MIB - 8 * KIB)
      expect(isTracked(sizeOn('tcg'), 'tcg')).toBe(true)
      expect(isTracked(memoryMiB * MIB, 'tcg')).toBe(false)
    }
  })

  test('opens its base read-only and by descriptor, whatever its overlay says', () => {
    const nodes = values(renderMachine(instance(1), HOME, FILES, SETTINGS), '-blockdev').map(
      (text) => JSON.parse(text),
    )
    expect(nodes).toEqual([
      {
        driver: 'file',
        'node-name': 'base-file',
        filename: '/dev/fdset/2',
        'read-only': true,
      },
      { driver: 'qcow2', 'node-name': 'base', file: 'base-file', 'read-only': true },
      { driver: 'file', 'node-name': 'root-file', filename: '/dev/fdset/1', discard: 'unmap' },
      {
        driver: 'qcow2',
        'node-name': 'root',
        file: 'root-file',
        backing: 'base',
        discard: 'unmap',
      },
    ])
  })

  test('an empty disk has nothing below it; a kernel comes by descriptor; a seed is one more disk', () => {
    const files = { ...FILES, base: null, kernel: { kernel: 8, initrd: 9 }, seed: 10 }
    const args = renderMachine(instance(1), HOME, files, SETTINGS)
    expect(values(args, '-kernel')).toEqual(['/proc/self/fd/8'])
    expect(values(args, '-initrd')).toEqual(['/proc/self/fd/9'])
    const nodes = values(args, '-blockdev').map((text) => JSON.parse(text))
    expect(nodes.find((node) => node['node-name'] === 'root')).toMatchObject({ backing: null })
    expect(nodes.map((node) => node['node-name'])).toContain('seed')
  })

  test('has one NIC for each tap, with its address and the MTU of the link', () => {
    const [nic] = instance(1).nics
    if (nic === undefined) throw new Error('no NIC')
    const attachment = numbered('eni-attach', 1)
    const nics = [nic, { ...nic, attachment, deviceIndex: 1 }]
    const settings = { ...SETTINGS, nicPorts: 2 }
    const args = renderMachine(instance(1, { nics }), HOME, { ...FILES, taps: [3, 11] }, settings)
    const [first, second] = [`tap-${nic.id}`, `tap-${attachment}`]
    expect(values(args, '-netdev')).toEqual([`tap,id=${first},fd=3`, `tap,id=${second},fd=11`])
    const devices = values(args, '-device').slice(-4)
    const more = `mac=${nic.mac},host_mtu=1450,romfile=`
    expect(devices).toEqual([
      `virtio-net-pci,id=${nic.id},netdev=${first},${more}`,
      'pcie-root-port,id=nic-port1,chassis=1',
      'pcie-root-port,id=nic-port2,chassis=2',
      `virtio-net-pci,id=${attachment},netdev=${second},${more},bus=nic-port1`,
    ])
  })

  test.each([
    ['q35', 'virtio-blk-pci'],
    ['microvm', 'virtio-blk-device'],
  ] as const)('on %s its devices are on the bus that is there', (machine, expected) => {
    const options = { ...SETTINGS.options, machine }
    const args = renderMachine(instance(1), HOME, FILES, { ...SETTINGS, options })
    expect(values(args, '-device').some((device) => device.startsWith(expected))).toBe(true)
    expect(values(args, '-machine')[0]).toMatch(new RegExp(`^${machine},`))
    const booted = { ...FILES, base: null, kernel: { kernel: 8, initrd: 9 } }
    const [line] = values(
      renderMachine(instance(1), HOME, booted, { ...SETTINGS, options }),
      '-append',
    )
    expect(line?.includes('tsc_early_khz=2100000')).toBe(machine === 'microvm')
  })
})
