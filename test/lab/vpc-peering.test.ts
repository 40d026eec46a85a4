/**
 * Peering with real packets, on one host and across two: red with green, and green with white. Blue
 * has the range of red and is peered with nobody. Security groups let in more than the peering
 * does. Again after the daemon was killed, and after the peering has ended.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cidr } from '../../src/model/addr.ts'
import type { RouteWant } from '../../src/model/ways-out.ts'
import { eventually, type Netns } from '../../tools/kit/netns.ts'
import { reaches } from '../kit/ping.ts'
import { resolvePublicName, withFloatingIps } from '../kit/public-names.ts'
import { numbered } from '../kit/records.ts'
import {
  createVpcTestbed,
  type GuestSpec,
  type VpcTestbed,
  vpcInstance,
} from '../kit/vpc-testbed.ts'

const RED = { vpc: 'red', at: 0, number: 10 } as const
const RED_FAR = { vpc: 'red', at: 1, number: 12 } as const
const BLUE = { vpc: 'blue', at: 0, number: 10 } as const
const GREEN = { vpc: 'green', at: 0, number: 20 } as const
const GREEN_FAR = { vpc: 'green', at: 1, number: 22 } as const
/** Alone on its host, where green is, too. */
const WHITE_FAR = { vpc: 'white', at: 1, number: 30 } as const
/** In another range of the same VPC. */
const WHITE_MORE = { vpc: 'white', at: 1, number: 31, inMore: true } as const
const GUEST_SPECS: readonly GuestSpec[] = [
  ...[RED, RED_FAR, BLUE, GREEN, GREEN_FAR, WHITE_FAR, WHITE_MORE],
]
const DEADLINE_MS = 30_000

const JOINED = [
  [RED, GREEN],
  [RED, GREEN_FAR],
  [RED_FAR, GREEN],
  [RED_FAR, GREEN_FAR],
  [WHITE_FAR, GREEN],
  [WHITE_FAR, GREEN_FAR],
  [WHITE_MORE, GREEN],
  [WHITE_MORE, GREEN_FAR],
] as const
/** In two ranges of a VPC. */
const INSIDE = [[WHITE_MORE, WHITE_FAR]] as const
const APART = [
  [RED, WHITE_FAR],
  [RED_FAR, WHITE_FAR],
  [RED_FAR, WHITE_MORE],
  [BLUE, GREEN],
  [BLUE, GREEN_FAR],
  [BLUE, WHITE_FAR],
] as const

/** Python: says to each client which address it comes from, and who answers. */
const SERVE = `
import socket, sys
server = socket.create_server(("0.0.0.0", 7003))
while True:
    connection, peer = server.accept()
    connection.sendall((peer[0] + " " + sys.argv[1]).encode())
    connection.close()
`
const ASK = `
import socket, sys
connection = socket.create_connection((sys.argv[1], 7003), 5)
# Whoever is connected is answered, however busy the machine is.
connection.settimeout(20)
print(connection.recv(100).decode(), end="")
`

let testbed: VpcTestbed
beforeAll(async () => {
  testbed = await createVpcTestbed('vxlan', 2, GUEST_SPECS)
  for (const home of GUEST_SPECS) testbed.guest(home).spawn(['python3', '-c', SERVE, home.vpc])
  for (const home of GUEST_SPECS) await eventually('it answers', () => isUp(home), DEADLINE_MS)
})
afterAll(() => testbed?.destroy())

async function isUp(home: GuestSpec): Promise<boolean> {
  return (await ask(testbed.guest(home), addressOf(home))) !== ''
}

function addressOf(home: GuestSpec): string {
  return vpcInstance(home).nics[0]?.ip ?? ''
}

async function ask(from: Netns, address: string): Promise<string> {
  return (await from.run(['python3', '-c', ASK, address])).stdout
}

const bothWays = <T extends readonly (readonly [GuestSpec, GuestSpec])[]>(pairs: T) =>
  pairs.flatMap(([a, b]) => [[a, b] as const, [b, a] as const])

function describeLife(when: string) {
  describe(when, () => {
    it('instances of peered VPCs reach each other at their own addresses', async () => {
      const ways = bothWays([...JOINED, ...INSIDE])
      const said = ways.map(async ([from, to]) => ask(testbed.guest(from), addressOf(to)))
      expect(await Promise.all(said)).toEqual(
        ways.map(([from, to]) => `${addressOf(from)} ${to.vpc}`),
      )
    })

    it('no other VPC is reached by it, nor a peer of a peer', async () => {
      const ways = bothWays(APART)
      const reached = ways.map(async ([from, to]) => {
        // At the address of blue, who is peered with red reaches red.
        const answer = await ask(testbed.guest(from), addressOf(to))
        return answer.endsWith(` ${to.vpc}`) ? [from, to, answer] : []
      })
      const wrong = (await Promise.all(reached)).flat()
      expect(wrong).toEqual([])
    })
  })
}

describeLife('at first')

describe('on each host', () => {
  it('has links between the namespaces, and none in its own', async () => {
    for (const [index, links] of [
      [0, 'at-p-3'],
      [1, 'at-p-3'],
    ] as const) {
      expect(await testbed.inVpc(index, 1, 'ip -o link')).toContain(links)
      expect(await testbed.host(index).netns.must(['ip', '-o', 'link'])).not.toContain('at-p-')
    }
    expect(await testbed.inVpc(1, 3, 'ip -o link')).toContain('at-p-4')
  })

  it('drops what is too large for the way with an error that says so', async () => {
    const ping = ['ping', '-c1', '-W2', '-M', 'do', '-s', '1472', addressOf(GREEN_FAR)]
    const said = await testbed.guest(RED).run(ping)
    expect(said.stdout + said.stderr).toMatch(/mtu = 1\d\d\d|message too long|1 received/i)
  })
})

