/**
 * A NAT gateway with a floating IP, with real packets: what instances of three hosts send out has
 * its address, by the one host that carries it; again after the daemons were killed, and after
 * another host has taken it over. A VPC with the same addresses notices nothing.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cidr, ipv4 } from '../../src/model/addr.ts'
import type { FabricSettings } from '../../src/model/fabric.ts'
import { ALL_OUT } from '../../src/model/group-rule.ts'
import type { RouteWant, WayOut } from '../../src/model/ways-out.ts'
import { gatewayShares } from '../../src/plan/nat-shares.ts'
import { eventually, type Netns } from '../../tools/kit/netns.ts'
import { OUTSIDE } from '../kit/fabric-testbed.ts'
import { reaches } from '../kit/ping.ts'
import { numbered } from '../kit/records.ts'
import { SERVE_PEER_ADDRESS } from '../kit/talk.ts'
import { createVpcTestbed, type GuestSpec, type VpcTestbed } from '../kit/vpc-testbed.ts'
import { isLong } from '../long-files.ts'

const DEADLINE_MS = 30_000
const IP = ipv4('198.51.100.205')
const BY_GATEWAY: WayOut = { kind: 'nat-address', gateway: numbered('nat', 1), ip: IP }
const OUT: WayOut = { kind: 'internet' }
const MODES = isLong ? (['vxlan', 'direct'] as const) : (['vxlan'] as const)

const ASK = `
import socket, sys
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)
print(connection.recv(100).decode(), end="")
`
/** Says who asks, and by which port, again and again, while the connection lasts. */
const SERVE_LONG = `
import socket, threading, time
server = socket.create_server(("0.0.0.0", 7020))
def serve(connection, ip, port):
    try:
        while connection.recv(1): connection.sendall(f"{ip} {port}\\n".encode())
    except OSError: pass
while True:
    connection, peer = server.accept()
    threading.Thread(target=serve, args=(connection, *peer), daemon=True).start()
`
/** Asks once, from a port that another instance may have, too. */
const ASK_ONCE = `
import socket, sys
connection = socket.create_connection((sys.argv[1], 7020), 3, ("", 5000))
connection.sendall(b"x"); print(connection.recv(100).decode(), end="")
`
/** Asks every tenth of a second on one connection, and says how that ended. */
const ASK_LONG = `
import socket, sys, time
connection = socket.create_connection((sys.argv[1], 7020), 3)
connection.settimeout(60)
try:
    while True:
        connection.sendall(b"x")
        print(connection.recv(100).decode(), end="", flush=True)
        time.sleep(0.1)
except ConnectionResetError: print("reset", flush=True)
`
/** Sends back what comes by UDP. */
const ECHO = `
import socket
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind(("0.0.0.0", 7002))
while True: udp.sendto(*udp.recvfrom(65535))
`
/** Asks for so many bytes until they come back. */
const ECHOED = `
import os, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(1)
text = os.urandom(int(sys.argv[2]))
for _ in range(15):
    s.sendto(text, (sys.argv[1], 7002))
    try: got = s.recvfrom(65535)[0]
    except OSError: continue
    if got == text: print("echoed"); break
`
/** Asks by UDP from so many ports at once, and says how many had an answer. */
const FLOOD = `
import select, socket, sys
all = []
for _ in range(int(sys.argv[2])):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b"x", (sys.argv[1], 7002)); all.append(s)
answered = set()
poll = select.epoll()
for s in all: poll.register(s, select.EPOLLIN)
while True:
    ready = poll.poll(2)
    if not ready: break
    for fd, _ in ready: answered.add(fd); poll.unregister(fd)
print(len(answered), flush=True)
`

