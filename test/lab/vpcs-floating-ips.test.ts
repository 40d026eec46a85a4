/**
 * Floating IPs of instances with the same private address, in VPCs with the same range on one host: each leads to its own, from
 * outside, from its VPC, from others, from another host and from itself, and is the source of what its instance sends out.
 */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ipv4 } from '../../src/model/addr.ts'
import { eventually, type Netns } from '../../tools/kit/netns.ts'
import { OUTSIDE } from '../kit/fabric-testbed.ts'
import { SERVE_PEER_ADDRESS } from '../kit/talk.ts'
import { createVpcTown, type Home, type VpcTown } from '../kit/vpc-testbed.ts'

const FLOATS = { red: '198.51.100.201', blue: '198.51.100.202', plain: '198.51.100.203' } as const
const RED = { vpc: 'red', at: 0, number: 10, publicIp: ipv4(FLOATS.red) } as const
const RED_NEAR = { vpc: 'red', at: 0, number: 11 } as const
const BLUE = { vpc: 'blue', at: 0, number: 10, publicIp: ipv4(FLOATS.blue) } as const
const PLAIN = { vpc: 'plain', at: 0, number: 10, publicIp: ipv4(FLOATS.plain) } as const
const PLAIN_FAR = { vpc: 'plain', at: 1, number: 12 } as const
const HOMES: readonly Home[] = [RED, RED_NEAR, BLUE, PLAIN, PLAIN_FAR]

/** Says who it is, and whom it takes the client for. */
const SERVE = `
import socket, sys
server = socket.create_server(("0.0.0.0", 7003))
while True:
    connection, (peer, _) = server.accept()
    connection.sendall((sys.argv[1] + " " + peer).encode()); connection.close()
`
const ASK = `
import socket, sys
connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), 1)
print(connection.recv(100).decode(), end="")
`

let town: VpcTown
const ask = async (from: Netns, address: string, port = 7003) =>
  (await from.run(['python3', '-c', ASK, address, `${port}`])).stdout

beforeAll(async () => {
  town = await createVpcTown('vxlan', 2, HOMES)
  for (const home of HOMES)
    town.guest(home).spawn(['python3', '-c', SERVE, `${home.vpc}-${home.number}`])
  town.fabric.outside.spawn(['python3', '-c', SERVE_PEER_ADDRESS])
  await eventually(
    'all answer',
    async () =>
      (await ask(town.guest(RED_NEAR), '10.0.0.10')) !== '' &&
      (await ask(town.guest(BLUE), '127.0.0.1')) !== '' &&
      (await ask(town.guest(PLAIN_FAR), '172.31.0.10')) !== '' &&
      (await ask(town.fabric.outside, '127.0.0.1', 7000)) !== '',
    30_000,
  )
}, 120_000)
afterAll(() => town.destroy())

it.each(['first', 'after a restart'])(
  'each leads to its own, and is its source: %s',
  async (when) => {
    if (when !== 'first') await town.pass({ restart: true })
    const { outside } = town.fabric
    for (const home of [RED, BLUE, PLAIN]) {
      const float = FLOATS[home.vpc]
      const name = `${home.vpc}-10`
      expect(await ask(outside, float), 'from outside').toBe(`${name} ${OUTSIDE}`)
      expect(await ask(town.guest(home), OUTSIDE, 7000), 'outwards').toBe(float)
      expect(await ask(town.guest(home), float), 'from itself').toBe(`${name} ${float}`)
      expect(await ask(town.guest(PLAIN_FAR), float), 'from another host').toBe(
        `${name} ${town.host(1).uplink}`,
      )
    }
    expect(await ask(town.guest(RED), FLOATS.blue), 'to another VPC').toBe(`blue-10 ${FLOATS.red}`)
    expect(await ask(town.guest(BLUE), FLOATS.red), 'to another VPC').toBe(`red-10 ${FLOATS.blue}`)
    expect(await ask(town.guest(RED), FLOATS.plain)).toBe(`plain-10 ${FLOATS.red}`)
    expect(await ask(town.guest(PLAIN), FLOATS.red)).toBe(`red-10 ${FLOATS.plain}`)
    expect(await ask(town.guest(RED_NEAR), FLOATS.red), 'from its VPC').toBe('red-10 10.0.0.11')
  },
)

it('moves to an instance with the same private address in another VPC, and goes', async () => {
  const { outside } = town.fabric
  const { publicIp: _red, ...red } = RED
  const { publicIp: _blue, ...blue } = BLUE
  const moved = { ...blue, publicIp: RED.publicIp }
  await town.pass({ homes: [red, RED_NEAR, moved, PLAIN, PLAIN_FAR] })
  expect(await ask(outside, FLOATS.red)).toBe(`blue-10 ${OUTSIDE}`)
  expect(await ask(outside, FLOATS.blue)).toBe('')
  expect(await ask(town.guest(BLUE), OUTSIDE, 7000)).toBe(FLOATS.red)
  expect(await ask(town.guest(RED), OUTSIDE, 7000)).toBe(town.host(0).uplink)
  await town.pass({ homes: [red, RED_NEAR, blue, PLAIN, PLAIN_FAR] })
  expect(await ask(outside, FLOATS.red)).toBe('')
  const routes = await town.host(0).netns.must(['ip', 'route', 'show'])
  expect(routes).not.toContain(FLOATS.red)
  expect(routes).toContain(FLOATS.plain)
})
