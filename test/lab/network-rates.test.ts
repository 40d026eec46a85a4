/**
 * Rates of NICs on the real kernel, as packets show them: what a NIC sends and receives stays at
 * the rate of its instance's type, whatever comes; a change of the type changes the rate in place.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { TypeRate } from '../../src/model/network-rates.ts'
import type { InstanceWant } from '../../src/model/want.ts'
import { LONE_FIREWALL } from '../../tools/kit/instance.ts'
import type { Netns } from '../../tools/kit/netns.ts'
import { createTestbed, metricValue, type Testbed, testInstance, testWant } from '../kit/testbed.ts'

const RATES: readonly TypeRate[] = [
  { types: 'slow.*', megabitsPerSecond: 20, packetsPerSecond: null },
  { types: 'fast.*', megabitsPerSecond: 80, packetsPerSecond: null },
  { types: 'small.packets', megabitsPerSecond: null, packetsPerSecond: 5000 },
]
const SECONDS = 3
/** Of IP and UDP. */
const HEADERS = 28
/** Sends datagrams for ever, some 30,000 a second: argv has the address and the bytes of each. */
const FLOOD = `
import socket, sys, time
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
data = bytes(int(sys.argv[2]))
while True:
    for _ in range(300):
        try: out.sendto(data, (sys.argv[1], 9))
        except OSError: pass
    time.sleep(0.01)
`

let testbed: Testbed
let machines: Record<'limited' | 'free', Netns>
const free = typed(12, 'own.free')
const limited = (type: string) => typed(11, type)

function typed(number: number, name: string): InstanceWant {
  const made = testInstance(number, [1])
  return { ...made, type: { ...made.type, name } }
}

beforeAll(async () => {
  testbed = await createTestbed({ firewall: { ...LONE_FIREWALL, rates: RATES } })
  await testbed.pass(testWant(limited('slow.micro'), free))
  machines = {
    limited: await testbed.plug(limited('slow.micro')),
    free: await testbed.plug(free),
  }
})
afterAll(() => testbed.destroy())

/** Prints how many packets arrive at eth0 of its namespace in how many seconds at most. */
const COUNT = `
import time
def seen():
    for line in open("/proc/thread-self/net/dev"):
        if line.strip().startswith("eth0:"): return int(line.split(":")[1].split()[1])
began, before = time.monotonic(), seen()
time.sleep(${SECONDS})
after, ended = seen(), time.monotonic()
print(after - before, ended - began)
`

/**
 * Sends far more than the rate of so many datagrams of `bytes` a second, both ways. No more may
 * arrive than that and what one second is worth. How much arrives at least goes by how busy the
 * machine is: `scripts/bench rates` measures it.
 */
async function flood(bytes: number, perSecond: number): Promise<void> {
  const { limited: slow, free: other } = machines
  const ways = [
    { from: slow, to: other, address: free.nics[0]?.ip },
    { from: other, to: slow, address: limited('').nics[0]?.ip },
  ]
  for (const [at, { from, to, address }] of ways.entries()) {
    const sender = from.spawn(['python3', '-c', FLOOD, `${address}`, `${bytes}`])
    try {
      const [packets = 0, seconds = 0] = (await to.must(['python3', '-c', COUNT]))
        .split(' ')
        .map(Number)
      const most = perSecond * (seconds + 1)
      const way = at === 0 ? 'sent' : 'received'
      expect(packets, way).toBeLessThan(most * 1.01)
      expect(packets, way).toBeGreaterThan(most * 0.3)
    } finally {
      sender.kill()
    }
  }
}

test.for([
  ['slow.micro', 20],
  ['fast.micro', 80],
] as const)('%s sends and receives at most %i Mbit a second', async ([type, megabits]) => {
  await testbed.pass(testWant(limited(type), free))
  const bits = (1400 + HEADERS) * 8
  await flood(1400, (megabits * 1e6) / bits)
  // It is changed in place.
  expect(await metricValue(testbed.metrics, 'atoll_firewall_replacements_total')).toBe(1)
})

test('a type with a packet rate sends and receives at most that many', async () => {
  await testbed.pass(testWant(limited('small.packets'), free))
  await flood(64, 5000)
})

test('what was dropped is counted by its reason', async () => {
  await testbed.pass(testWant(limited('small.packets'), free))
  for (const reason of ['rate_bandwidth', 'rate_packets']) {
    const metric = 'atoll_firewall_dropped_packets_total'
    expect(await metricValue(testbed.metrics, metric, reason)).toBeGreaterThan(1000)
  }
})
