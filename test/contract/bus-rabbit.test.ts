/** The `Bus` contract over RabbitMQ: between two hosts, and of a host with itself. */
import { afterAll, beforeAll, describe } from 'vitest'
import { type RabbitNode, startRabbit } from '../kit/rabbit.ts'
import { openTestBus, quiet } from '../kit/rabbit-bus.ts'
import { describeBusContract } from './bus-contract.ts'

let broker: RabbitNode
beforeAll(async () => {
  broker = await startRabbit()
}, 120_000)
afterAll(() => broker[Symbol.asyncDispose]())

describe('RabbitMQ', () => {
  describeBusContract('between two hosts', async () => {
    const near = openTestBus('host-1', [broker.address])
    const far = openTestBus('host-2', [broker.address])
    await quiet(near, far)
    const end = async () => {
      await Promise.all([near.bus.close(), far.bus.close()])
    }
    return { near, far, end }
  })

  describeBusContract('of a host with itself', async () => {
    const end = openTestBus('host-1', [broker.address])
    await quiet(end)
    return { near: end, far: end, end: () => end.bus.close() }
  })
})
