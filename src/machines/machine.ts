/**
 * Describes an instance to QEMU. Pure.
 *
 * There are no default devices, and QEMU reads no configuration of the host. Every file and tap is
 * a descriptor that root has opened, so the process needs access to no path. Options: qemu(1),
 * https://www.qemu.org/docs/master/system/invocation.html.
 */
import { CELL_CEPH_CONF } from '../host/processes/cell.ts'
import type { InstanceId } from '../model/ids.ts'
import type { MachineOptions } from '../model/image-location.ts'
import { machineName } from '../model/names.ts'
import { KIB, MIB } from '../model/sizes.ts'
import { type InstanceWant, type NicWant, plugName } from '../model/want.ts'

/** How the guest's instructions are executed. */
export type Accelerator = 'kvm' | 'tcg'

/** The descriptors that the process inherits. */
export interface MachineFiles {
  /** Listens for QMP clients. */
  readonly monitor: number
  /** Listens for clients of the serial console. */
  readonly serial: number
  /** Listens for clients of the guest agent. */
  readonly agent: number
  /** The output of the serial console is appended to it. */
  readonly consoleLog: number
  /** The instance's own disk, qcow2. */
  readonly disk: number
  /** Whether other hosts can have the same disk. */
  readonly isDiskShared: boolean
  /** Where the disk is in a pool of Ceph, in place of `disk`, which leads nowhere then. */
  readonly ceph: { readonly pool: string; readonly image: string; readonly user: string } | null
  /** The base image of the disk. Null: an empty disk, or a whole one. */
  readonly base: { readonly fd: number; readonly format: 'qcow2' | 'raw' } | null
  /** Kernel and initramfs of a machine without a boot loader. */
  readonly kernel: { readonly kernel: number; readonly initrd: number } | null
  /** UEFI's code, and this machine's variables. */
  readonly firmware: { readonly code: number; readonly variables: number } | null
  /** The NoCloud seed volume. */
  readonly seed: number | null
  /** One tap for each NIC, in their order. */
  readonly taps: readonly number[]
}

export interface MachineSettings {
  readonly accelerator: Accelerator
  /** MTU of the guest's NICs, in bytes. */
  readonly mtuBytes: number
  /** The number of ports for NICs that come and go. */
  readonly nicPorts: number
  readonly options: MachineOptions
  /**
   * Frequency of the processor's time stamp counter in kHz, for guests that cannot measure it. Null
   * when unknown.
   */
  readonly tscKhz: number | null
  /** Whether it waits for a machine that runs on another host, and stands still when it has it. */
  readonly isIncoming: boolean
}

const KERNEL_COMMAND_LINE = 'console=ttyS0 panic=10'
/** Size of emulation's code cache in MiB. QEMU's default is up to a GiB. */
const TRANSLATION_CACHE_MIB = 128

/**
 * The UUID by which cloud-init recognises an EC2 machine. It begins with `ec2`, and the serial
 * number is the same (https://docs.cloud-init.io, "Amazon EC2", and ds-identify). The rest is the
 * instance id.
 */
export function machineUuid(instance: InstanceId): string {
  const hex = `ec2${instance.slice('i-'.length)}`.padEnd(32, '0')
  const cut = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20)]
  return [...cut, hex.slice(20)].join('-')
}

/** The arguments of QEMU, without the program's name. */
export function renderMachine(
  want: InstanceWant,
  home: string,
  files: MachineFiles,
  settings: MachineSettings,
): readonly string[] {
  const { options, accelerator } = settings
  const uuid = machineUuid(want.id)
  return [
    ...['-name', machineName(home), '-no-user-config', '-nodefaults', '-display', 'none'],
    ...['-machine', machineType(options, accelerator, files), '-accel', acceleration(accelerator)],
    ...['-cpu', accelerator === 'kvm' ? 'host' : 'max'],
    ...['-smp', `cpus=${want.type.vcpus}`, '-m', `size=${memoryKiB(want, accelerator)}K`],
    ...['-uuid', uuid, '-smbios', `type=1,manufacturer=Atoll,uuid=${uuid},serial=${uuid}`],
    ...['-smbios', `type=3,asset=${want.id}`],
    '-sandbox',
    'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny',
    // After a power-off QEMU stays, paused, until the daemon has seen that the guest powered off by
    // itself.
    ...['-no-shutdown', '-rtc', 'base=utc,driftfix=slew', '-boot', 'strict=on'],
    ...(settings.isIncoming ? ['-S', '-incoming', 'defer'] : []),
    ...socket('monitor', files.monitor),
    ...['-mon', 'chardev=monitor,mode=control'],
    ...addFile(SETS.consoleLog, files.consoleLog),
    ...socket('serial', files.serial, `,logfile=${fileSet(SETS.consoleLog)},logappend=on`),
    ...['-serial', 'chardev:serial'],
    ...device('rng', options),
    ...guestAgent(files, options),
    ...firmware(files),
    ...directBoot(files, settings),
    ...disk(files, options),
    ...seed(files, options),
    ...want.nics.slice(0, 1).flatMap((nic) => network(nic, files.taps[0] ?? -1, settings, null)),
    // After all devices that were there before there were ports, so that these keep their places.
    ...ports(settings),
    ...want.nics
      .slice(1)
      .flatMap((nic, at) => network(nic, files.taps[at + 1] ?? -1, settings, nicPortName(at + 1))),
  ]
}

