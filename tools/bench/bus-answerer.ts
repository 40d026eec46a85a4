/**
 * The other host of `scripts/bench bus`, in its own process: it answers over the bus, and over
 * plain queues. Its arguments say everything.
 */
import { connect } from 'amqplib'
import { openTestBus, quiet } from '../kit/rabbit-bus.ts'
import { bareAnswer, rabbitUrl } from './bus-bare.ts'

const [address = ''] = process.argv.slice(2)
// The parent holds the other end, so this process ends with it.
process.stdin.resume().on('end', () => process.exit(0))

const far = openTestBus('host-2', [address])
far.bus.onAsk('console', async () => ({ output: 'aGVsbG8=', at: '2026-11-22T08:00:00.000Z' }))
await quiet(far)
await bareAnswer(await connect(rabbitUrl(address), { noDelay: true }))
process.stdout.write('ready\n')
