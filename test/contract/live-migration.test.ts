/**
 * Two hosts, one of which takes over a running virtual machine from the other: two real QEMUs, each
 * in a network namespace of its own with the real host port, and the two drivers between which
 * everything passes. One machine goes through all of it.
 */
import { randomBytes } from 'node:crypto'
import { copyFile, mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { below } from '../../src/lib/paths.ts'
import { createMachineFiles } from '../../src/machines/files.ts'
import type { InstanceWant } from '../../src/model/want.ts'
import type { WorkloadState } from '../../src/plan/workloads.ts'
import type { LiveMover, LiveStreams, WorkloadDriver } from '../../src/workloads/driver.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { canRunMachines, tinyGuest } from '../../tools/kit/tiny-guest.ts'
import { type QemuFixture, startQemuFixture } from '../kit/machines.ts'

/** An emulated guest on a busy machine. */
const BOOT_MS = 180_000
const CASE_MS = 180_000
/** Its address is none of the gateway's. */
const NUMBER = 20
const never = new AbortController().signal
const quiet = { progress: (_message: string): void => {}, still: () => {}, signal: never }

type LiveDriver = WorkloadDriver & { readonly liveMover: LiveMover }

interface Side {
  readonly ground: QemuFixture
  driver: LiveDriver
  readonly want: InstanceWant
  readonly digest: string
}

let from: Side
let to: Side
const opened: QemuFixture[] = []

async function openSide(): Promise<Side> {
  const { kernelPath, initrdPath, location } = await tinyGuest()
  const ground = await startQemuFixture([dirname(kernelPath), dirname(initrdPath)])
  opened.push(ground)
  const want = await ground.prepare(NUMBER, location)
  const found = await ground.settle(want.image)
  if (found.kind !== 'ready') throw new Error(`${location} is ${found.kind}`)
  return { ground, driver: ground.freshDriver() as LiveDriver, want, digest: found.digest }
}

async function stateOn({ driver, want }: Side): Promise<WorkloadState['kind'] | null> {
  const haves = await driver.list({ fresh: true, signal: never })
  return haves.find(({ instance }) => instance === want.id)?.state.kind ?? null
}

async function untilState(side: Side, state: WorkloadState['kind']): Promise<void> {
  await eventually(`it is ${state}`, async () => (await stateOn(side)) === state, CASE_MS)
}

const inside = ({ ground, want }: Side, command: string) => ground.inside(want, command)

/** Gives the new host the files that it must have before. */
async function copyFiles(): Promise<void> {
  const { home } = createMachineFiles(to.ground.stateDir).paths(to.want.id)
  await mkdir(home, { recursive: true, mode: 0o700 })
  for (const { name, path } of await from.driver.liveMover.files(from.want.id))
    await copyFile(path, below(home, name))
}

/** Has the new host wait for it. */
async function receive(): Promise<LiveStreams> {
  await copyFiles()
  const { diskBytes } = await from.driver.liveMover.describe(from.want.id)
  return await to.driver.liveMover.receive(to.want, to.digest, diskBytes)
}

const send = (streams: LiveStreams, wait = quiet) =>
  from.driver.liveMover.send(from.want.id, streams, wait)

/** Moves it, up to the moment in which it stands still on both. */
async function pass(): Promise<void> {
  const streams = await receive()
  await Promise.all([send(streams), to.driver.liveMover.received(to.want.id, never)])
}

/** Whether it runs on the old host, with its memory, and may write. */
async function goesOn(mark: string): Promise<void> {
  await untilState(from, 'running')
  expect(await inside(from, 'sync; cat /mark; echo ok >/dev/vda && sync && echo written')).toMatch(
    new RegExp(`${mark}[^]*written`),
  )
  expect(await from.ground.answers(from.want)).toBe(true)
}

describe.skipIf(!canRunMachines())('a running machine', { timeout: CASE_MS }, () => {
  const mark = randomBytes(8).toString('hex')

  beforeAll(async () => {
    from = await openSide()
    await from.driver.launch(from.want, from.digest, never)
    await eventually('it answers', () => from.ground.answers(from.want), BOOT_MS)
    // From now on this thread is in the namespace of the other one.
    to = await openSide()
    await inside(from, `echo ${mark} >/mark`)
  }, 2 * BOOT_MS)
  afterAll(async () => {
    for (const ground of opened.splice(0).toReversed()) await ground.close()
  }, CASE_MS)

  it('is of the kind that the other host would start, as far as both are alike', async () => {
    const { kind, diskBytes } = await from.driver.liveMover.describe(from.want.id)
    expect(await to.driver.liveMover.kindFor(to.want, to.digest)).toEqual(kind)
    expect(kind.machine).toMatch(/^pc-q35-/)
    expect(diskBytes).toBe(1024 ** 3)
  })

  it.each(['disk', 'memory'])(
    'goes on where it was when the move is cancelled while its %s is copied',
    async (what) => {
      const cancel = new AbortController()
      const progress = (message: string) => {
        if (message.startsWith(what)) cancel.abort(new Error('cancelled'))
      }
      await inside(from, 'head -c 2000000 /dev/urandom >/dev/vda; sync')
      await expect(
        send(await receive(), { ...quiet, progress, signal: cancel.signal }),
      ).rejects.toThrow()
      await goesOn(mark)
      await to.driver.remove(to.want.id, null)
      expect(await stateOn(to)).toBeNull()
    },
  )

  it('goes on where it was when the other process dies', async () => {
    const streams = await receive()
    const progress = (message: string) => {
      if (message.startsWith('memory')) void to.driver.remove(to.want.id, null)
    }
    const received = to.driver.liveMover.received(to.want.id, never)
    received.catch(() => undefined)
    await expect(send(streams, { ...quiet, progress })).rejects.toThrow()
    await expect(received).rejects.toThrow()
    await goesOn(mark)
    await to.driver.remove(to.want.id, null)
  })

  it('goes on where it was when its daemon is killed meanwhile, and nothing of the move is left', async () => {
    const streams = await receive()
    const copied = Promise.withResolvers<void>()
    const progress = (message: string) => {
      if (message.startsWith('memory')) copied.resolve()
    }
    const sent = send(streams, { ...quiet, progress }).catch(() => undefined)
    await copied.promise
    streams.disk.destroy()
    streams.memory.destroy()
    await from.driver.close()
    from.driver = from.ground.freshDriver() as LiveDriver
    await sent
    await from.driver.resume?.(from.want.id)
    await goesOn(mark)
    await to.driver.remove(to.want.id, null)
  })

  it('stands still on both hosts when the other one has everything, and goes on where it is resumed', async () => {
    await pass()
    expect([await stateOn(from), await stateOn(to)]).toEqual(['suspended', 'suspended'])
    // Its checks say nothing of it meanwhile.
    const { id, bootCount } = from.want
    for (const { driver } of [from, to]) expect(await driver.pulse?.(id, bootCount)).toBe('absent')
    expect(await from.ground.answers(from.want)).toBe(false)
    expect(await to.ground.answers(from.want)).toBe(false)
    // The records say that it has stayed.
    await to.driver.remove(to.want.id, null)
    await from.driver.resume?.(from.want.id)
    await goesOn(mark)
  })

  it('goes on with its memory and its disk on the other host', async () => {
    await inside(from, `echo ${mark} >/dev/vda; sync`)
    await pass()
    // A daemon that finds it knows as much.
    await to.driver.close()
    to.driver = to.ground.freshDriver() as LiveDriver
    expect(await stateOn(to)).toBe('suspended')
    await to.driver.resume?.(to.want.id)
    expect(await stateOn(to)).toBe('running')
    expect(await stateOn(from)).toBe('suspended')
    await from.driver.remove(from.want.id, null)
    await eventually('it answers', () => to.ground.answers(to.want), CASE_MS)
    const seen = await inside(to, 'cat /mark; head -c 16 /dev/vda')
    expect(seen.match(new RegExp(mark, 'g'))).toHaveLength(2)
    await inside(to, 'echo again >/dev/vda; sync')
    await to.driver.resume?.(to.want.id)
  })
})
