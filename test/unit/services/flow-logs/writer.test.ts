/** Destinations that fail: no other flow log waits, nothing is written twice, all is limited. */
import { expect, test } from 'vitest'
import { nextTurn } from '../../../../src/lib/clock.ts'
import { createMetrics, type Metrics } from '../../../../src/lib/metrics.ts'
import type { Piece, Sink } from '../../../../src/services/flow-logs/sinks.ts'
import { createFlowLogWriter } from '../../../../src/services/flow-logs/writer.ts'
import { silentLog } from '../../../../tools/kit/log.ts'
import { eventually } from '../../../../tools/kit/netns.ts'
import { LOG, OWNER } from '../../../kit/flow-logs.ts'
import { numbered } from '../../../kit/records.ts'
import { metricValue } from '../../../kit/testbed.ts'

const S3 = { kind: 's3', bucket: 'logs', prefix: '' } as const
const [FILES, OBJECTS] = [LOG, { ...LOG, id: numbered('fl', 2), destination: S3 }]

/** A clock that stands still but for `pass`, which runs the timers that are due. */
function handClock() {
  let now = 0
  const timers = new Set<{ readonly at: number; readonly run: () => void }>()
  return {
    clock: {
      monotonic: () => now,
      after: (ms: number, run: () => void) => {
        const timer = { at: now + ms, run }
        timers.add(timer)
        return () => timers.delete(timer)
      },
    },
    pass(ms: number) {
      now += ms
      for (const timer of [...timers])
        if (timer.at <= now) {
          timers.delete(timer)
          timer.run()
        }
    },
  }
}

function open(sink: Sink) {
  const { clock, pass } = handClock()
  const metrics = createMetrics()
  const writer = createFlowLogWriter({ sink, region: 'atoll-1', clock, log: silentLog, metrics })
  return { writer, pass, metrics }
}

const records = (metrics: Metrics, outcome: 'written' | 'lost') =>
  metricValue(metrics, 'atoll_flow_log_records_total', `outcome="${outcome}"`)
const batch = (log: typeof FILES | typeof OBJECTS, ...lines: readonly string[]) => ({
  ...{ log, at: 0, nics: [{ owner: OWNER, lines }] },
})
const settled = async (metrics: Metrics, written: number) =>
  eventually('it is written', async () => (await records(metrics, 'written')) === written, 30_000)

test('a service that hangs delays no file', async () => {
  const hung = Promise.withResolvers<void>()
  const { writer, metrics } = open(({ to }) =>
    to.kind === 'object' ? hung.promise : Promise.resolve(),
  )
  writer.take(batch(OBJECTS, 'a'))
  for (let round = 1; round <= 5; round++) {
    writer.take(batch(FILES, 'b', 'c'))
    await settled(metrics, 2 * round)
  }
  hung.resolve()
  await settled(metrics, 11)
})

test('what one NIC’s file refuses is not written once more for the others', async () => {
  const written: string[] = []
  let isRefused = true
  const { writer, metrics, pass } = open(async ({ text, to }) => {
    if (isRefused && to.kind === 'file' && to.path.at(-1) === `${OWNER.nic}-all`)
      throw new Error('EISDIR')
    written.push(text)
  })
  const others = [2, 3].map((number) => ({ ...OWNER, nic: numbered('eni', number) }))
  const nics = [OWNER, ...others].map((owner) => ({ owner, lines: [owner.nic] }))
  writer.take({ log: FILES, at: 0, nics })
  await settled(metrics, 2)
  isRefused = false
  pass(5_000)
  await settled(metrics, 3)
  expect(written.toSorted()).toEqual(nics.map(({ owner }) => `${owner.nic}\n`).toSorted())
})

test('of a destination that never takes anything the last 20 intervals wait, and the rest is counted', async () => {
  let tries = 0
  const refusing: Sink = async () => {
    tries += 1
    throw new Error('ENOSPC')
  }
  const { writer, metrics, pass } = open(refusing)
  for (let round = 0; round < 50; round++) {
    writer.take(batch(OBJECTS, 'a', 'b', 'c'))
    await nextTurn()
    pass(60_000)
    await nextTurn()
  }
  expect(await records(metrics, 'lost')).toBe(90)
  // Tried for each interval, not for all that waits.
  expect(tries).toBeLessThan(60)
  // It is given up in the end: its flow log may be gone.
  for (let hour = 0; hour < 10; hour++) {
    pass(3_600_000)
    await nextTurn()
  }
  expect(await records(metrics, 'lost')).toBe(150)
})

test('all that waits together is limited, and the flow log with most of it loses first', async () => {
  const never: Sink = () => new Promise(() => undefined)
  const { writer, metrics } = open(never)
  const long = 'x'.repeat(8 * 1024 * 1024)
  writer.take(batch(OBJECTS, 'small'))
  for (let round = 0; round < 12; round++) writer.take(batch(FILES, long))
  expect(await records(metrics, 'lost')).toBe(5)
})

test('the end of the daemon tries once more, and waits for nothing that hangs', async () => {
  const written: Piece[] = []
  let isRefused = true
  const { writer, metrics, pass } = open(async (piece) => {
    if (piece.to.kind === 'object') return await new Promise(() => undefined)
    if (isRefused) throw new Error('ENOSPC')
    written.push(piece)
  })
  writer.take(batch(OBJECTS, 'a'))
  writer.take(batch(FILES, 'b'))
  await eventually(
    'it was refused',
    async () => (await metricValue(metrics, 'atoll_flow_log_errors_total', 'what="write"')) === 1,
    30_000,
  )
  isRefused = false
  const closed = writer.close()
  await eventually('it is written', () => written.length === 1, 30_000)
  pass(3_000)
  await closed
  expect(await records(metrics, 'lost')).toBe(1)
})