/**
 * Whether QEMU knows at any time which of the guest's memory was written since it was sent to
 * another host. Before version 9, emulation forgets writes to memory whose size is a multiple of 64
 * pages, and the guest crashes after a live move. Any other size is tracked page by page
 * (`cpu_physical_memory_sync_dirty_bitmap`; mended for the rest by QEMU's commit 03bfc2188f06).
 */
export function isTracked(bytes: number, accelerator: Accelerator): boolean {
  return accelerator === 'kvm' || bytes % UNTRACKED_BYTES !== 0
}
const UNTRACKED_BYTES = 256 * KIB
/** The smallest part that QEMU does not round up. */
const MEMORY_STEP_KIB = 8

function memoryKiB({ type }: InstanceWant, accelerator: Accelerator): number {
  const kib = type.memoryMiB * (MIB / KIB)
  return isTracked(kib * KIB, accelerator) ? kib : kib - MEMORY_STEP_KIB
}

/** Numbers of the sets with which QEMU opens a file by descriptor (`-add-fd`). */
const SETS = { disk: 1, base: 2, consoleLog: 3, code: 4, variables: 5, seed: 6 } as const

function fileSet(set: number): string {
  return `/dev/fdset/${set}`
}

function addFile(set: number, fd: number): readonly string[] {
  return ['-add-fd', `fd=${fd},set=${set}`]
}

function socket(id: string, fd: number, more = ''): readonly string[] {
  return ['-chardev', `socket,id=${id},fd=${fd},server=on,wait=off${more}`]
}

function machineType(
  { machine }: MachineOptions,
  accelerator: Accelerator,
  { firmware: uefi }: MachineFiles,
): string {
  if (machine === 'microvm') return 'microvm,acpi=on,rtc=on,isa-serial=on,dump-guest-core=off'
  const flash = uefi === null ? '' : ',pflash0=uefi-code,pflash1=uefi-variables'
  const interrupts = accelerator === 'kvm' ? ',kernel-irqchip=on' : ''
  return `q35,vmport=off,usb=off,dump-guest-core=off${interrupts}${flash}`
}

function acceleration(accelerator: Accelerator): string {
  return accelerator === 'kvm' ? 'kvm' : `tcg,thread=multi,tb-size=${TRANSLATION_CACHE_MIB}`
}

/** A virtio device: on PCI, or on the MMIO bus of a microvm, which has no PCI. */
function device(kind: string, { machine }: MachineOptions, more = ''): readonly string[] {
  const bus = machine === 'microvm' ? 'device' : 'pci'
  return ['-device', `virtio-${kind}-${bus}${more}`]
}

function blockdev(node: Readonly<Record<string, unknown>>): readonly string[] {
  return ['-blockdev', JSON.stringify(node)]
}

/** QEMU's name for its end of the guest agent's port. */
export const AGENT_CHARDEV = 'agent'

/** The port that a guest agent uses, if the guest has one. */
function guestAgent({ agent }: MachineFiles, options: MachineOptions): readonly string[] {
  return [
    ...socket(AGENT_CHARDEV, agent),
    ...device('serial', options),
    ...['-device', `virtserialport,chardev=${AGENT_CHARDEV},name=org.qemu.guest_agent.0`],
  ]
}

/** A file by descriptor, with its format. */
function image(
  name: string,
  set: number,
  fd: number,
  format: Readonly<Record<string, unknown>>,
  isReadOnly: boolean,
  isShared = false,
): readonly string[] {
  const access = isReadOnly ? { 'read-only': true } : { discard: 'unmap' }
  // What a host's page cache has may be written long after the process has ended, over what another
  // host has written since. And another process that has the file open is an error.
  const alone = isShared ? { cache: { direct: true }, locking: 'on' } : {}
  return [
    ...addFile(set, fd),
    ...blockdev({
      driver: 'file',
      'node-name': `${name}-file`,
      filename: fileSet(set),
      ...access,
      ...alone,
    }),
    ...blockdev({ 'node-name': name, file: `${name}-file`, ...access, ...format }),
  ]
}

