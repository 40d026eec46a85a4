/**
 * A program of the operator's that listens on all addresses of the host answers instances instead
 * of the host's own services.
 *
 * Before: while no daemon ran, or one that could not listen, a web server on 0.0.0.0:80 was the
 * instances' metadata service, and a resolver on 0.0.0.0:53 their DNS. Now such a program receives
 * nothing that is sent to the service addresses, and these packets are counted.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { METADATA_ADDRESS } from '../../src/model/addr.ts'
import { NFT_TABLE } from '../../src/model/names.ts'
import { dropCounterName } from '../../src/plan/nft-text.ts'
import { eventually, type Netns } from '../../tools/kit/netns.ts'
import {
  createTestbed,
  TEST_GATEWAY,
  type Testbed,
  testInstance,
  testWant,
} from '../kit/testbed.ts'

const GUEST = testInstance(11, [1])

let testbed: Testbed
let guest: Netns

beforeAll(async () => {
  testbed = await createTestbed()
  await testbed.pass(testWant(GUEST))
  guest = await testbed.plug(GUEST)
})
afterAll(() => testbed.destroy())

/**
 * Python: answers on UDP 53, TCP 53 and TCP 80 of an address with its own name, and says when it
 * listens.
 */
const ANSWER = `
import select, socket, sys
name, address = sys.argv[1:]
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.bind((address, 53))
servers = [socket.create_server((address, port)) for port in (53, 80)]
print("listening", flush=True)
while True:
    for ready in select.select([datagrams, *servers], [], [])[0]:
        if ready is datagrams:
            _, peer = datagrams.recvfrom(100)
            datagrams.sendto(name.encode(), peer)
        else:
            connection, _ = ready.accept()
            connection.sendall(name.encode())
            connection.close()
`

/** Python: what answers on each of these ports of an address, one line each. */
const ASK = `
import socket, sys
def datagram(address, tries):
    asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for _ in range(tries):
        asking.settimeout(0.5)
        asking.sendto(b"x", (address, 53))
        try: return asking.recv(100)
        except TimeoutError: pass
    raise TimeoutError()
def stream(address, tries, port):
    return socket.create_connection((address, port), 0.5 * tries).recv(100)
asks = (datagram, lambda *how: stream(*how, 53), lambda *how: stream(*how, 80))
for ask, tries in zip(asks, map(int, sys.argv[2:])):
    try: print(ask(sys.argv[1], tries).decode())
    except OSError: print("nobody")
`

/**
 * Who answers the guest at an address by UDP 53, TCP 53 and TCP 80. Long is waited only for those
 * that are to answer.
 */
async function answers(address: string, wanted: readonly string[]): Promise<readonly string[]> {
  const tries = wanted.map((name) => (name === 'nobody' ? '1' : '40'))
  return (await guest.must(['python3', '-c', ASK, address, ...tries])).trim().split('\n')
}

/** Runs a server on an address of the host until disposed of. */
async function serve(name: string, address: string): Promise<Disposable> {
  let said = ''
  const server = testbed.machine.spawn(['python3', '-c', ANSWER, name, address], (text) => {
    said += text
  })
  await eventually(`${name} listens`, async () => said.includes('listening'))
  return { [Symbol.dispose]: () => server.kill('SIGKILL') }
}

describe.each([METADATA_ADDRESS, TEST_GATEWAY])('at %s', (address) => {
  it('answers of a program that listens on all addresses are dropped, and counted', async () => {
    using _foreign = await serve('foreign', '0.0.0.0')
    const nobody = ['nobody', 'nobody', 'nobody']
    expect(await answers(address, nobody)).toStrictEqual(nobody)
    const counters = await testbed.host.ruleCounters()
    const key = `inet ${NFT_TABLE} ${dropCounterName('foreign_service')}`
    expect(counters.get(key)?.packets).toBeGreaterThan(2)
  })

  it('our own answers arrive', async () => {
    using _own = await serve('own', address)
    // The port of metadata is open at its own address only.
    const metadata = address === METADATA_ADDRESS ? 'own' : 'nobody'
    const wanted = ['own', 'own', metadata]
    expect(await answers(address, wanted)).toStrictEqual(wanted)
  })
})
