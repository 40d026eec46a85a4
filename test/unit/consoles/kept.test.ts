import { mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { KEPT_LIMIT, keepConsoles, tail } from '../../../src/consoles/kept.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { bug, unavailable } from '../../../src/model/errors.ts'
import type { InstanceId } from '../../../src/model/ids.ts'
import type { WorkloadDriver } from '../../../src/workloads/driver.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { instanceId } from '../../kit/records.ts'

let stateDir: string
let consoles: Map<InstanceId, string>
let isAway: boolean
let driver: WorkloadDriver

const never = () => {
  throw bug('not asked in this test')
}

beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'atoll-kept-'))
  consoles = new Map()
  isAway = false
  const bare: WorkloadDriver = {
    name: 'bare',
    ...{ list: never, launch: never, start: never, plug: never, stop: never },
    replug: never,
    ...{ storage: never, holds: never, attach: never, watch: never, close: never },
    stopSeconds: 0,
    hanging: () => [],
    capturer: { capture: never, keep: never },
    remove: async (instance) => void consoles.delete(instance),
    async console(instance, limitBytes) {
      if (isAway) throw unavailable('away')
      const text = consoles.get(instance)
      return text === undefined ? null : Buffer.from(text).subarray(-limitBytes)
    },
  }
  driver = keepConsoles(bare, { stateDir, clock: systemClock, log: silentLog })
})
afterEach(() => rm(stateDir, { recursive: true, force: true }))

const [ONE, OTHER] = [instanceId(1), instanceId(2)]
const said = async (instance: InstanceId, limit = 100) =>
  (await driver.console(instance, limit))?.toString()

test('what a removed instance said last is still to be had, however often it is removed', async () => {
  consoles.set(ONE, 'last words')
  expect(await said(ONE)).toBe('last words')
  await driver.remove(ONE, null)
  await driver.remove(ONE, null)
  expect(consoles.has(ONE)).toBe(false)
  expect(await said(ONE)).toBe('last words')
  expect(await said(ONE, 5)).toBe('words')
  expect(await said(OTHER)).toBeUndefined()
})

test('an instance is removed although its console cannot be read', async () => {
  consoles.set(ONE, 'last words')
  isAway = true
  await driver.remove(ONE, null)
  isAway = false
  expect(consoles.has(ONE)).toBe(false)
  expect(await said(ONE)).toBeUndefined()
})

test('what is old goes, and so do the oldest of too many', async () => {
  const remove = async (instance: InstanceId) => {
    consoles.set(instance, 'x')
    await driver.remove(instance, null)
  }
  await remove(ONE)
  const old = systemClock.now() / 1000 - 3 * 60 * 60
  await utimes(join(stateDir, 'consoles', ONE), old, old)
  await remove(OTHER)
  expect(await readdir(join(stateDir, 'consoles'))).toEqual([OTHER])
  const many = Array.from({ length: KEPT_LIMIT + 5 }, (_, n) => instanceId(10 + n))
  for (const [n, instance] of many.entries()) {
    const file = join(stateDir, 'consoles', instance)
    await writeFile(file, 'x')
    // The first of them are the oldest.
    const at = systemClock.now() / 1000 - KEPT_LIMIT + n - 100
    await utimes(file, at, at)
  }
  await remove(ONE)
  const left = await readdir(join(stateDir, 'consoles'))
  expect(left).toHaveLength(KEPT_LIMIT)
  expect(left).toEqual(expect.arrayContaining([ONE, OTHER, ...many.slice(10)]))
})

test('only the end is kept', () => {
  expect(tail(Buffer.from('hello'), 2).toString()).toBe('lo')
  expect(tail(Buffer.from('hello'), 9).toString()).toBe('hello')
})
