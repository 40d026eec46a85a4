/**
 * The contracts of `Store` and `Bus`, held by the simulated ones as long as nothing goes wrong
 * (`tools/sim/`). Their time is virtual, so it is made to go with the real one here.
 */
import { setTimeout as realSleep } from 'node:timers/promises'
import { beforeAll } from 'vitest'
import type { HostName } from '../../src/model/ids.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { createBusWorld } from '../../tools/sim/bus.ts'
import { createDatabaseCluster } from '../../tools/sim/galera.ts'
import type { Network } from '../../tools/sim/network.ts'
import { streamOf } from '../../tools/sim/random.ts'
import { openSimulatedStore } from '../../tools/sim/records.ts'
import { makeTemplate } from '../../tools/sim/template.ts'
import { createHostClock, createVirtualTime, type VirtualTime } from '../../tools/sim/time.ts'
import { describeBusContract } from './bus-contract.ts'
import type { StoreFixture } from './store/fixture.ts'
import { describeRecordsContract } from './store-contract.ts'

const SEED = 1

let image: Uint8Array
beforeAll(async () => {
  image = await makeTemplate()
})

/** Messages arrive at once: what a network does to them is what the simulation is for. */
function networkOf(time: VirtualTime): Network {
  const nothing = () => undefined
  return {
    send: (_from, _to, arrive) => void time.after(0, arrive),
    isCut: () => false,
    ...{ cut: nothing, heal: nothing, slow: nothing },
  }
}

/** A network and its time, which goes on with the real one until `end`. */
function begin() {
  const time = createVirtualTime()
  const beganMs = performance.now()
  let isOver = false
  const going = (async () => {
    while (!isOver) {
      await time.runUntil(performance.now() - beganMs, () => isOver)
      await realSleep(1)
    }
  })()
  return {
    time,
    network: networkOf(time),
    clock: () => createHostClock(time, 1, { offsetMs: 0 }),
    async end() {
      isOver = true
      await going
      time.clear()
    },
  }
}

// One node: what more of them do differently is what the simulation is for. Migrations are left
// out: the nodes begin with the schema, and do not tell each other of another one.
describeRecordsContract('simulated records', async (): Promise<StoreFixture> => {
  const { time, network, clock, end } = begin()
  const cluster = createDatabaseCluster({ image, time, skewsMs: [0], lagMs: () => 0 })
  let hosts = 0
  return {
    async open() {
      hosts += 1
      const store = await openSimulatedStore({
        ...{ host: `h${hosts}`, nodes: cluster.nodes, network, clock: clock(), log: silentLog },
        random: streamOf(SEED, `host ${hosts}`),
        lives: () => true,
      })
      return { ...store, migrate: async () => undefined }
    },
    async end() {
      await end()
      cluster.close()
    },
  }
})

describeBusContract('simulated bus', async () => {
  const { time, network, clock, end } = begin()
  const world = createBusWorld(time, network, streamOf(SEED, 'bus'))
  const endOf = (host: HostName) => ({ host, bus: world.join(host, clock(), () => 2).bus })
  const [near, far] = [endOf('h1' as HostName), endOf('h2' as HostName)]
  return {
    ...{ near, far },
    async end() {
      await Promise.all([near.bus.close(), far.bus.close()])
      await end()
    },
  }
})
