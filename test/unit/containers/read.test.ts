/** What was read of a container is kept only while nothing can have changed. */
import { expect, test } from 'vitest'
import { createCache, type Seen } from '../../../src/containers/read.ts'

const seen: Seen = {
  id: 'c1',
  pid: 7,
  labels: {},
  hasQuota: false,
  directories: { upper: null, lower: [], mounts: [] },
  names: { hosts: '/hosts', resolvConf: '/resolv.conf' },
  state: { Status: 'running', OOMKilled: false, ExitCode: 0, StartedAt: '', FinishedAt: '' },
}

test('kept while the event stream is open', () => {
  const cache = createCache()
  cache.trust(true)
  cache.set(seen, cache.changes())
  expect(cache.get('c1')).toBe(seen)
})

test('nothing is kept without the event stream', () => {
  const cache = createCache()
  cache.set(seen, cache.changes())
  expect(cache.get('c1')).toBeUndefined()
})

const events = {
  'an event about it': (cache) => cache.drop('c1'),
  'an event about another': (cache) => cache.drop('c2'),
  'the loss of the stream': (cache) => cache.trust(false),
  'a new stream': (cache) => cache.trust(true),
  'a fresh look': (cache) => cache.clear(),
} satisfies Record<string, (cache: ReturnType<typeof createCache>) => void>

test.each(Object.entries(events))('%s while it is being read keeps it out', (_name, happen) => {
  const cache = createCache()
  cache.trust(true)
  const before = cache.changes()
  happen(cache)
  cache.set(seen, before)
  expect(cache.get('c1')).toBeUndefined()
})