describe.each(MODES)('fabric %s', (mode: FabricSettings['mode']) => {
  const NEAR = { vpc: 'red', at: 0, number: 10 } as const
  const SECOND = { vpc: 'red', at: 1, number: 11 } as const
  const THIRD = { vpc: 'red', at: 2, number: 12 } as const
  const BLUE = { vpc: 'blue', at: 1, number: 11 } as const
  const RED: readonly GuestSpec[] = [NEAR, SECOND, THIRD]
  let testbed: VpcTestbed

  const route = (destination: string, to: WayOut): RouteWant => ({
    destination: cidr(destination),
    to,
  })
  const GATEWAY = [route('0.0.0.0/0', BY_GATEWAY)]
  const pass = (carrier = 0, more: object = {}, routes = GATEWAY) =>
    testbed.pass({ routes: { red: routes }, carrier, ...more })
  const ask = async (from: Netns, address: string, port = 7000) =>
    (await from.run(['python3', '-c', ASK, address, `${port}`])).stdout
  const python = async (from: Netns, program: string, ...args: readonly string[]) =>
    (await from.run(['python3', '-c', program, ...args])).stdout.trim()
  /** As whom each instance of the VPC is seen outside. */
  const seen = () => Promise.all(RED.map(async (spec) => await ask(testbed.guest(spec), OUTSIDE)))
  const ALL_BY_GATEWAY = [IP, IP, IP]
  const goOut = () =>
    eventually(
      'all go out by the gateway',
      async () => (await seen()).every((one) => one === IP),
      DEADLINE_MS,
    )
  const outsideMac = async () =>
    (await testbed.fabric.outside.must(['ip', '-br', 'neigh', 'show', IP])).split(/\s+/)[2]
  const macOf = async (index: number) =>
    (await testbed.host(index).netns.must(['ip', '-br', 'link', 'show', 'up0'])).split(/\s+/)[2]

  beforeAll(async () => {
    testbed = await createVpcTestbed(mode, 3, [...RED, BLUE])
    for (const program of [SERVE_PEER_ADDRESS, SERVE_LONG, ECHO])
      testbed.fabric.outside.spawn(['python3', '-c', program])
    await eventually(
      'it answers',
      async () => (await ask(testbed.fabric.outside, '127.0.0.1')) !== '',
      DEADLINE_MS,
    )
  }, 120_000)
  afterAll(() => testbed?.destroy())

  it.each(['first', 'after a restart'])(
    'what instances of all hosts send out has its address: %s',
    async (when) => {
      await pass(0, { restart: when !== 'first' })
      await goOut()
      expect(await ask(testbed.guest(BLUE), OUTSIDE), 'of another VPC').toBe(testbed.host(1).uplink)
      for (const spec of RED) {
        expect(await reaches(testbed.guest(spec), OUTSIDE)).toBe(true)
        for (const bytes of ['100', '1440', '4000'])
          expect(await python(testbed.guest(spec), ECHOED, OUTSIDE, bytes), bytes).toBe('echoed')
      }
      expect(await reaches(testbed.guest(NEAR), '10.0.0.12'), 'inside').toBe(true)
      expect(await reaches(testbed.guest(THIRD), '10.0.0.10'), 'inside').toBe(true)
    },
  )

  it('each has ports of its own', async () => {
    await pass()
    await goOut()
    const shares = gatewayShares(RED.map(({ number }) => ipv4(`10.0.0.${number}`)))
    for (const [at, { first, last }] of [...shares.values()].entries()) {
      const spec = RED[at] ?? NEAR
      const [ip, port] = (await python(testbed.guest(spec), ASK_ONCE, OUTSIDE)).split(' ')
      expect(ip).toBe(IP)
      expect(Number(port)).toBeGreaterThanOrEqual(first)
      expect(Number(port)).toBeLessThanOrEqual(last)
    }
  })

  it('nobody outside begins a connection by it, nor sends what seems to be an answer', async () => {
    const rules = [ALL_OUT, { ...ALL_OUT, egress: false }].map((rule, at) => ({
      ...{ id: numbered('sgr', 600 + at), ...rule },
    }))
    await pass(0, { rules })
    const { outside } = testbed.fabric
    expect(await reaches(outside, IP)).toBe(false)
    await outside.must(['ip', 'route', 'add', '10.0.0.0/16', 'via', testbed.host(0).uplink])
    for (const spec of RED) expect(await reaches(outside, `10.0.0.${spec.number}`)).toBe(false)
    await outside.must(['ip', 'route', 'del', '10.0.0.0/16'])
    // A packet that the host would send back to where it came from goes to and fro until it dies.
    const before = await testbed.host(0).drops('transit')
    await outside.run(['ping', '-c1', '-W1', IP])
    const after = await testbed.inVpc(0, 1, 'nft list counter inet atoll dropped_transit')
    expect(Number(/packets (\d+)/.exec(after)?.[1] ?? 0) + before).toBeGreaterThan(0)
  })

  it('connections go on when the daemons are killed, and are ended when another host takes over', async () => {
    await pass()
    await goOut()
    const said: string[][] = [[], [], []]
    for (const [at, spec] of RED.entries())
      testbed.guest(spec).spawn(['python3', '-c', ASK_LONG, OUTSIDE], (text) => {
        said[at]?.push(text)
      })
    const going = () => Promise.resolve(said.every((one) => one.join('').includes(IP)))
    await eventually('all go on', going, DEADLINE_MS)
    for (const index of [0, 1, 2]) await testbed.host(index).kill()
    for (const one of said) one.length = 0
    await eventually('all go on without', going, DEADLINE_MS)
    await pass(0, { restart: true })
    for (const one of said) one.length = 0
    await eventually('all go on with others', going, DEADLINE_MS)
    expect(await outsideMac()).toBe(await macOf(0))
    const elsewhere = (index: number) =>
      testbed
        .host(index)
        .inside(() => testbed.host(index).host.answeredElsewhere([{ address: IP }]))
    // Whoever carries it does not take itself for another.
    expect(await elsewhere(0)).toEqual([])
    expect(await elsewhere(1)).toEqual([IP])
    await pass(2)
    expect(await seen()).toEqual(ALL_BY_GATEWAY)
    expect(await outsideMac()).toBe(await macOf(2))
    expect(await elsewhere(0)).toEqual([IP])
    // The new host does not know it, and says so at once.
    await eventually('they are told', () => said[1]?.join('').includes('reset') ?? false)
    expect(await testbed.host(0).netns.must(['ip', 'neigh', 'show', 'proxy'])).not.toContain(IP)
    expect(await testbed.host(0).netns.must(['ip', 'route', 'show'])).not.toContain(IP)
    await pass(0)
    expect(await seen()).toEqual(ALL_BY_GATEWAY)
    expect(await outsideMac()).toBe(await macOf(0))
  })

  it('one that has as many connections as it may leaves others theirs', async () => {
    await pass()
    await goOut()
    const counts: string[] = []
    const flood = testbed
      .guest(SECOND)
      .spawn(
        [
          'python3',
          '-c',
          `import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))\n${FLOOD}`,
          OUTSIDE,
          '1500',
        ],
        (text) => {
          counts.push(text)
        },
      )
    await eventually('it has its share', () => counts.join('').includes('\n'), DEADLINE_MS)
    const answered = Number(counts.join('').trim())
    expect(answered).toBeGreaterThan(50)
    expect(answered).toBeLessThan(1500)
    for (const spec of [NEAR, THIRD])
      expect(await python(testbed.guest(spec), ECHOED, OUTSIDE, '10')).toBe('echoed')
    flood.kill('SIGKILL')
  })

  it('without a route to it, or with another, nothing goes out by it any more', async () => {
    await pass()
    await goOut()
    await pass(0, {}, [route('0.0.0.0/0', { kind: 'blackhole' })])
    expect(await seen()).toEqual(['', '', ''])
    expect(await testbed.host(0).netns.must(['ip', 'neigh', 'show', 'proxy'])).not.toContain(IP)
    await pass(0, {}, [route(`${OUTSIDE}/32`, OUT), route('0.0.0.0/0', BY_GATEWAY)])
    expect(await seen()).toEqual([0, 1, 2].map((index) => testbed.host(index).uplink))
    await pass(0, {}, [route('0.0.0.0/0', OUT)])
    expect(await seen()).toEqual([0, 1, 2].map((index) => testbed.host(index).uplink))
    const rules = await testbed.inVpc(0, 1, 'nft list ruleset')
    expect(rules).not.toContain('carried')
    const routes = await testbed.inVpc(1, 1, 'ip rule; ip route show table all')
    expect(routes).not.toContain('throw')
  })
})
