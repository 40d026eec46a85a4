/** What is sent at a pace. */
import { duplexPair } from 'node:stream'
import { expect, test, vi } from 'vitest'
import { createPaced } from '../../../../src/workloads/moves/pace.ts'

test('a connection that breaks before anybody uses it ends, and throws nothing', async () => {
  const [inner] = duplexPair()
  const paced = createPaced(inner, async () => undefined)
  inner.destroy(new Error('read ECONNRESET'))
  await vi.waitUntil(() => paced.destroyed)
  expect(paced.errored?.message).toBe('read ECONNRESET')
})
