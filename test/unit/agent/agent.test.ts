import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { startAgent } from '../../../src/agent/agent.ts'
import { createLedger } from '../../../src/agent/ledger.ts'
import { createLocalBus } from '../../../src/bus/local.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { createMetrics } from '../../../src/lib/metrics.ts'
import type { Store } from '../../../src/store/store.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { eventually } from '../../../tools/kit/netns.ts'
import { openRecords } from '../../kit/cluster-records.ts'
import { hostName, instanceId, instanceRecord } from '../../kit/records.ts'

const host = hostName('one')

/**
 * An agent of `host` on these records, whose services only count; closes with all that it came
 * with.
 */
async function openAgent(store: Store, { identity = host }: { identity?: string } = {}) {
  const directory = await mkdtemp(join(tmpdir(), 'atoll-agent-'))
  const bus = createLocalBus()
  const counts = { applied: 0, drawn: 0 }
  const agent = startAgent(
    {
      store,
      rows: { found: () => undefined },
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
            counts.applied += 1
            return []
          },
          close: async () => undefined,
        },
      ],
      watchKernel: () => () => undefined,
      onRecordsChanged: () => undefined,
      clock: systemClock,
      log: silentLog,
      metrics: createMetrics(),
      random: () => {
        counts.drawn += 1
        return 0
      },
    },
    { host, identity, intervalMs: 60_000, resyncMs: 60_000 },
  )
  return {
    agent,
    bus,
    counts,
    passed: (passes: number) => eventually('a pass is over', () => agent.status().passes >= passes),
    async [Symbol.asyncDispose]() {
      await agent.close()
      await bus.close()
      await store.close()
      await rm(directory, { recursive: true })
    },
  }
}

it.each([
  ['its own machine', host, true],
  ['another machine under its name', 'another', false],
])('acts by what the records say of %s: %s, %s', async (_whose, identity, acts) => {
  await using opened = await openAgent(await openRecords([host]), { identity })
  await opened.passed(1)
  expect(opened.counts.applied > 0).toBe(acts)
  expect(opened.agent.status().source).toBe(acts ? 'records' : 'stranger')
})

it.each([
  ['with an instance looks again, after a while of its own', true],
  ['without one leaves it to its timer', false],
])('of a bell to all, a host %s', async (_what, hasInstance) => {
  const store = await openRecords([host])
  if (hasInstance)
    await store.change((tx) => tx.insertInstance(instanceRecord(instanceId(1), host)))
  await using opened = await openAgent(store)
  await opened.passed(1)
  const { drawn } = opened.counts
  opened.bus.ringAll()
  // Heard after the other, and answered in any case.
  opened.bus.ring(host)
  await opened.passed(2)
  expect(opened.counts.drawn > drawn).toBe(hasInstance)
})

it('does not miss a bell to all that comes while it reads its first instance', async () => {
  const store = await openRecords([host])
  const reading = Promise.withResolvers<void>()
  let reads = 0
  let isSlow = false
  const slow: Store = {
    ...store,
    single: (work) => {
      reads += 1
      return store.single(work)
    },
    async read(work) {
      reads += 1
      const read = await store.read(work)
      if (isSlow) await reading.promise
      return read
    },
  }
  await using opened = await openAgent(slow)
  const { agent, bus, passed } = opened
  await passed(1)
  await store.change(async (tx) => {
    await tx.insertInstance(instanceRecord(instanceId(1), host))
  })
  isSlow = true
  const before = reads
  bus.ring(host)
  await eventually('it reads its own', () => reads === before + 2)
  bus.ringAll()
  const heard = Promise.withResolvers<void>()
  bus.onBell(() => heard.resolve())
  await heard.promise
  reading.resolve()
  await passed(2)
  agent.wake()
  await passed(3)
  expect(reads).toBeGreaterThan(before + 2)
})

it('asks in each pass what has changed, with one statement while nothing has', async () => {
  const store = await openRecords([host])
  let readings = 0
  const counted: Store = {
    ...store,
    single: (work) => {
      readings += 1
      return store.single(work)
    },
  }
  await using opened = await openAgent(counted)
  const { agent, bus, passed } = opened
  await passed(1)
  expect(readings).toBe(0)
  agent.wake()
  await passed(2)
  expect(readings).toBe(1)
  bus.ring(host)
  await passed(3)
  expect(readings).toBe(2)
})
