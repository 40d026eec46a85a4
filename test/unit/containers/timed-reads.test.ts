/** One read that hangs keeps nobody waiting, and is not lost. */
import { expect, it } from 'vitest'
import { createTimedReads } from '../../../src/containers/timed-reads.ts'
import type { Clock } from '../../../src/lib/clock.ts'
import type { WorkloadHave } from '../../../src/plan/workloads.ts'
import { eventually } from '../../../tools/kit/netns.ts'
import { fastClock } from '../../kit/fast-clock.ts'
import { instanceId } from '../../kit/records.ts'

const ID = instanceId(1)
const RUNS: WorkloadHave = {
  instance: ID,
  bootCount: 1,
  state: { kind: 'running', plugged: true },
}
const BUSY: WorkloadHave = { instance: ID, bootCount: null, state: { kind: 'busy' } }

const away = new Error('the engine is away')

const readsOf = (clock: Clock, ended: string[]) =>
  createTimedReads({
    clock,
    ended: (id) => ended.push(id),
    concernsAll: (error) => error === away,
  })

it('an instance that cannot be read counts as busy until it can, and is named meanwhile', async () => {
  const ended: string[] = []
  const reads = readsOf(fastClock(50), ended)
  const hangs = Promise.withResolvers<WorkloadHave | null>()
  let begun = 0
  const work = () => {
    begun += 1
    return hangs.promise
  }
  expect(await reads.read(ID, work)).toEqual(BUSY)
  expect(await reads.read(ID, work)).toEqual(BUSY)
  expect(begun).toBe(1)
  await eventually('it is named', () => reads.hanging().join().includes(ID))
  hangs.resolve(RUNS)
  await eventually('its end is told', () => ended.includes(ID))
  expect(reads.hanging()).toEqual([])
})

it('one that is only slow is waited for the next time', async () => {
  const ended: string[] = []
  const clock = fastClock(10)
  const reads = readsOf(clock, ended)
  const slow = async () => {
    await clock.sleep(1_000)
    return RUNS
  }
  expect(await reads.read(ID, slow)).toEqual(BUSY)
  await eventually('its end is told', () => ended.length === 1)
  expect(await reads.read(ID, slow)).toEqual(RUNS)
})

it('a failure that concerns all is the caller’s, a late one only asks for another look', async () => {
  const ended: string[] = []
  const clock = fastClock(10)
  const reads = readsOf(clock, ended)
  await expect(reads.read(ID, () => Promise.reject(away))).rejects.toThrow(away)
  expect(reads.hanging()).toEqual([])
  const late = async () => {
    await clock.sleep(1_000)
    throw new Error('late')
  }
  expect(await reads.read(ID, late)).toEqual(BUSY)
  await eventually('its end is told', () => ended.length === 1)
  expect(await reads.read(ID, async () => RUNS)).toEqual(RUNS)
})

it('one whose read fails is left alone and named, until it can be read or is gone', async () => {
  const reads = readsOf(fastClock(10), [])
  const fails = () => Promise.reject(new Error('layer does not exist'))
  expect(await reads.read(ID, fails)).toEqual(BUSY)
  expect(reads.hanging()).toEqual([
    `the state of ${ID} cannot be read: layer does not exist; it is left as it is`,
  ])
  expect(await reads.read(ID, async () => RUNS)).toEqual(RUNS)
  expect(reads.hanging()).toEqual([])
  await reads.read(ID, fails)
  reads.keep(new Set([ID]))
  expect(reads.hanging()).toHaveLength(1)
  reads.keep(new Set())
  expect(reads.hanging()).toEqual([])
})
