/** The doctor asks each forwarder. Before, it said "ok" of whatever the settings named. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import dnsPacket from 'dns-packet'
import { afterEach, expect, test } from 'vitest'
import { configSchema } from '../../../src/config.ts'
import { checkForwarders } from '../../../src/operator/doctor-forwarders.ts'

const SERVFAIL = 2
const REFUSED = 5
/** Far more than it takes: of a resolver that hangs, two seconds. */
const SOON_MS = 10_000

const ends: (() => void)[] = []
afterEach(() => {
  for (const end of ends.splice(0)) end()
})

/** A resolver whose answers all have this code; null: it says nothing. Gives its name. */
async function resolver(rcode: number | null, address = '127.0.0.1'): Promise<string> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
  socket.on('message', (query, { port, address: asker }) => {
    if (rcode === null) return
    const { id = 0, questions = [] } = dnsPacket.decode(query)
    const answers = [{ type: 'NS', name: '.', data: 'a.root-servers.net', ttl: 60 }] as const
    const reply = { type: 'response', id, flags: rcode, questions } as const
    socket.send(
      dnsPacket.encode(rcode === 0 ? { ...reply, answers: [...answers] } : reply),
      port,
      asker,
    )
  })
  socket.bind(0, address)
  await once(socket, 'listening')
  ends.push(() => socket.close())
  const { port } = socket.address()
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

/** With ports, which settings do not have: nobody here can be sure of port 53. */
const check = (forwarders: readonly string[]) =>
  checkForwarders({ dns: { ...configSchema.parse({}).dns, forwarders: [...forwarders] } as never })

test('those that answer, even with a refusal, are ok', async () => {
  const all = [await resolver(0), await resolver(REFUSED), await resolver(0, '::1')]
  expect(await check(all)).toEqual({ result: 'ok', found: all.join(', '), fix: null })
})

test('those that hang, are not there or cannot find out are named, and only those', async () => {
  const hung = await resolver(null)
  const broken = await resolver(SERVFAIL)
  const gone = await resolver(0)
  ends.pop()?.()
  const began = performance.now()
  const { result, found, fix } = await check([hung, await resolver(0), broken, gone])
  expect(performance.now() - began).toBeLessThan(SOON_MS)
  expect(result).toBe('warn')
  expect(found).toBe(
    `${hung} does not answer within 2 s; ${broken} answers SERVFAIL: it reaches no other name server; ` +
      `${gone} does not answer (ECONNREFUSED); 1 of 4 answer`,
  )
  expect(fix).toContain('dns.forwarders')
})

test('none: dns.forwarders is empty', async () => {
  expect(await check([])).toMatchObject({ result: 'ok', found: 'none: dns.forwarders is empty' })
})
