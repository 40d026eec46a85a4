/**
 * An instance is flooded from another host that does not limit the sender.
 *
 * Before: 40,000 datagrams to as many ports made 40,000 entries in the connection table of the
 * receiver's host.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { addressOf, createFabricFixture, type FabricFixture } from '../kit/fabric-fixture.ts'

/** Datagrams to ports that follow each other, from sockets that change. */
const SEND_TO_MANY = `
import socket, sys
for _ in range(4):
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for port in range(1000, 11000):
        try: out.sendto(b"x", (sys.argv[1], port))
        except OSError: pass
`
const TABLE = '/proc/sys/net/netfilter/nf_conntrack_count'
/** Of an instance of 1 GiB on a host whose table is as large as it should be. */
const SHARE = 16_384

let fixture: FabricFixture
beforeAll(async () => {
  fixture = await createFabricFixture('direct')
})
afterAll(() => fixture.testbed.destroy())

test('what comes from another host is charged to the instance that it goes to', async () => {
  const [from, to] = fixture.testbed.hosts
  if (from === undefined || to === undefined) throw new Error('two hosts')
  await from.netns.must(['nft', 'delete', 'table', 'inet', 'atoll_budgets'])
  await fixture.guest('alice').must(['python3', '-c', SEND_TO_MANY, addressOf('dave')])
  const entries = async (host: typeof to) => Number(await host.netns.must(['cat', TABLE]))
  expect(await entries(from)).toBeGreaterThan(30_000)
  expect(await entries(to)).toBeLessThan(SHARE + 100)
  expect(await entries(to)).toBeGreaterThan(1000)
})
