/** Ending what has a disk on a storage. No guest runs here. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { systemClock } from '../../../src/lib/clock.ts'
import { endStored } from '../../../src/machines/stored.ts'
import { instance } from '../../../tools/kit/instance.ts'
import { createMachineProcesses, type MachineProcesses } from '../../kit/machine-process.ts'
import { numbered } from '../../kit/records.ts'

const { id } = instance(1)
const STORAGE = 'rbd-0123456789abcdef'
const OTHER = 'rbd-ffffffffffffffff'
let machines: MachineProcesses

beforeEach(async () => {
  machines = await createMachineProcesses(id)
})
afterEach(() => machines.close())

function end(storage: string, starts: Iterable<Promise<void>> = [], firstUser?: number) {
  const { files, firstUser: own } = machines
  const settings = { firstUser: firstUser ?? own }
  const all = { files, settings, starts: new Set(starts), clock: systemClock }
  return endStored(all, storage)
}

async function startOn(storage: string) {
  const machine = await machines.start({ monitor: false })
  await machines.files.placeDisk(id, { storage, volume: numbered('vol', 1) })
  return machine
}

it('ends those of this storage and no others', async () => {
  const machine = await startOn(STORAGE)
  await end(OTHER)
  expect(machine.child.signalCode).toBeNull()
  await end(STORAGE)
  await machine.ended
  await end(STORAGE)
})

it('ends one that is being started, and is root still', async () => {
  const machine = await startOn(STORAGE)
  await end(STORAGE, [], machines.firstUser + 100_000)
  await machine.ended
})

it('waits for a start that was permitted before, and ends what it has started', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const failed = Promise.reject(new Error('it was not permitted'))
  let isDone = false
  const ending = end(STORAGE, [promise, failed]).then(() => {
    isDone = true
  })
  const machine = await startOn(STORAGE)
  expect(isDone).toBe(false)
  resolve()
  await ending
  await machine.ended
})
