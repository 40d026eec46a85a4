/**
 * The bus over TLS with certificates on both sides: a client without a certificate, or one that
 * trusts another authority, cannot connect.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { formatId } from '../../src/model/ids.ts'
import { execute } from '../../tools/kit/cloud.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { type RabbitNode, startRabbit } from '../../tools/kit/rabbit.ts'
import { openTestBus, quiet } from '../../tools/kit/rabbit-bus.ts'

const ASK = { instance: formatId('i', new Uint8Array(9)) }
const ANSWER = { output: 'aGVsbG8=', at: '2026-11-22T08:00:00.000Z' }
/**
 * An authority and a certificate of it for 127.0.0.1, both of the name `$1`, in the directory `$2`.
 */
const MAKE = `
cd $2
openssl req -x509 -newkey rsa:2048 -nodes -keyout $1-ca.key -out $1-ca.pem -subj "/CN=$1 authority" -days 2
openssl req -newkey rsa:2048 -nodes -keyout $1.key -out $1.csr -subj "/CN=$1"
printf 'subjectAltName=IP:127.0.0.1\\n' > $1.ext
openssl x509 -req -in $1.csr -CA $1-ca.pem -CAkey $1-ca.key -CAcreateserial -out $1.pem -days 2 -extfile $1.ext
`

let directory: string
let broker: RabbitNode

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'atoll-bus-tls-'))
  for (const name of ['cluster', 'stranger']) {
    const made = await execute('sh', ['-ec', MAKE, 'sh', name, directory])
    if (made.exitCode !== 0) throw new Error(made.stderr)
  }
  broker = await startRabbit(certificates('cluster'))
}, 120_000)
afterAll(async () => {
  await broker?.[Symbol.asyncDispose]()
  await rm(directory, { recursive: true, force: true })
})

function certificates(authority: string, own = authority) {
  return {
    to: 'all' as const,
    ca: join(directory, `${authority}-ca.pem`),
    cert: join(directory, `${own}.pem`),
    key: join(directory, `${own}.key`),
  }
}

it('connects hosts that have certificates of the cluster', async () => {
  const tls = certificates('cluster')
  const near = openTestBus('host-1', [broker.address], { tls })
  const far = openTestBus('host-2', [broker.address], { tls })
  far.bus.onAsk('console', async () => ANSWER)
  await quiet(near, far)
  expect(await near.bus.ask(far.host, 'console', ASK, { timeoutMs: 5_000 })).toEqual(ANSWER)
  await near.bus.close()
  await far.bus.close()
})

it.each([
  ['trusts another authority', () => certificates('stranger', 'cluster')],
  ['has a certificate of another authority', () => certificates('cluster', 'stranger')],
  ['has no certificate', () => ({ ...certificates('cluster'), cert: null, key: null })],
  ['has no TLS', () => ({ ...certificates('cluster'), to: 'none' as const })],
])('does not connect a host that %s', async (_name, tls) => {
  const tried: string[] = []
  const note = (_fields: object, message: string) => tried.push(message)
  const log = { debug: note, info: note, warn: note, error: note, child: () => log }
  const end = openTestBus('host-1', [broker.address], { tls: tls(), log })
  await eventually('it was tried again', () => tried.length > 1, 20_000)
  expect(tried).not.toContain('the message bus is connected')
  expect(end.bus.node()).toBeNull()
  await end.bus.close()
})
