/**
 * A flow that was allowed to an address goes on after the address has another owner.
 *
 * Before: the connection table knew nothing of owners. A UDP flow that one instance had opened to
 * the outside continued to the next owner of its address, past the default deny, for as long as the
 * sender kept sending. So did a flow from a neighbour that shares no group with the new owner.
 */
import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createConntrack } from '../../src/host/network/conntrack.ts'
import { ipv4 } from '../../src/model/addr.ts'
import { formatId } from '../../src/model/ids.ts'
import type { InstanceWant } from '../../src/model/want.ts'
import { eventually, type Netns } from '../../tools/kit/netns.ts'
import { watchLoop } from '../kit/stall.ts'
import {
  createTestbed,
  OUTSIDE_ADDRESS,
  type Testbed,
  testInstance,
  testWant,
} from '../kit/testbed.ts'

const OLD = testInstance(11, [1])
/** The same address, another NIC, another group. */
const NEXT: InstanceWant = {
  ...testInstance(11, [2]),
  id: formatId('i', new Uint8Array(9).fill(9)),
  nics: testInstance(11, [2]).nics.map((nic) => ({
    ...nic,
    id: formatId('eni', new Uint8Array(9).fill(9)),
  })),
}
const NEIGHBOUR = testInstance(12, [1])
const ADDRESS = '172.31.0.11'

let testbed: Testbed

beforeAll(async () => {
  testbed = await createTestbed()
})

afterAll(() => testbed.destroy())

const PORT = 5353
/** Answers once, and goes on sending to whoever asked. */
const KEEP_SENDING = `
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", ${PORT}))
data, peer = s.recvfrom(100)
while True:
    s.sendto(b"again", peer)
    time.sleep(0.02)
`
const ASK = `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", ${PORT}))
s.settimeout(20)
s.sendto(b"ask", (sys.argv[1], ${PORT}))
s.recv(100)
`
const HEAR = `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", ${PORT}))
s.settimeout(0.6)
try:
    s.recv(100)
    print("heard", end="")
except TimeoutError:
    print("silence", end="")
`

test.each(['outside', 'neighbour'] as const)(
  'the flow from the %s ends with the owner of the address',
  async (whom) => {
    await testbed.pass(testWant(OLD, NEIGHBOUR))
    const old = await testbed.plug(OLD)
    const neighbour = await testbed.plug(NEIGHBOUR)
    const [from, at]: readonly [Netns, string] =
      whom === 'outside' ? [testbed.outside, OUTSIDE_ADDRESS] : [neighbour, '172.31.0.12']
    const sender = from.spawn(['python3', '-c', KEEP_SENDING])
    await eventually('it listens', async () =>
      (await from.run(['ss', '-lunH'])).stdout.includes(`:${PORT}`),
    )
    await old.must(['python3', '-c', ASK, at])
    await testbed.pass(testWant(NEXT, NEIGHBOUR))
    const next = await testbed.plug(NEXT)
    expect(await next.must(['python3', '-c', HEAR])).toBe('silence')
    expect(await next.must(['python3', '-c', HEAR])).toBe('silence')
    // What the new owner itself opens is answered.
    sender.kill('SIGKILL')
    await old.destroy()
    await testbed.pass(testWant())
    await neighbour.destroy()
    await next.destroy()
  },
)

/** A batch of entries straight into the table, as 65,000 connections make them. */
const FILL = `
import socket, struct, sys
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
s.setsockopt(socket.SOL_SOCKET, 32, 1 << 22)
def attr(t, data):
    return struct.pack("=HH", 4 + len(data), t) + data + b"\\0" * (-len(data) % 4)
def tuple_(t, a, b, p, q):
    ip = attr(1, socket.inet_aton(a)) + attr(2, socket.inet_aton(b))
    proto = attr(1, b"\\x11") + attr(2, struct.pack("!H", p)) + attr(3, struct.pack("!H", q))
    return attr(t | 0x8000, attr(1 | 0x8000, ip) + attr(2 | 0x8000, proto))
mine, out, host = sys.argv[1:4]
for start in range(0, int(sys.argv[4]), 500):
    batch = b""
    for n in range(start, start + 500):
        port, peer = n % 60000 + 1024, 1 + n // 60000
        body = struct.pack("=BBH", 2, 0, 0)
        body += tuple_(1, mine, out, port, peer) + tuple_(2, out, host, peer, port)
        body += attr(3, struct.pack("!I", 0x1 << 3 | 0xe)) + attr(7, struct.pack("!I", 600))
        batch += struct.pack("=IHHII", 16 + len(body), 0x100, 0x401, 1, 0) + body
    s.send(batch)
`

test.each([
  ['kernel', 65_000],
  ['older kernel', 8_000],
] as const)('the %s deletes %d entries and delays nobody', async (kernel, entries) => {
  execFileSync('python3', ['-c', FILL, ADDRESS, '192.0.2.1', '198.51.100.1', `${entries}`])
  execFileSync('python3', ['-c', FILL, '172.31.0.99', '192.0.2.2', '198.51.100.1', '500'])
  const count = () =>
    Number(
      execFileSync('cat', ['/proc/sys/net/netfilter/nf_conntrack_count'], { encoding: 'utf8' }),
    )
  expect(count()).toBeGreaterThan(entries)
  const conntrack = createConntrack({ isOld: kernel === 'older kernel' })
  const began = performance.now()
  const { longestMs } = await watchLoop(() => conntrack.forget({ address: ipv4(ADDRESS) }))
  const tookMs = performance.now() - began
  conntrack.close()
  process.stdout.write(
    `${kernel}, ${entries} entries: ${tookMs.toFixed(0)} ms, loop held ${longestMs.toFixed(0)} ms\n`,
  )
  expect(count()).toBeLessThan(1_000)
  expect(count()).toBeGreaterThan(400)
  expect(longestMs).toBeLessThan(250)
})
