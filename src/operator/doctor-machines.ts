/** What the doctor says of virtual machines: whether QEMU is here, and how guests would be run. */
import type { AcceleratorSetting } from '../host/kvm/kvm.ts'
import { chooseAccelerator, QEMU } from '../host/kvm/kvm.ts'
import type { Runner } from '../lib/runner.ts'
import { ok, type Verdict, warn } from './verdict.ts'

const COMMAND_TIMEOUT_MS = 5_000

/** Containers need none of it, so nothing here is worse than a warning. */
export async function checkMachines(setting: AcceleratorSetting, run: Runner): Promise<Verdict> {
  const version = await qemuVersion(run)
  if (version === null)
    return warn(
      `there is no ${QEMU}: containers only`,
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

/** Null when there is no QEMU that runs. */
async function qemuVersion(run: Runner): Promise<string | null> {
  const { stdout } = await run(QEMU, ['--version'], { timeoutMs: COMMAND_TIMEOUT_MS }).catch(
    () => ({ stdout: '' }),
  )
  return /version (\S+)/.exec(stdout)?.[1] ?? null
}