function disk(files: MachineFiles, options: MachineOptions): readonly string[] {
  const { disk: fd, isDiskShared, ceph, base, kernel } = files
  // If there is a kernel, it boots first.
  const order = kernel === null ? ',bootindex=0' : ''
  if (ceph !== null)
    // An error would have the guest take its file system for broken. It stands still instead.
    return [...rbd(ceph), ...device('blk', options, `,drive=root${order},werror=stop,rerror=stop`)]
  const below =
    base === null ? [] : image('base', SETS.base, base.fd, { driver: base.format }, true)
  // Named here instead of in the overlay's header, so no other file is opened, whatever a guest's
  // disk says.
  const format = { driver: 'qcow2', backing: base === null ? null : 'base' }
  return [
    ...below,
    ...image('root', SETS.disk, fd, format, false, isDiskShared),
    ...device('blk', options, `,drive=root${order}`),
  ]
}

/** An image in a pool of Ceph. The cell has the configuration and the key. */
function rbd({ pool, image, user }: NonNullable<MachineFiles['ceph']>): readonly string[] {
  return blockdev({
    ...{ driver: 'rbd', 'node-name': 'root', pool, image, user, conf: CELL_CEPH_CONF },
    ...{ cache: { direct: true }, discard: 'unmap' },
  })
}

function seed({ seed: fd }: MachineFiles, options: MachineOptions): readonly string[] {
  if (fd === null) return []
  return [
    ...image('seed', SETS.seed, fd, { driver: 'raw' }, true),
    ...device('blk', options, ',drive=seed'),
  ]
}

function firmware({ firmware: uefi }: MachineFiles): readonly string[] {
  if (uefi === null) return []
  return [
    ...image('uefi-code', SETS.code, uefi.code, { driver: 'raw' }, true),
    ...image('uefi-variables', SETS.variables, uefi.variables, { driver: 'raw' }, false),
  ]
}

/**
 * QEMU opens these two by name only, so the name is the descriptor's in /proc. A microvm has no
 * timer with which a kernel could measure the processor's clock. KVM tells the kernel; under
 * emulation the command line must (measured: it waits for ever otherwise).
 */
function directBoot(
  { kernel: files }: MachineFiles,
  { accelerator, options, tscKhz }: MachineSettings,
): readonly string[] {
  if (files === null) return []
  const isBlind = options.machine === 'microvm' && accelerator === 'tcg' && tscKhz !== null
  const frequency = isBlind ? ` tsc_early_khz=${tscKhz}` : ''
  const path = (fd: number) => `/proc/self/fd/${fd}`
  return [
    ...['-kernel', path(files.kernel), '-initrd', path(files.initrd)],
    ...['-append', `${KERNEL_COMMAND_LINE}${frequency}`],
  ]
}

/** The name of a port for a NIC that may come and go, from 1. */
export function nicPortName(port: number): string {
  return `nic-port${port}`
}

/** The name of QEMU's end of the tap of the NIC with this name (`plugName`). */
export function backendName(nic: string): string {
  return `tap-${nic}`
}

/**
 * PCI Express ports: only what is in one can be taken out while the machine runs. A microvm has no
 * PCI.
 */
function ports({ nicPorts, options }: MachineSettings): readonly string[] {
  if (options.machine === 'microvm') return []
  return Array.from({ length: nicPorts }, (_, at) => [
    '-device',
    `pcie-root-port,id=${nicPortName(at + 1)},chassis=${at + 1}`,
  ]).flat()
}

/**
 * No network boot: its ROM would only cost memory and time. `port`: where it is; null: anywhere.
 */
function network(
  nic: NicWant,
  tap: number,
  { mtuBytes, options, nicPorts }: MachineSettings,
  port: string | null,
): readonly string[] {
  const isPci = options.machine !== 'microvm'
  const name = plugName(nic)
  const rom = isPci ? ',romfile=' : ''
  const place = isPci && port !== null && nicPorts > 0 ? `,bus=${port}` : ''
  return [
    ...['-netdev', `tap,id=${backendName(name)},fd=${tap}`],
    ...device(
      'net',
      options,
      `,id=${name},netdev=${backendName(name)},mac=${nic.mac},host_mtu=${mtuBytes}${rom}${place}`,
    ),
  ]
}
