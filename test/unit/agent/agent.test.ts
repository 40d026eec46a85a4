import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { startAgent } from '../../../src/agent/agent.ts'
import { createLedger } from '../../../src/agent/ledger.ts'
import { createLocalBus } from '../../../src/bus/local.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { silentLog } from '../../../src/lib/log.ts'
import { createMetrics } from '../../../src/lib/metrics.ts'
import { openRecords } from '../../kit/cluster-records.ts'
import { eventually } from '../../kit/netns.ts'
import { hostName } from '../../kit/records.ts'

const host = hostName('one')

it.each([
  ['its own machine', host, true],
  ['another machine under its name', 'another', false],
])('acts by what the records say of %s: %s, %s', async (_whose, identity, acts) => {
  const directory = await mkdtemp(join(tmpdir(), 'atoll-agent-'))
  const store = await openRecords([host])
  const bus = createLocalBus()
  let applied = 0
  const agent = startAgent(
    {
      store,
      bus,
      ledger: createLedger({
        file: join(directory, 'ledger.json'),
        clock: systemClock,
        log: silentLog,
      }),
      services: [
        {
          name: 'workloads',
          gate: false,
          apply: async () => {
            applied += 1
            return []
          },
          close: async () => undefined,
        },
      ],
      onRecordsChanged: () => undefined,
      clock: systemClock,
      log: silentLog,
      metrics: createMetrics(),
      random: Math.random,
    },
    { host, identity, intervalMs: 60_000, resyncMs: 60_000 },
  )
  await eventually('a pass is over', () => agent.status().passes > 0)
  expect(applied > 0).toBe(acts)
  expect(agent.status().source).toBe(acts ? 'records' : 'stranger')
  await agent.close()
  await bus.close()
  await store.close()
  await rm(directory, { recursive: true })
})
