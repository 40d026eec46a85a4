/**
 * A client with a key asks for many RSA key pairs at once.
 *
 * Before: four at a time filled the thread pool, and every file access and name lookup of this
 * host's services waited behind them. Now one is made at a time, and the number that wait is
 * limited per account.
 */
import { stat } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { createKeyPair } from '../../src/api/actions/create-key-pair.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { BOB, openCloud } from '../kit/api-cloud.ts'

/** Not one: the machine may be busy with something else. */
const LOOKS = 3

it('keys are created one after the other, files are read meanwhile, and another account has its turn', async () => {
  await using cloud = await openCloud()
  const begun = systemClock.monotonic()
  await cloud.run(createKeyPair, { KeyName: 'one' })
  const oneMs = systemClock.monotonic() - begun
  const outcomes = Array.from({ length: 40 }, (_, n) =>
    cloud.run(createKeyPair, { KeyName: `key ${n}` }).then(
      () => 'OK',
      (error: { readonly code?: string }) => error.code,
    ),
  )
  const other = cloud.run(createKeyPair, { KeyName: 'another' }, BOB)
  let shortestMs = Number.POSITIVE_INFINITY
  for (let look = 0; look < LOOKS; look += 1) {
    const asked = systemClock.monotonic()
    await stat('/')
    shortestMs = Math.min(shortestMs, systemClock.monotonic() - asked)
  }
  // Behind four threads that are busy each would take as long as the shortest of ten rounds of
  // keys.
  expect(shortestMs).toBeLessThan(Math.max(oneMs, 100))
  expect(await other).toHaveProperty('KeyMaterial')
  const counts = Map.groupBy(await Promise.all(outcomes), (outcome) => outcome)
  expect(counts.get('OK')).toHaveLength(8)
  expect(counts.get('RequestLimitExceeded')).toHaveLength(32)
})