describe('after SIGKILL', () => {
  it('it goes on without the daemon', async () => {
    for (const index of [0, 1]) await testbed.host(index).kill()
    expect(await ask(testbed.guest(RED), addressOf(GREEN_FAR))).toBe(`${addressOf(RED)} green`)
    await testbed.pass({ restart: true })
  })
})

describeLife('after the restart')

describe('a link that is deleted', () => {
  it('is made again', async () => {
    await testbed.inVpc(0, 1, 'ip link del at-p-3')
    await eventually('it is well again', async () => {
      await testbed.pass()
      return await reaches(testbed.guest(RED), addressOf(GREEN))
    })
  })
})

describe('route tables', () => {
  it('must lead to the connection in both subnets', async () => {
    const routeTo = (range: string, at: number): RouteWant => ({
      destination: cidr(range),
      to: { kind: 'peering', peering: numbered('pcx', at) },
    })
    const [toGreen, toRed] = [routeTo('10.8.0.0/15', 0), routeTo('10.0.0.0/16', 0)]
    const out: RouteWant = { destination: cidr('0.0.0.0/0'), to: { kind: 'internet' } }
    const passes = async (red: readonly RouteWant[], green: readonly RouteWant[]) => {
      await testbed.pass({ routes: { red, green } })
      return await Promise.all(
        [GREEN, GREEN_FAR].map((to) => reaches(testbed.guest(RED), addressOf(to))),
      )
    }
    expect(await passes([toGreen, out], [toRed])).toEqual([true, true])
    expect(await passes([out], [toRed])).toEqual([false, false])
    expect(await passes([toGreen], [out])).toEqual([false, false])
    // That of another connection leads elsewhere.
    expect(await passes([toGreen], [routeTo('10.0.0.0/16', 1)])).toEqual([false, false])
    await testbed.pass()
  })
})

describe('public names', () => {
  const floats = new Map<GuestSpec, string>([
    [GREEN_FAR, '198.51.100.202'],
    [RED_FAR, '198.51.100.203'],
  ])
  const guestSpecs = withFloatingIps(GUEST_SPECS, floats)
  const resolved = (from: GuestSpec, of: GuestSpec) =>
    resolvePublicName(testbed.guest(from), floats.get(of) ?? '')
  const asked = [
    [RED, GREEN_FAR],
    [WHITE_FAR, GREEN_FAR],
    [GREEN, RED_FAR],
    [BLUE, GREEN_FAR],
    [BLUE, RED_FAR],
  ] as const
  afterAll(() => testbed.pass())

  it('lead to private addresses by the peering where the peer says so, and back again', async () => {
    const answers = () => Promise.all(asked.map(([from, of]) => resolved(from, of)))
    const outside = asked.map(([, of]) => floats.get(of))
    await testbed.pass({ guestSpecs })
    expect(await answers()).toEqual(outside)
    await testbed.pass({ guestSpecs, showPrivate: ['green'] })
    const inside = addressOf(GREEN_FAR)
    expect(await answers()).toEqual([inside, inside, ...outside.slice(2)])
    // Packets to that address keep their source, so they have come by the peering.
    const name = await resolved(RED, GREEN_FAR)
    expect(await ask(testbed.guest(RED), name)).toBe(`${addressOf(RED)} green`)
    await testbed.pass({ guestSpecs, showPrivate: ['red'] })
    expect(await answers()).toEqual([
      ...outside.slice(0, 2),
      addressOf(RED_FAR),
      ...outside.slice(3),
    ])
    expect(await ask(testbed.guest(GREEN), addressOf(RED_FAR))).toBe(`${addressOf(GREEN)} red`)
    await testbed.pass({ guestSpecs })
    expect(await answers()).toEqual(outside)
    // That way is the outside: the source is translated.
    const said = await ask(testbed.guest(RED), floats.get(GREEN_FAR) ?? '')
    expect(said).toMatch(/ green$/)
    expect(said).not.toContain(addressOf(RED))
  })
})

describe('groups', () => {
  it.each([false, true])(
    'may let in the members of a group of the peer, restart: %s',
    async (restart) => {
      await testbed.pass({ letsIn: 'red', restart })
      for (const from of [RED, RED_FAR])
        for (const to of [GREEN, GREEN_FAR])
          expect(await ask(testbed.guest(from), addressOf(to))).toBe(`${addressOf(from)} green`)
      // White names that group, too, but is not peered with red; and green lets in nobody of white.
      for (const [from, to] of [
        [WHITE_FAR, GREEN],
        [WHITE_FAR, GREEN_FAR],
        [GREEN, WHITE_FAR],
        // Green is in no group that red lets in.
        [GREEN, RED],
      ] as const)
        expect(await reaches(testbed.guest(from), addressOf(to)), `${from.vpc} ${to.vpc}`).toBe(
          false,
        )
    },
  )
})

describe('a peering that has ended', () => {
  it('joins nobody any more, and comes back', async () => {
    await testbed.pass({ isPeered: false })
    for (const [from, to] of bothWays(JOINED))
      expect(await reaches(testbed.guest(from), addressOf(to)), `${from.vpc} ${to.vpc}`).toBe(false)
    expect(await testbed.inVpc(0, 1, 'ip -o link')).not.toContain('at-p-')
    await testbed.pass()
    expect(await ask(testbed.guest(RED), addressOf(GREEN))).toBe(`${addressOf(RED)} green`)
  })
})
