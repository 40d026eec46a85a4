/**
 * Check of `atoll doctor`: whether QEMU is installed, and whether it can use KVM. Changes nothing.
 */
import type { AcceleratorSetting } from '../host/kvm/kvm.ts'
import { chooseAccelerator, QEMU } from '../host/kvm/kvm.ts'
import type { Runner } from '../lib/runner.ts'
import { type CheckResult, ok, warn } from './doctor-check.ts'

const COMMAND_TIMEOUT_MS = 5_000

/** Containers need none of this, so the worst result is a warning. */
export async function checkMachines(
  setting: AcceleratorSetting,
  run: Runner,
): Promise<CheckResult> {
  const version = await qemuVersion(run)
  if (version === null)
    return warn(
      `${QEMU} is not installed: this host runs containers only`,
      'to run virtual machines: apt-get install --no-install-recommends qemu-system-x86 qemu-utils',
    )
  const { kind, reason } = await chooseAccelerator(setting, { run })
  if (kind === 'kvm') return ok(`QEMU ${version} with KVM (${reason})`)
  const found = `QEMU ${version} emulates the processor, which is slow (${reason})`
  return setting === 'tcg'
    ? ok(found)
    : warn(
        found,
        'enable virtualization in the firmware or the outer hypervisor, and run modprobe kvm_intel or kvm_amd; or set qemu.accel: tcg',
      )
}

/** Null when QEMU does not start. */
async function qemuVersion(run: Runner): Promise<string | null> {
  const { stdout } = await run(QEMU, ['--version'], { timeoutMs: COMMAND_TIMEOUT_MS }).catch(
    () => ({ stdout: '' }),
  )
  return /version (\S+)/.exec(stdout)?.[1] ?? null
}
