/**
 * The bus between two hosts, each in its own process, compared with plain amqplib over the same
 * broker and queues of the same kind.
 *
 * The two alternate in short rounds, so that the machine's other load affects both.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { connect } from 'amqplib'
import { formatId, type HostName } from '../../src/model/ids.ts'
import { startRabbit } from '../kit/rabbit.ts'
import { openTestBus, quiet } from '../kit/rabbit-bus.ts'
import { bareAsker, rabbitUrl } from './bus-bare.ts'
import { type Benchmark, quantile } from './figures.ts'

const ROUNDS = 12
const TRIPS_PER_ROUND = 250
const PIPELINED_PER_ROUND = 3_000
/** Concurrent questions. */
const WINDOW = 200
const MOST_TIMES_THE_TRIP = 1.3
const LEAST_SHARE_OF_THE_RATE = 0.7

type Ask = () => Promise<unknown>

/** `scripts/bench bus`. */
export const bus: Benchmark = {
  name: 'bus',
  about: 'a question and its answer between two hosts, against bare amqplib',
  async run(progress) {
    await using parts = new AsyncDisposableStack()
    progress('starting RabbitMQ')
    const broker = parts.use(await startRabbit())
    const near = openTestBus('host-1', [broker.address])
    parts.defer(() => near.bus.close())
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, 'bus-answerer.ts'), broker.address],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    )
    parts.defer(async () => {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    })
    const died = once(child, 'exit').then(() => {
      throw new Error('the answering host has ended')
    })
    await Promise.race([once(child.stdout, 'data'), died])
    await quiet(near)
    const connection = await connect(rabbitUrl(broker.address), { noDelay: true })
    parts.defer(() => connection.close())
    const bareAsk = await bareAsker(connection)
    const host = 'host-2' as HostName
    const ask = { instance: formatId('i', new Uint8Array(9)) }
    const ours: Ask = () => near.bus.ask(host, 'console', ask, { timeoutMs: 10_000 })
    const bare: Ask = () => bareAsk(ask)
    return report(await measure({ ours, bare }, progress))
  },
}

interface Series {
  readonly tripMs: number[]
  readonly perSecond: number[]
}

async function measure(
  asks: { readonly ours: Ask; readonly bare: Ask },
  progress: (line: string) => void,
): Promise<{ readonly ours: Series; readonly bare: Series }> {
  const series = {
    ours: { tripMs: [], perSecond: [] } as Series,
    bare: { tripMs: [], perSecond: [] } as Series,
  }
  for (const name of ['ours', 'bare'] as const) {
    await trips(asks[name], TRIPS_PER_ROUND)
    await pipelined(asks[name], PIPELINED_PER_ROUND)
  }
  for (let round = 1; round <= ROUNDS; round += 1) {
    progress(`round ${round} of ${ROUNDS}`)
    const order = round % 2 === 0 ? (['ours', 'bare'] as const) : (['bare', 'ours'] as const)
    for (const name of order)
      series[name].tripMs.push(...(await trips(asks[name], TRIPS_PER_ROUND)))
    for (const name of order)
      series[name].perSecond.push(await pipelined(asks[name], PIPELINED_PER_ROUND))
  }
  return series
}

/** One after the other. Returns the milliseconds of each. */
async function trips(ask: Ask, count: number): Promise<readonly number[]> {
  const figures: number[] = []
  for (let done = 0; done < count; done += 1) {
    const began = performance.now()
    await ask()
    figures.push(performance.now() - began)
  }
  return figures
}

/** `WINDOW` at a time. Returns answers per second. */
async function pipelined(ask: Ask, count: number): Promise<number> {
  let left = count
  const began = performance.now()
  const worker = async () => {
    while (left > 0) {
      left -= 1
      await ask()
    }
  }
  await Promise.all(Array.from({ length: WINDOW }, worker))
  return (count * 1000) / (performance.now() - began)
}

function report({ ours, bare }: { readonly ours: Series; readonly bare: Series }) {
  const trip = quantile(ours.tripMs, 0.5) / quantile(bare.tripMs, 0.5)
  const rate = quantile(ours.perSecond, 0.5) / quantile(bare.perSecond, 0.5)
  const row = (name: string, { tripMs, perSecond }: Series) => [
    name,
    quantile(tripMs, 0.5).toFixed(3),
    quantile(tripMs, 0.99).toFixed(3),
    Math.round(quantile(perSecond, 0.5)).toString(),
  ]
  return {
    name: 'bus',
    head: ['', 'round trip, median ms', '99 % ms', `answers/s, ${WINDOW} at a time`],
    rows: [row('Atoll', ours), row('amqplib, noDelay', bare)],
    targets: [
      {
        text: `a round trip takes at most ${MOST_TIMES_THE_TRIP} times as long as a bare one`,
        measured: trip.toFixed(2),
        met: trip <= MOST_TIMES_THE_TRIP,
      },
      {
        text: `pipelined, at least ${LEAST_SHARE_OF_THE_RATE} times as many answers as bare`,
        measured: rate.toFixed(2),
        met: rate >= LEAST_SHARE_OF_THE_RATE,
      },
    ],
    notes: ['Medians over rounds that take turns; asker and answerer are processes of their own.'],
    raw: {
      'atoll round trip ms': ours.tripMs,
      'bare round trip ms': bare.tripMs,
      'atoll answers per second': ours.perSecond,
      'bare answers per second': bare.perSecond,
    },
  }
}
