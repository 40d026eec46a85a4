/** Steps that hang are named, and do not hold back those of other instances; none spins. */
import { expect, it } from 'vitest'
import { systemClock } from '../../../src/lib/clock.ts'
import { createMetrics } from '../../../src/lib/metrics.ts'
import type { WorkloadDriver } from '../../../src/workloads/driver.ts'
import { createWorkloadMeters, StepRunner } from '../../../src/workloads/step-runner.ts'
import { instance } from '../../../tools/kit/instance.ts'
import { silentLog } from '../../../tools/kit/log.ts'

/** Longer than any launch may take without being named. */
const LONG_MS = 600_000

it('eight launches that hang leave room for others, and are named', async () => {
  const launched: string[] = []
  let nowMs = 0
  const driver = {
    name: 'docker',
    stopSeconds: 10,
    launch: (want: { readonly id: string }) => {
      launched.push(want.id)
      return new Promise(() => undefined)
    },
  } as unknown as WorkloadDriver
  const runner = new StepRunner({
    driver,
    wake: () => undefined,
    clock: { ...systemClock, monotonic: () => nowMs },
    log: silentLog,
    meters: createWorkloadMeters(createMetrics()),
  })
  for (let n = 1; n <= 9; n += 1)
    runner.offer({ kind: 'launch', instance: instance(n), digest: 'x' }, 1)
  expect(launched).toHaveLength(8)
  expect(runner.hanging()).toEqual([])
  nowMs = LONG_MS
  expect(runner.room()).toBeGreaterThan(0)
  runner.offer({ kind: 'launch', instance: instance(9), digest: 'x' }, 1)
  expect(launched).toHaveLength(9)
  expect(runner.hanging()).toHaveLength(8)
  expect(runner.hanging()[0]).toMatch(
    new RegExp(`^docker has not finished the launch of ${instance(1).id} for \\d+ s$`),
  )
})

it('a step that found no place begins as soon as another ends, unless it is planned anew', async () => {
  const launched: string[] = []
  const ends: (() => void)[] = []
  const driver = {
    ...{ name: 'docker', stopSeconds: 10 },
    launch: (want: { readonly id: string }) => {
      launched.push(want.id)
      const { promise, resolve } = Promise.withResolvers<void>()
      ends.push(resolve)
      return promise
    },
  } as unknown as WorkloadDriver
  const runner = new StepRunner({
    ...{ driver, wake: () => undefined, clock: systemClock, log: silentLog },
    meters: createWorkloadMeters(createMetrics()),
  })
  for (let n = 1; n <= 20; n += 1)
    runner.offer({ kind: 'launch', instance: instance(n), digest: 'x' }, 1)
  expect(launched).toHaveLength(8)
  expect(runner.claimable()).toBe(0)
  ends.shift()?.()
  await expect.poll(() => launched).toHaveLength(9)
  expect(launched[8]).toBe(instance(9).id)
  expect(runner.claimable()).toBe(1)
  runner.replan()
  expect(runner.claimable()).toBe(8)
  ends.shift()?.()
  await expect.poll(() => runner.busy().size).toBe(7)
  expect(launched).toHaveLength(9)
  for (const end of ends) end()
  await runner.close()
})

it('a machine that is resumed again and again is not resumed without a pause', async () => {
  let resumed = 0
  let nowMs = 0
  const driver = {
    ...{ name: 'qemu', stopSeconds: 10 },
    resume: async () => {
      resumed += 1
    },
  } as unknown as WorkloadDriver
  const runner = new StepRunner({
    driver,
    wake: () => undefined,
    clock: { ...systemClock, monotonic: () => nowMs },
    log: silentLog,
    meters: createWorkloadMeters(createMetrics()),
  })
  const offer = async () => {
    runner.offer({ kind: 'resume', instance: instance(1).id }, 1)
    await expect.poll(() => runner.busy().size).toBe(0)
  }
  for (let count = 0; count < 10; count += 1) await offer()
  expect(resumed).toBe(2)
  nowMs = LONG_MS
  await offer()
  expect(resumed).toBe(3)
  await runner.close()
})
