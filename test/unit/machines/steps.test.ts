/**
 * The steps on QEMU: what is written down, what is asked of a guest, and what is killed. No guest
 * runs here.
 */
import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createMachineGroups } from '../../../src/host/processes/groups.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { systemRunner } from '../../../src/lib/runner.ts'
import { createRootDisks } from '../../../src/machines/disks/disks.ts'
import { createQemuSteps } from '../../../src/machines/steps.ts'
import { FIRST_DRIVERS } from '../../../src/model/driver.ts'
import { unavailable } from '../../../src/model/errors.ts'
import { formatId, ID_BYTES } from '../../../src/model/ids.ts'
import { GIB, MIB } from '../../../src/model/sizes.ts'
import type { InstanceWant } from '../../../src/model/want.ts'
import type { WorkloadSteps } from '../../../src/workloads/driver.ts'
import { instance } from '../../../tools/kit/instance.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { createImageFixture, type ImageFixture, kept, noise } from '../../kit/machine-images.ts'
import { createMachineProcesses, type MachineProcesses } from '../../kit/machine-process.ts'

const execute = promisify(execFile)
const never = new AbortController().signal
const want = machineWant('')
const DISK = { volume: formatId('vol', Buffer.alloc(ID_BYTES, 1)), keep: false }
const FRESH = { bootCount: want.bootCount, poweredOff: false, rebootDue: false }

let fixture: ImageFixture
let machines: MachineProcesses
let starts: Set<Promise<void>>

beforeEach(async () => {
  starts = new Set()
  fixture = await createImageFixture()
  machines = await createMachineProcesses(want.id)
})
afterEach(async () => {
  await machines.close()
  await fixture.remove()
})

function machineWant(location: string): InstanceWant {
  const image = { ...instance(1).image, location, driver: FIRST_DRIVERS.machine }
  return instance(1, { image, driver: FIRST_DRIVERS.machine })
}

/** Steps of a host that has no tap to give, so that no QEMU is ever started. */
function open(images: ReturnType<ImageFixture['open']>, stopSeconds = 30): WorkloadSteps {
  const { files, monitors, stateDir, runtimeDir, firstUser } = machines
  const noTap = async () => {
    throw unavailable('there is no tap')
  }
  return createQemuSteps({
    images,
    host: { openTap: noTap, listenUnix: noTap },
    disks: createRootDisks(files, systemRunner, null),
    ...{ files, monitors },
    nics: { list: async () => undefined, ensure: async () => {}, replug: async () => [] },
    groups: createMachineGroups({ run: systemRunner, log: silentLog }),
    starts,
    run: systemRunner,
    accelerator: async () => ({ kind: 'tcg', group: null }),
    settings: { stateDir, runtimeDir, firstUser, stopSeconds, mtuBytes: 1450, nicLimits: [] },
    clock: systemClock,
    log: silentLog,
  })
}

test('launch makes the disk on its image, of the size that is asked for, and says so when no boot follows', async () => {
  await using images = fixture.open()
  const location = await fixture.put('a.img', noise(MIB))
  const { digest, details } = await kept(images, location)
  const steps = open(images)
  const asked = machineWant(location)
  const disk = machines.files.paths(want.id).disk
  for (const sizeGiB of [3, 5]) {
    const sized = { ...asked, disk: { ...DISK, sizeGiB } }
    await expect(steps.launch(sized, digest, never)).rejects.toThrow('there is no tap')
    const info = await execute('qemu-img', ['info', '--output=json', '-U', disk])
    expect(JSON.parse(info.stdout)).toMatchObject({
      'virtual-size': sizeGiB * GIB,
      'backing-filename': details.path,
      'backing-filename-format': 'raw',
    })
  }
  expect(await machines.files.origin(want.id)).toEqual({ digest, location })
  expect(await machines.files.readBoot(want.id)).toEqual(FRESH)
  // What is made under another name first is not left.
  expect(await readdir(machines.files.paths(want.id).home)).not.toContain('disk.qcow2.new')
})

test('a start is known from before it is permitted until it has ended', async () => {
  await using images = fixture.open()
  const location = await fixture.put('a.img', noise(MIB))
  const { digest } = await kept(images, location)
  const { promise, resolve } = Promise.withResolvers<void>()
  let seen = 0
  const permit = async () => {
    await promise
    seen = starts.size
  }
  const launched = open(images).launch(machineWant(location), digest, never, permit)
  await expect.poll(() => starts.size).toBe(1)
  resolve()
  await expect(launched).rejects.toThrow('there is no tap')
  expect(seen).toBe(1)
  expect(starts.size).toBe(0)
})

test('start leaves a machine that runs alone, and says when nobody knows the image', async () => {
  await using images = fixture.open()
  const steps = open(images)
  await expect(steps.start(want, never)).rejects.toThrow(/image of i-.* is not known/)
  await machines.start({})
  await steps.start(want, never)
  expect(await machines.files.readBoot(want.id)).toBeNull()
})

test('plug writes a boot record that is lost, and no other', async () => {
  await using images = fixture.open()
  const steps = open(images)
  await machines.start({})
  await steps.plug(want, never)
  expect(await machines.files.readBoot(want.id)).toEqual(FRESH)
  const due = { ...FRESH, rebootDue: true }
  await machines.files.writeBoot(want.id, due)
  await steps.plug(want, never)
  expect(await machines.files.readBoot(want.id)).toEqual(due)
})

test('stop presses the power button once, and the guest ends by itself', async () => {
  await using images = fixture.open()
  const machine = await machines.start({})
  await open(images).stop(want.id, never)
  await machine.ended
  expect(machine.commands.filter((one) => one === 'system_powerdown')).toHaveLength(1)
  // And again, when it is off.
  await open(images).stop(want.id, never)
})

test.each([
  ['does not obey', { obeys: false }, 1],
  ['has no monitor', { monitor: false }, 600],
] as const)('stop kills a machine that %s', async (_what, how, stopSeconds) => {
  await using images = fixture.open()
  const machine = await machines.start(how)
  await open(images, stopSeconds).stop(want.id, never)
  await machine.ended
  expect(machine.child.signalCode).toBe('SIGKILL')
})

test('remove kills the process and leaves nothing, or the disk alone in the directory of its volume', async () => {
  await using images = fixture.open()
  const steps = open(images)
  const { files, monitors, stateDir } = machines
  const origin = { digest: `sha256:${'a'.repeat(64)}`, location: 'file:///a.img' }
  const keep = formatId('vol', Buffer.alloc(ID_BYTES, 1))
  for (const kept of [keep, null]) {
    const machine = await machines.start({ monitor: kept !== null })
    await files.make(want.id, origin)
    await writeFile(files.paths(want.id).disk, 'the disk')
    await mkdir(monitors.sockets(want.id).dir, { recursive: true })
    await steps.remove(want.id, kept)
    await machine.ended
    expect(await files.has(want.id)).toBe(false)
    expect(await readdir(join(machines.runtimeDir, 'vm'))).toEqual([])
    // Again, as after a SIGKILL: what was kept stays.
    await steps.remove(want.id, kept)
    expect(await readFile(join(stateDir, 'volumes', keep, 'disk.qcow2'), 'utf8')).toBe('the disk')
  }
  expect(
    JSON.parse(await readFile(join(stateDir, 'volumes', keep, 'origin.json'), 'utf8')),
  ).toEqual(origin)
})
