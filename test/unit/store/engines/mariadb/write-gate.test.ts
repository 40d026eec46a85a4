import { expect, it } from 'vitest'
import { WriteGate } from '../../../../../src/store/engines/mariadb/write-gate.ts'
import { handClock } from '../../../../kit/hand-clock.ts'

/** Longer than the pause before the next attempt. */
const LATER_MS = 1_000

function fixture() {
  const clock = handClock(0)
  return { clock, gate: new WriteGate(clock.monotonic) }
}

it('lets everybody in while nothing was given up', () => {
  const { gate } = fixture()
  for (let count = 0; count < 20; count += 1) expect(gate.enter()).toBe(true)
  for (const how of ['committed', 'other', 'committed'] as const) gate.leave(how)
  expect(gate.enter()).toBe(true)
})

it('after one that was stuck, lets one in at a time, and later', () => {
  const { gate, clock } = fixture()
  gate.enter()
  gate.enter()
  gate.leave('stuck')
  expect(gate.enter()).toBe(false)
  clock.pass(LATER_MS)
  // The second one still tries.
  expect(gate.enter()).toBe(false)
  gate.leave('stuck')
  expect(gate.enter()).toBe(false)
  clock.pass(LATER_MS)
  expect(gate.enter()).toBe(true)
  expect(gate.enter()).toBe(false)
})

it('lets everybody in again when one was committed, and not for one that wrote nothing', () => {
  const { gate, clock } = fixture()
  gate.enter()
  gate.leave('stuck')
  clock.pass(LATER_MS)
  expect(gate.enter()).toBe(true)
  gate.leave('other')
  expect(gate.enter()).toBe(true)
  expect(gate.enter()).toBe(false)
  gate.leave('committed')
  expect(gate.enter()).toBe(true)
  expect(gate.enter()).toBe(true)
})
