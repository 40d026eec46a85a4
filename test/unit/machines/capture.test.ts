/**
 * Images made of machines: of one that is off, and of one that has to be shut down for it. qemu-img
 * is real; no guest runs.
 */
import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { MachineImages } from '../../../src/images/machine-images.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { systemRunner } from '../../../src/lib/runner.ts'
import { createMachineCapturer } from '../../../src/machines/capture.ts'
import { createKeptImages } from '../../../src/machines/created-images.ts'
import { FIRST_DRIVERS } from '../../../src/model/driver.ts'
import { formatId, ID_BYTES } from '../../../src/model/ids.ts'
import { MIB } from '../../../src/model/sizes.ts'
import type { CaptureWant } from '../../../src/model/want.ts'
import type { Capturer } from '../../../src/workloads/driver.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { eventually } from '../../../tools/kit/netns.ts'
import { createImageFixture, type ImageFixture, kept, noise } from '../../kit/machine-images.ts'
import { createMachineProcesses, type MachineProcesses } from '../../kit/machine-process.ts'
import { instanceId } from '../../kit/records.ts'

const execute = promisify(execFile)
const DEADLINE_MS = 60_000
const isRoot = process.getuid?.() === 0
const ID = instanceId(1)
const never = new AbortController().signal
const BASE = noise(MIB)
const BOOT = { bootCount: 1, poweredOff: false, rebootDue: false }

describe.skipIf(!isRoot)('an image of a machine (needs root: qemu-img runs in the jail)', () => {
  let fixture: ImageFixture
  let images: MachineImages & AsyncDisposable
  let machines: MachineProcesses
  let want: CaptureWant

  beforeEach(async () => {
    fixture = await createImageFixture()
    images = fixture.open()
    machines = await createMachineProcesses(ID)
    const id = formatId('ami', Buffer.alloc(ID_BYTES, 9))
    want = {
      ...{ id, instance: ID, driver: FIRST_DRIVERS.machine, location: '', digest: null },
      ...{ origin: '', reboot: false },
    }
  })
  afterEach(async () => {
    await images[Symbol.asyncDispose]()
    await machines.close()
    await fixture.remove()
  })

  /** Nobody answers in the guest. */
  function open(monitors = machines.monitors): Capturer {
    const { files, stateDir, firstUser } = machines
    return createMachineCapturer({
      ...{ images, files, monitors },
      kept: createKeptImages(stateDir),
      run: systemRunner,
      freezer: async () => null,
      settings: { stopSeconds: 30, firstUser, maxBytes: 64 * MIB },
      clock: systemClock,
      log: silentLog,
    })
  }

  const capture = (capturer = open()) => capturer.capture(want, () => undefined, never)
  const found = () => createKeptImages(machines.stateDir).find(want.id)
  const left = () => readdir(join(machines.stateDir, 'created-images')).catch(() => [])

  /** A disk on the image, with a mebibyte of `a` behind what is the image's. */
  async function makeDisk(options: readonly string[] = []): Promise<string> {
    const location = await fixture.put('base.img', BASE)
    const { digest, details } = await kept(images, location)
    const { files } = machines
    await files.make(ID, { digest, location })
    await files.writeBoot(ID, BOOT)
    const { disk } = files.paths(ID)
    const base = options.length > 0 ? options : ['-b', details.path, '-F', 'raw']
    await execute('qemu-img', ['create', '-q', '-f', 'qcow2', ...base, disk, String(4 * MIB)])
    if (options.length === 0)
      await execute('qemu-io', ['-f', 'qcow2', '-c', 'write -P 0x61 1M 1M', disk])
    return digest
  }

  /** What a guest of the image sees. */
  async function contentOf(path: string): Promise<Buffer> {
    const raw = join(fixture.dir, 'raw')
    await execute('qemu-img', ['convert', '-O', 'raw', path, raw])
    return readFile(raw)
  }

  async function expectWhole(): Promise<void> {
    const made = await found()
    if (made?.kind !== 'disk') throw new Error('no disk was made')
    expect(made).toMatchObject({ format: 'qcow2', virtualBytes: 4 * MIB })
    const expected = [BASE, Buffer.alloc(MIB, 'a'), Buffer.alloc(2 * MIB)]
    expect((await contentOf(made.path)).equals(Buffer.concat(expected))).toBe(true)
  }

  it('that is off is whole, stands by itself, and is made once', async () => {
    await makeDisk()
    const findings = await capture()
    expect(findings).toMatchObject({ digest: (await found())?.digest, diskGiB: 1 })
    await expectWhole()
    // Once it is made, the instance may go.
    await machines.files.remove(ID)
    expect(await capture()).toEqual(findings)
  })

  it('that has no disk is refused, and nothing is left', async () => {
    await expect(capture()).rejects.toThrow(/has no disk to make an image from/)
    await machines.files.make(ID, { digest: await makeDisk(), location: '' })
    await machines.files.remove(ID)
    await expect(capture()).rejects.toMatchObject({ code: 'IncorrectInstanceState' })
    expect(await left()).toEqual([])
  })

  it('whose header names a file of the host is refused, and nothing is left', async () => {
    await mkdir(join(fixture.dir, 'host'))
    await makeDisk(['-o', `data_file=${join(fixture.dir, 'host', 'secret')}`])
    await expect(capture()).rejects.toThrow(/external data file/)
    expect(await left()).toEqual([])
  })

  it('that runs and does not answer is left alone', async () => {
    await makeDisk()
    const machine = await machines.start({ monitor: false })
    await expect(capture()).rejects.toThrow(/does not answer/)
    expect(machine.child.exitCode ?? machine.child.signalCode).toBeNull()
    expect(await machines.files.readBoot(ID)).toEqual(BOOT)
  })

  it('that runs says that a reboot is due, and is copied once the machine is off', async () => {
    await makeDisk()
    want = { ...want, reboot: true }
    const machine = await machines.start({})
    let looks = 0
    const list = (fresh: boolean) => {
      looks += 1
      return machines.monitors.list(fresh)
    }
    const making = capture(open({ ...machines.monitors, list }))
    const isDue = async () => (await machines.files.readBoot(ID))?.rebootDue === true
    await eventually('a reboot is due', isDue, DEADLINE_MS)
    await eventually('it goes on looking', () => looks > 3, DEADLINE_MS)
    expect(await readdir(join(machines.stateDir, 'created-images', `${want.id}.partial`))).toEqual(
      [],
    )
    // Whether it is shut down, and how, is the plan's: the capture asks for nothing itself.
    expect(machine.commands).not.toContain('system_powerdown')
    machine.end()
    await making
    await expectWhole()
    expect(await machines.files.readBoot(ID)).toEqual({ ...BOOT, rebootDue: true })
  })

  it('stays while a disk lies on it, whatever the records say', async () => {
    await makeDisk()
    const { digest } = await capture()
    const capturer = open()
    await machines.files.make(ID, { digest, location: '' })
    await capturer.keep(new Set(), new Set())
    expect(await left()).toEqual([want.id])
    await machines.files.remove(ID)
    await capturer.keep(new Set([want.id]), new Set())
    expect(await left()).toEqual([want.id])
    await capturer.keep(new Set(), new Set())
    expect(await left()).toEqual([])
  })
})
