/**
 * Packets are sent while the rules are replaced, which any client causes by a launch: what is
 * accepted before and after is accepted in between, under the same address, and what is dropped
 * before and after is dropped in between.
 *
 * Before, at some 100 replacements: of 3,000 datagrams between hosts 29 to 77 were lost in each
 * run, and of 3,000 with a forged source in a VPC the host itself accepted 8 to 21.
 */
import { expect, test } from 'vitest'
import { eventually, type Netns } from '../../tools/kit/netns.ts'
import { addressOf, createFabricFixture, type FabricFixture } from '../kit/fabric-fixture.ts'
import { OUTSIDE } from '../kit/fabric-testbed.ts'

const DEADLINE_MS = 60_000
const PORT = 5555
const COUNT = 3_000
/** What somebody outside pretends to be. */
const FORGED = '172.31.0.200'
/** A connection for each datagram, or one for all; below the budget for new ones. */
const SEND = `
import socket, sys, time
to, many = (sys.argv[1], ${PORT}), sys.argv[2] == "many"
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for n in range(${COUNT}):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM) if many else one
    s.sendto(b"x", to)
    time.sleep(0.001)
print("sent", flush=True)
`
/** Counts by source; told so by its own host, it says what it has. */
const LISTEN = `
import collections, socket # 33 is SO_RCVBUFFORCE
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)
s.bind(("0.0.0.0", ${PORT}))
print("ready", flush=True)
seen = collections.Counter()
while True:
    data, (source, port) = s.recvfrom(100)
    if data == b"tell": print(sorted(seen.items()), flush=True)
    else: seen[source] += 1
`

/** Starts counting there. Returns what asks for the counts. */
async function listen(place: Netns): Promise<() => Promise<string>> {
  let said = ''
  place.spawn(['python3', '-c', LISTEN], (text) => {
    said += text
  })
  await eventually('it listens', () => said.includes('ready'))
  return async () => {
    said = ''
    await eventually('it tells', async () => {
      await place.run(['bash', '-c', `printf tell >/dev/udp/127.0.0.1/${PORT}`])
      return said.includes(']')
    })
    return said.split('\n')[0]?.replaceAll(/[[\]()' ]/g, '') ?? ''
  }
}

/** Resolves when all is sent. */
async function send(from: Netns, to: string, connections: 'one' | 'many'): Promise<void> {
  let said = ''
  from.spawn(['python3', '-c', SEND, to, connections], (text) => {
    said += text
  })
  await eventually('all is sent', () => said.includes('sent'), DEADLINE_MS)
}

/** The rules of both hosts are replaced again and again until the work is done. */
async function whileReplacing(fixture: FabricFixture, work: Promise<unknown>): Promise<void> {
  let isOver = false
  const ending = work.finally(() => {
    isOver = true
  })
  let replaced = 0
  while (!isOver)
    for (const index of [0, 1]) {
      const want = fixture.wants[index]
      if (want === undefined) throw new Error('no want')
      const { netns, rules } = fixture.host(index)
      await netns.must(['nft', '-f', '-'], { stdin: await rules(want) })
      replaced += 1
    }
  await ending
  expect(replaced).toBeGreaterThan(4)
}

test.each(['direct', 'vxlan'] as const)('mode %s', async (mode) => {
  const fixture = await createFabricFixture(mode)
  const { outside } = fixture.testbed
  const alice = addressOf('alice')
  const bob = addressOf('bob')
  try {
    const [atDave, atOutside, atHost] = await Promise.all(
      [fixture.guest('dave'), outside, fixture.host(0).netns].map(listen),
    )
    await fixture
      .host(0)
      .netns.must([
        'sh',
        '-ec',
        'sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.up0.rp_filter=0',
      ])
    const forger = await forgerOf(outside, fixture.host(0).uplink)
    await whileReplacing(
      fixture,
      Promise.all([
        send(fixture.guest('alice'), addressOf('dave'), 'many'),
        send(fixture.guest('bob'), addressOf('dave'), 'one'),
        send(fixture.guest('alice'), OUTSIDE, 'many'),
        forger(),
      ]),
    )
    expect({
      dave: await atDave?.(),
      outside: await atOutside?.(),
      host: await atHost?.(),
    }).toEqual({
      dave: `${alice},${COUNT},${bob},${COUNT}`,
      outside: `${fixture.host(0).uplink},${COUNT}`,
      host: '',
    })
  } finally {
    await fixture.testbed.destroy()
  }
})

/** Gives the place outside an address of the VPC; what is returned sends from there to a host. */
async function forgerOf(outside: Netns, host: string): Promise<() => Promise<void>> {
  const way = `ip addr add ${FORGED}/32 dev br0; ip route add ${host}/32 dev br0 src ${FORGED}`
  await outside.must(['sh', '-ec', way])
  return () => send(outside, host, 'one')
}
