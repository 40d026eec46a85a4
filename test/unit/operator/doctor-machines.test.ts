/** What the doctor makes of QEMU and of the accelerator that was found. */
import { expect, test } from 'vitest'
import { type Runner, systemRunner } from '../../../src/lib/runner.ts'
import { checkMachines } from '../../../src/operator/doctor-machines.ts'

/** A QEMU that knows its version, and whose guests end as `script` does. */
function qemu(script: string): Runner {
  return (_program, args, run) =>
    args.includes('--version')
      ? systemRunner('echo', ['QEMU emulator version 7.2.22 (Debian 1:7.2)'], run)
      : systemRunner('sh', ['-c', script], run)
}

test('without QEMU there are containers, and the package is named', async () => {
  const verdict = await checkMachines('auto', () => systemRunner('/nowhere/qemu', []))
  expect(verdict).toMatchObject({
    result: 'warn',
    fix: expect.stringContaining('qemu-system-x86'),
  })
})

test('emulation is worth a warning where nobody asked for it', async () => {
  expect(await checkMachines('auto', qemu('exit 0'))).toMatchObject({
    result: 'warn',
    found: expect.stringMatching(/7\.2\.22 emulates/),
    fix: expect.stringContaining('qemu.accel'),
  })
  expect(await checkMachines('tcg', qemu('exit 0'))).toMatchObject({ result: 'ok', fix: null })
})

test('KVM that was asked for is believed', async () => {
  expect(await checkMachines('kvm', qemu('exit 0'))).toMatchObject({
    result: 'ok',
    found: expect.stringContaining('with KVM'),
  })
})
