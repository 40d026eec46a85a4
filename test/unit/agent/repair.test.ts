/** Which services repair, by where in the kernel something has changed. */
import { expect, it } from 'vitest'
import { startRepairLoop } from '../../../src/agent/repair.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { createMetrics } from '../../../src/lib/metrics.ts'
import type { WatchedNamespaces } from '../../../src/services/service.ts'
import { passWith } from '../../../tools/kit/instance.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { eventually } from '../../../tools/kit/netns.ts'
import { countingService } from '../../kit/agent.ts'

it('what changes in the namespace of a VPC concerns only what watches these', async () => {
  const [machine, vpcs, others] = [
    countingService('firewall', { watchesKernel: 'machine' }),
    countingService('vpc-networks', { watchesKernel: 'vpcs' }),
    countingService('dns'),
  ]
  const heard: ((where?: WatchedNamespaces) => void)[] = []
  const stop = startRepairLoop({
    services: [machine, vpcs, others].map(({ service }) => service),
    want: async () => passWith().want,
    watchKernel: (tell) => {
      heard.push(tell)
      return () => undefined
    },
    clock: systemClock,
    log: silentLog,
    metrics: createMetrics(),
  })
  const tell = (where?: WatchedNamespaces) => {
    for (const one of heard) one(where)
  }
  const applied = () => [machine, vpcs, others].map(({ counts }) => counts.applied)
  const becomes = (...counts: readonly number[]) =>
    eventually(`${counts}`, () => applied().join() === counts.join())
  await becomes(1, 1, 0)
  tell('vpcs')
  await becomes(1, 2, 0)
  tell('machine')
  await becomes(2, 3, 0)
  // Both at once, and one that does not say where.
  tell('vpcs')
  tell('machine')
  await becomes(3, 4, 0)
  tell()
  await becomes(4, 5, 0)
  await stop()
  expect(applied()).toEqual([4, 5, 0])
})
