/** Metrics of several processes are added up. */
import { expect, test } from 'vitest'
import { parseMeasured } from '../../../src/lib/measured-metrics.ts'
import { createMetrics } from '../../../src/lib/metrics.ts'

test('what other processes measure is added to what is rendered, and nonsense is left out', async () => {
  const [own, other] = [createMetrics(), createMetrics()]
  for (const [metrics, count] of [
    [own, 1],
    [other, 2],
  ] as const) {
    metrics.counter('atoll_calls_total', 'Calls', ['action']).inc({ action: 'x' }, count)
    metrics.histogram('atoll_call_seconds', 'Duration of calls').observe(count)
  }
  // As the lag of an event loop that has not turned yet: not a number, which JSON does not have.
  other.gauge('atoll_not_yet_seconds', 'Not measured yet').set(Number.NaN)
  const measured = await other.measure()
  const hostile = ['', '{}', '[{"name":"a b","help":"","type":"counter"}]', '[null]']
  own.addUp(async () => [measured, ...hostile, measured].flatMap(parseMeasured))
  const text = await own.render()
  expect(text).toContain('atoll_calls_total{action="x"} 5')
  expect(text).toContain('atoll_call_seconds_count 3')
  expect(text).toContain('atoll_call_seconds_sum 5')
  expect(text).not.toContain('a b')
})
