/**
 * KVM is believed when a guest ran under it, and when it is not there is a reason that says why.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  bootGuest,
  chooseAccelerator,
  createAccelerator,
  testKvm,
} from '../../../../src/host/kvm/kvm.ts'
import { KVM_GUEST } from '../../../../src/host/kvm/kvm-guest.ts'
import { type Runner, systemRunner } from '../../../../src/lib/runner.ts'
import { silentLog } from '../../../../tools/kit/log.ts'

const execute = promisify(execFile)
const SOURCE = join(import.meta.dirname, '../../../../scripts/kvm-guest.s')
const canEmulate = existsSync('/usr/bin/qemu-system-x86_64')
const canAssemble = existsSync('/usr/bin/as') && existsSync('/usr/bin/ld')
/** An emulated guest on a busy machine. */
const TIMEOUT_MS = 60_000
const ANY = '/dev/null'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'atoll-kvm-test-'))
})
afterAll(() => rm(directory, { recursive: true }))

/** Stands where QEMU would be, and ends as `script` does. */
function ends(script: string): Runner {
  return (_program, _args, run) => systemRunner('sh', ['-c', script], run)
}

test.skipIf(!canAssemble)('the bytes are what the source comes to (needs binutils)', async () => {
  const [object, image] = [join(directory, 'guest.o'), join(directory, 'guest.bin')]
  await execute('as', ['--64', '-o', object, SOURCE])
  const link = ['-m', 'elf_x86_64', '-Ttext=0x100000', '-e', 'header', '--oformat', 'binary']
  await execute('ld', [...link, '-o', image, object])
  expect(KVM_GUEST.equals(await readFile(image))).toBe(true)
})

describe.skipIf(!canEmulate)('with QEMU', () => {
  test('the guest is right: emulated, it runs well', { timeout: TIMEOUT_MS }, async () => {
    const proof = await bootGuest('tcg', { run: systemRunner, timeoutMs: TIMEOUT_MS })
    expect(proof).toEqual({ works: true, reason: 'a test guest succeeded' })
  })

  test('whatever KVM is here, an answer comes in time', { timeout: TIMEOUT_MS }, async () => {
    const { reason } = await testKvm({ run: systemRunner, timeoutMs: 2_000 })
    expect(reason).not.toBe('')
  })
})

const ENDINGS: readonly (readonly [string, boolean, string])[] = [
  ['exit 85', true, 'a test guest succeeded'],
  ['exit 0', false, 'a test guest crashed'],
  ['exit 13', false, 'a test guest failed at step 6'],
  ['echo no such machine >&2; exit 1', false, 'QEMU refused a test guest: no such machine'],
  ['echo assertion >&2; kill -ABRT $$', false, 'QEMU crashed with a test guest: assertion'],
  ['exec sleep 60', false, 'a test guest hung for 0.2 s'],
]
test.each(ENDINGS)('a QEMU that does `%s`', async (script, works, reason) => {
  const timeoutMs = script.includes('sleep') ? 200 : TIMEOUT_MS
  expect(await testKvm({ run: ends(script), device: ANY, timeoutMs })).toEqual({ works, reason })
})

test('no QEMU, or no device, is a reason of its own', async () => {
  const run: Runner = () => systemRunner('/nowhere/qemu', [])
  expect(await testKvm({ run, device: ANY })).toMatchObject({
    works: false,
    reason: expect.stringContaining('cannot be started'),
  })
  expect(await testKvm({ run: ends('exit 85'), device: '/nowhere/kvm' })).toMatchObject({
    works: false,
    reason: expect.stringContaining('/nowhere/kvm cannot be opened'),
  })
})

test('auto takes KVM only where it is proven, and else the setting counts', async () => {
  const kinds = async (script: string) =>
    await Promise.all(
      (['auto', 'kvm', 'tcg'] as const).map(
        async (setting) =>
          (await chooseAccelerator(setting, { run: ends(script), device: ANY })).kind,
      ),
    )
  expect(await kinds('exit 85')).toEqual(['kvm', 'kvm', 'tcg'])
  expect(await kinds('exit 0')).toEqual(['tcg', 'kvm', 'tcg'])
})

test('who may use the device only by its group is given the group', async () => {
  const device = join(directory, 'kvm')
  await writeFile(device, '')
  const groupWith = async (mode: number) => {
    await chmod(device, mode)
    return (await chooseAccelerator('auto', { run: ends('exit 85'), device })).group
  }
  expect(await groupWith(0o660)).toBe(process.getgid?.())
  expect(await groupWith(0o666)).toBeNull()
})

test('it is found once, however often and early it is asked', async () => {
  let runs = 0
  const run: Runner = (...args) => {
    runs += 1
    return ends('exit 85')(...args)
  }
  const accelerator = createAccelerator('auto', { run, device: ANY, log: silentLog })
  expect(runs).toBe(0)
  const found = await Promise.all([accelerator(), accelerator()])
  expect([...found, await accelerator()].map(({ kind }) => kind)).toEqual(['kvm', 'kvm', 'kvm'])
  expect(runs).toBe(1)
})
