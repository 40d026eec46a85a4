/**
 * Chooses the accelerator of virtual machines on this host: KVM or emulation.
 *
 * It is not enough that `/dev/kvm` can be opened. With a broken nested or paravirtual KVM a guest's
 * kernel hangs when it leaves real mode, or QEMU aborts. So `auto` chooses KVM only if a test guest
 * (`kvm-guest.ts`) succeeds before a deadline, in a machine like those of instances.
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

/** The choice, and why. */
interface AcceleratorChoice {
  readonly kind: 'kvm' | 'tcg'
  /** For the operator. */
  readonly reason: string
  /** The group that may use `/dev/kvm`; null when everybody may. */
  readonly group: number | null
}

/** Whether KVM works, and what was seen. */
interface TestResult {
  readonly works: boolean
  readonly reason: string
}

interface Machine {
  readonly run: Runner
  /** The device of KVM. Tests use another one. */
  readonly device?: string
  /** How long the guest may take. */
  readonly timeoutMs?: number
}

/** The program that runs virtual machines. */
export const QEMU = 'qemu-system-x86_64'
const KVM_DEVICE = '/dev/kvm'
/**
 * The guest takes a few milliseconds; QEMU and its firmware take a tenth of a second. The rest is
 * for a busy machine.
 */
const DEFAULT_TIMEOUT_MS = 5_000
const OTHERS_WRITE = 0o002
/** Of QEMU's message. */
const REASON_LENGTH = 300

/** Chooses once, on the first call, and logs the choice. */
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

/** What the setting says; with `auto`, KVM if the test guest succeeds. */
export async function chooseAccelerator(
  setting: AcceleratorSetting,
  machine: Machine,
): Promise<AcceleratorChoice> {
  if (setting === 'tcg') return { kind: 'tcg', reason: 'set by qemu.accel', group: null }
  const group = await groupOf(machine.device ?? KVM_DEVICE)
  if (setting === 'kvm') return { kind: 'kvm', reason: 'set by qemu.accel', group }
  const { works, reason } = await testKvm(machine)
  return works ? { kind: 'kvm', reason, group } : { kind: 'tcg', reason, group: null }
}

/** Whether a guest's kernel can run under KVM here. Does not reject. */
export async function testKvm(machine: Machine): Promise<TestResult> {
  const device = machine.device ?? KVM_DEVICE
  try {
    await access(device, constants.R_OK | constants.W_OK)
  } catch (error) {
    return fails(`${device} cannot be opened (${messageOf(error)})`)
  }
  return bootGuest('kvm', machine)
}

/** Boots the guest of `kvm-guest.ts` and returns the result. Does not reject. */
export async function bootGuest(
  accelerator: 'kvm' | 'tcg',
  { run, timeoutMs = DEFAULT_TIMEOUT_MS }: Machine,
): Promise<TestResult> {
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

/** The options of instances that depend on the accelerator. */
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

function verdict({ exitCode, stoppedBy, stderr }: RunResult, timeoutMs: number): TestResult {
  if (exitCode === PASSED_EXIT_CODE) return { works: true, reason: 'a test guest succeeded' }
  if (stoppedBy === 'timeout') return fails(`a test guest hung for ${timeoutMs / 1000} s`)
  const said = stderr.trim().split('\n')[0]?.slice(0, REASON_LENGTH) ?? ''
  if (exitCode === null) return fails(`QEMU crashed with a test guest: ${said}`)
  // Exit code 1 is an error of QEMU; 0 is a reset of the guest, which is a triple fault.
  if (exitCode === 1 && said !== '') return fails(`QEMU refused a test guest: ${said}`)
  return fails(
    exitCode % 2 === 0
      ? 'a test guest crashed'
      : `a test guest failed at step ${(exitCode - 1) / 2}`,
  )
}

function fails(reason: string): TestResult {
  return { works: false, reason }
}

async function groupOf(device: string): Promise<number | null> {
  const found = await stat(device).catch(() => null)
  return found === null || (found.mode & OTHERS_WRITE) !== 0 ? null : found.gid
}
