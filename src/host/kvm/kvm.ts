/**
 * Which accelerator virtual machines get on this machine.
 *
 * That `/dev/kvm` is there and opens says little: under a nested or paravirtual KVM it does, and a
 * guest's kernel hangs as soon as it leaves real mode, or QEMU aborts. So `auto` believes only a
 * guest that did what kernels do (`kvm-guest.ts`) before a deadline, in a machine like those that
 * instances get.
 */
import { constants } from 'node:fs'
import { access, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Log } from '../../lib/log.ts'
import type { Runner, RunResult } from '../../lib/runner.ts'
import { messageOf } from '../../model/errors.ts'
import { KVM_GUEST, PASSED_EXIT_CODE } from './kvm-guest.ts'

/** What `qemu.accel` may say. */
export type AcceleratorSetting = 'auto' | 'kvm' | 'tcg'

/** How guests are run here, and why. */
interface AcceleratorChoice {
  readonly kind: 'kvm' | 'tcg'
  /** For people. */
  readonly reason: string
  /** The group that a process must be in to use `/dev/kvm`; null when it needs none. */
  readonly group: number | null
}

/** Whether something works, and what was seen. */
interface Proof {
  readonly works: boolean
  readonly reason: string
}

interface Machine {
  readonly run: Runner
  /** The device of KVM; another one in tests. */
  readonly device?: string
  /** How long the guest may take. */
  readonly timeoutMs?: number
}

/** The program that runs virtual machines. */
export const QEMU = 'qemu-system-x86_64'
const KVM_DEVICE = '/dev/kvm'
/**
 * The guest takes a few milliseconds, QEMU's start and its firmware a tenth of a second: this is
 * for a machine that is busy.
 */
const DEFAULT_TIMEOUT_MS = 5_000
const OTHERS_WRITE = 0o002
/** Of what QEMU said. */
const REASON_LENGTH = 300

/** Finds out once, when it is first asked, and writes what was found to the log. */
export function createAccelerator(
  setting: AcceleratorSetting,
  { log, ...machine }: Machine & { readonly log: Log },
): () => Promise<AcceleratorChoice> {
  let found: Promise<AcceleratorChoice> | null = null
  const find = async () => {
    const choice = await chooseAccelerator(setting, machine)
    log.info({ accelerator: choice.kind, reason: choice.reason }, 'selected the QEMU accelerator')
    return choice
  }
  return () => {
    found ??= find()
    return found
  }
}

/** What the setting says; with `auto`, KVM where it is proven. */
export async function chooseAccelerator(
  setting: AcceleratorSetting,
  machine: Machine,
): Promise<AcceleratorChoice> {
  if (setting === 'tcg') return { kind: 'tcg', reason: 'qemu.accel says so', group: null }
  const group = await groupOf(machine.device ?? KVM_DEVICE)
  if (setting === 'kvm') return { kind: 'kvm', reason: 'qemu.accel says so', group }
  const { works, reason } = await proveKvm(machine)
  return works ? { kind: 'kvm', reason, group } : { kind: 'tcg', reason, group: null }
}

/** Whether a guest's kernel can run under KVM here. Does not reject. */
export async function proveKvm(machine: Machine): Promise<Proof> {
  const device = machine.device ?? KVM_DEVICE
  try {
    await access(device, constants.R_OK | constants.W_OK)
  } catch (error) {
    return fails(`${device} cannot be opened (${messageOf(error)})`)
  }
  return bootGuest('kvm', machine)
}

/** Boots the guest of `kvm-guest.ts` and says how it went. Does not reject. */
export async function bootGuest(
  accelerator: 'kvm' | 'tcg',
  { run, timeoutMs = DEFAULT_TIMEOUT_MS }: Machine,
): Promise<Proof> {
  try {
    const directory = await mkdtemp(join(tmpdir(), 'atoll-kvm-'))
    try {
      const kernel = join(directory, 'guest')
      await writeFile(kernel, KVM_GUEST)
      return verdict(await run(QEMU, guestMachine(accelerator, kernel), { timeoutMs }), timeoutMs)
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  } catch (error) {
    return fails(`${QEMU} cannot be started (${messageOf(error)})`)
  }
}

/** What instances get, as far as it is the accelerator's business. */
function guestMachine(accelerator: 'kvm' | 'tcg', kernel: string): readonly string[] {
  const [interrupts, processor] =
    accelerator === 'kvm' ? [',kernel-irqchip=on', 'host'] : ['', 'max']
  return [
    ...['-no-user-config', '-nodefaults', '-display', 'none', '-no-reboot', '-sandbox', 'on'],
    ...['-machine', `q35,vmport=off,usb=off${interrupts}`, '-accel', accelerator],
    ...['-cpu', processor, '-smp', '1', '-m', '64'],
    ...['-device', 'isa-debug-exit,iobase=0xf4,iosize=4', '-kernel', kernel],
  ]
}

function verdict({ exitCode, stoppedBy, stderr }: RunResult, timeoutMs: number): Proof {
  if (exitCode === PASSED_EXIT_CODE) return { works: true, reason: 'a test guest ran well' }
  if (stoppedBy === 'timeout') return fails(`a test guest hung for ${timeoutMs / 1000} s`)
  const said = stderr.trim().split('\n')[0]?.slice(0, REASON_LENGTH) ?? ''
  if (exitCode === null) return fails(`QEMU crashed with a test guest: ${said}`)
  // QEMU itself fails with 1; with 0 it saw the guest's reset, which is a triple fault.
  if (exitCode === 1 && said !== '') return fails(`QEMU refused a test guest: ${said}`)
  return fails(
    exitCode % 2 === 0
      ? 'a test guest crashed'
      : `a test guest failed at its step ${(exitCode - 1) / 2}`,
  )
}

function fails(reason: string): Proof {
  return { works: false, reason }
}

async function groupOf(device: string): Promise<number | null> {
  const found = await stat(device).catch(() => null)
  return found === null || (found.mode & OTHERS_WRITE) !== 0 ? null : found.gid
}
