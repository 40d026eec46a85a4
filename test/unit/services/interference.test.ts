/** When other firewalls and other machines are looked for, with a clock in the test's hand. */
import { expect, it, onTestFinished } from 'vitest'
import { nextTurn } from '../../../src/lib/clock.ts'
import { createInterferenceWatch } from '../../../src/services/interference.ts'
import { passWith } from '../../../tools/kit/instance.ts'
import { handClock } from '../../kit/hand-clock.ts'

/** Passes of one machine, what is on it, and how often it was looked at. */
function machine() {
  const clock = handClock(0)
  const state = { changed: new Set<string>(), hasLegacy: false, looks: 0, probes: 0 }
  const watch = createInterferenceWatch({
    clock,
    host: { rulesGeneration: async () => 1, rulesChanged: async () => state.changed },
    read: {
      firewalls: async () => {
        state.looks += 1
        return []
      },
      addresses: async () => {
        state.probes += 1
        return []
      },
      hasLegacyRules: () => state.hasLegacy,
      isForeignTable: (table) => table === 'inet mine',
    },
  })
  onTestFinished(() => watch.close())
  return {
    state,
    async passAfter(seconds: number): Promise<void> {
      clock.pass(seconds * 1000)
      await watch.apply(passWith())
      // No pass waits for a look.
      await nextTurn()
    },
  }
}

it('rules are looked at when those of others have changed, and not more often than in 5 s', async () => {
  const { state, passAfter } = machine()
  await passAfter(0)
  expect(state.looks).toBe(1)
  state.changed = new Set(['inet mine'])
  await passAfter(4)
  expect(state.looks).toBe(1)
  await passAfter(1)
  expect(state.looks).toBe(2)
  state.changed = new Set(['inet atoll'])
  await passAfter(5)
  expect(state.looks).toBe(2)
})

it('those of iptables-legacy, which nothing announces, are looked at once a minute', async () => {
  const { state, passAfter } = machine()
  await passAfter(0)
  state.hasLegacy = true
  await passAfter(5)
  expect(state.looks).toBe(2)
  await passAfter(5)
  const before = state.looks
  for (let pass = 0; pass < 11; pass += 1) await passAfter(5)
  expect(state.looks).toBe(before)
  await passAfter(5)
  expect(state.looks).toBe(before + 1)
  state.hasLegacy = false
  await passAfter(5)
  expect(state.looks).toBe(before + 2)
  await passAfter(60)
  expect(state.looks).toBe(before + 2)
})

it('other machines are asked for once a minute', async () => {
  const { state, passAfter } = machine()
  for (let pass = 0; pass < 12; pass += 1) await passAfter(5)
  expect(state.probes).toBe(1)
  await passAfter(5)
  expect(state.probes).toBe(2)
})
