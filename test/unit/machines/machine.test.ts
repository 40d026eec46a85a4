import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type MachineFiles,
  type MachineSettings,
  machineUuid,
  renderMachine,
} from '../../../src/machines/machine.ts'
import { formatId } from '../../../src/model/ids.ts'
import { instance } from '../../../tools/kit/instance.ts'

const FILES: MachineFiles = {
  monitor: 4,
  serial: 5,
  agent: 12,
  consoleLog: 6,
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
    const nics = [nic, { ...nic, deviceIndex: 1 }]
    const args = renderMachine(instance(1, { nics }), HOME, { ...FILES, taps: [3, 11] }, SETTINGS)
    expect(values(args, '-netdev')).toEqual(['tap,id=net0,fd=3', 'tap,id=net1,fd=11'])
    const devices = values(args, '-device').filter((device) => device.startsWith('virtio-net'))
    expect(devices[0]).toBe(`virtio-net-pci,netdev=net0,mac=${nic.mac},host_mtu=1450,romfile=`)
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
