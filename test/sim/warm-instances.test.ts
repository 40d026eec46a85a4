/**
 * Clouds whose hosts keep instances waiting for launches, in which much goes wrong: no launch gets
 * what another has had, and everything that is offered waits in the end.
 */
import { beforeAll, expect, it } from 'vitest'
import type { Tx } from '../../src/store/store.ts'
import type { Wraps } from '../../tools/sim/host.ts'
import { runSeeds, seedsFrom } from '../../tools/sim/run.ts'
import { makeTemplate } from '../../tools/sim/template.ts'
import { isLong } from '../long-files.ts'

const SEEDS = isLong ? 200 : 20
const LENGTH_MS = 8_000
const WARM = 3

let image: Uint8Array
beforeAll(async () => {
  image = await makeTemplate()
})

it('each is given to one launch', { timeout: 600_000 }, async () => {
  const failure = await runSeeds(
    seedsFrom(1, SEEDS),
    { lengthMs: LENGTH_MS },
    { image, warm: WARM },
  )
  expect(
    failure === null ? null : `${failure.seed}: ${failure.outcome.violation?.message}`,
  ).toBeNull()
})

/** A launch uses an offer and leaves it there. */
const OFFER_LEFT: Wraps = {
  store: (store) => ({
    ...store,
    claim: (work) =>
      store.claim((tx) =>
        work(
          new Proxy<Tx>(tx, {
            get: (target, name) =>
              name === 'takeWarmInstance' ? async () => 'done' : Reflect.get(target, name),
          }),
        ),
      ),
  }),
}

it('an offer that a launch does not delete is noticed', { timeout: 600_000 }, async () => {
  const options = { image, warm: WARM, wraps: OFFER_LEFT }
  const failure = await runSeeds(seedsFrom(1, SEEDS), { lengthMs: LENGTH_MS }, options)
  expect(failure).not.toBeNull()
})
