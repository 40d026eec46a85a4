import { expect, test } from 'vitest'
import { ipv4, ipv4ToNumber } from '../../../../src/model/addr.ts'
import { Sources } from '../../../../src/services/dns/sources.ts'
import { handClock } from '../../../kit/hand-clock.ts'

const ADDRESS = ipv4('172.31.0.10')
const LIMITS = {
  queriesPerSecond: 1024,
  questionsPerSecond: 50,
  questionsPerSecondOfAll: 1000,
  maxOutstanding: 1024,
  maxOutstandingPerSource: 128,
  maxConnections: 16,
  maxConnectionsPerSource: 16,
}

/** Sources that begin now, and how many questions one of them may forward at once. */
function begin() {
  const clock = handClock(0)
  const sources = new Sources(LIMITS, clock)
  sources.replace([ADDRESS])
  const source = sources.find(ipv4ToNumber(ADDRESS))
  const atOnce = () => {
    let count = 0
    while (source?.startWaiting() === true) count += 1
    for (let given = 0; given < count; given += 1) source?.doneWaiting()
    return count
  }
  return { clock, sources, atOnce }
}

test('what was asked while the service was started again is forwarded', () => {
  const { clock, atOnce } = begin()
  expect(atOnce()).toBe(100)
  clock.pass(1_000)
  expect(atOnce()).toBe(50)
})

test('later, a burst is a part of a second’s share', () => {
  const { clock, sources, atOnce } = begin()
  clock.pass(10_000)
  expect(atOnce()).toBe(20)
  // As many sources as share the limit of all.
  sources.replace([ADDRESS, ...Array.from({ length: 99 }, (_, n) => ipv4(`172.31.1.${n + 1}`))])
  clock.pass(10_000)
  expect(atOnce()).toBe(10)
})
