/** A host that cannot read the records leaves addresses to another that answers for them. */
import { afterEach, expect, it } from 'vitest'
import { nextTurn } from '../../../src/lib/clock.ts'
import { cidr, type Ipv4, ipv4 } from '../../../src/model/addr.ts'
import { transitOf } from '../../../src/model/transit.ts'
import { createYielding } from '../../../src/services/yielded-addresses.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { numbered } from '../../kit/records.ts'
import { testWant } from '../../kit/testbed.ts'

const [A, B] = [ipv4('198.51.100.7'), ipv4('198.51.100.8')]
const want = (...carried: readonly Ipv4[]) => ({
  shared: testWant().shared,
  transits: [{ ...transitOf(1), floatingIps: carried, carried }],
})
/** The same in the machine's own network namespace. */
const inRoot = (ip: Ipv4) => {
  const { shared } = testWant()
  const to = { kind: 'nat-address', gateway: numbered('nat', 1), ip } as const
  const routes = [{ destination: cidr('0.0.0.0/0'), to }]
  return { shared: { ...shared, subnets: shared.subnets.map((one) => ({ ...one, routes })) } }
}

/** It looks when `look` is called. */
function begin() {
  const world = { hasLease: true, others: new Set<Ipv4>(), asked: 0, woken: 0, fails: false }
  let due = () => {}
  const yielding = createYielding({
    clock: {
      after: (_ms, act) => {
        due = act
        return () => {
          due = () => {}
        }
      },
    },
    ...{ log: silentLog, isLeaseHeld: () => world.hasLease },
    answeredElsewhere: async (addresses) => {
      world.asked += 1
      if (world.fails) throw new Error('no link')
      return addresses.filter((ip) => world.others.has(ip))
    },
    wake: () => {
      world.woken += 1
    },
  })
  ending = () => yielding.close()
  const look = async () => {
    due()
    await nextTurn()
  }
  return {
    ...{ world, look },
    yielded: (...carried: Ipv4[]) => [...yielding.yielded(want(...carried))],
    yieldedInRoot: (ip: Ipv4) => [...yielding.yielded(inRoot(ip))],
  }
}

let ending = () => {}
afterEach(() => ending())

it('asks nobody while it has a lease, or carries nothing', async () => {
  const { world, look, yielded } = begin()
  world.others.add(A)
  expect(yielded(A)).toEqual([])
  await look()
  world.hasLease = false
  yielded()
  await look()
  expect(world).toMatchObject({ asked: 0, woken: 0 })
})

it('without a lease it goes on, until another answers', async () => {
  const { world, look, yielded } = begin()
  world.hasLease = false
  yielded(A, B)
  await look()
  expect(yielded(A, B)).toEqual([])
  world.others.add(A)
  await look()
  expect(yielded(A, B)).toEqual([A])
  expect(world.woken).toBe(1)
  // Nobody may answer for a moment. It does not come back by itself.
  world.others.clear()
  await look()
  expect(yielded(A, B)).toEqual([A])
  world.fails = true
  await look()
  expect(yielded(A, B)).toEqual([A])
})

it('with a lease again it does what the records say, once they are read', async () => {
  const { world, look, yielded } = begin()
  world.hasLease = false
  world.others.add(A)
  yielded(A)
  await look()
  world.hasLease = true
  await look()
  expect(yielded(A)).toEqual([A])
  await look()
  expect(yielded(A)).toEqual([])
  expect(world.woken).toBe(2)
})

it("leaves those of the VPC in the machine's own network, too", async () => {
  const { world, look, yieldedInRoot } = begin()
  world.hasLease = false
  world.others.add(A)
  expect(yieldedInRoot(A)).toEqual([])
  await look()
  expect(yieldedInRoot(A)).toEqual([A])
})
