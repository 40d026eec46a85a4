import { expect, it } from 'vitest'
import { patience } from '../../../../../src/store/engines/mariadb/patience.ts'

it('ends after its time, once', async () => {
  const start = performance.now()
  let calls = 0
  await new Promise<void>((resolve) => {
    patience(150, () => {
      calls += 1
      resolve()
    })
  })
  expect(performance.now() - start).toBeGreaterThanOrEqual(145)
  expect(calls).toBe(1)
})

it('does not end when it is stopped', async () => {
  let calls = 0
  const stop = patience(60, () => {
    calls += 1
  })
  stop()
  await new Promise<void>((resolve) => patience(150, resolve))
  expect(calls).toBe(0)
})

it('counts a standstill of the process itself as one tick', async () => {
  let calls = 0
  const stop = patience(300, () => {
    calls += 1
  })
  const wake = performance.now() + 400
  while (performance.now() < wake);
  await new Promise<void>((resolve) => patience(60, resolve))
  expect(calls).toBe(0)
  stop()
})
