/**
 * Access keys in the database: a copy of the database, a key that was revoked, and a host that is
 * cut off.
 *
 * Before: each secret was stored unencrypted (and in the replica of every host), nobody could
 * revoke a key, and a host that was cut off used its replica for ever.
 */
import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fastify, { type FastifyInstance } from 'fastify'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { bootstrap, protectedKey, sealKeys } from '../../src/agent/bootstrap.ts'
import {
  addKeyRoutes,
  type KeyChangeReport,
  type KeyReport,
} from '../../src/api/accounts/access-keys.ts'
import { createKeyring } from '../../src/api/accounts/keyring.ts'
import { getCallerIdentity } from '../../src/api/actions/get-caller-identity.ts'
import { getSessionToken } from '../../src/api/actions/get-session-token.ts'
import { listAccessKeys } from '../../src/api/actions/iam-access-keys.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { deriveKey } from '../../src/lib/key-derivation.ts'
import { createSecretCipher, type SecretCipher } from '../../src/lib/secret-cipher.ts'
import type { AccessKey } from '../../src/model/account-records.ts'
import { cidr } from '../../src/model/addr.ts'
import { parseHostName } from '../../src/model/ids.ts'
import { openSqliteStore } from '../../src/store/engines/sqlite/dialect.ts'
import { type InformedStore, withoutReplica } from '../../src/store/replica-reads.ts'
import type { Store } from '../../src/store/store.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { hostRow } from '../contract/store/records.ts'
import { known, type RunningApi, runApi } from '../kit/api.ts'
import { signedHeaders } from '../kit/signed.ts'

const NETWORK = { vpc: cidr('10.9.0.0/24'), subnet: cidr('10.9.0.64/26'), zone: 'a' }
const self = known(parseHostName('self'))
const sealer = createSecretCipher(deriveKey('s'.repeat(64), 'records', 32))
const keySecrets = { sealer, self }
let directory: string
let store: Store

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'atoll-keys-'))
  store = await openSqliteStore({ file: join(directory, 'atoll.db'), log: silentLog })
  await store.migrate()
})
afterEach(async () => {
  await store.close()
  await rm(directory, { recursive: true, force: true })
})

/** Everything that whoever has the files of the database has. */
async function copied(): Promise<Buffer> {
  const names = await readdir(directory)
  return Buffer.concat(await Promise.all(names.map((name) => readFile(join(directory, name)))))
}

const firstKey = async () =>
  known((await bootstrap(store, NETWORK, randomBytes, keySecrets)) ?? undefined)

const api = (
  more: { asOf?: string | null; nowMs?: () => number; cipher?: SecretCipher | null } = {},
) => {
  const shared = withoutReplica(store)
  const informed: InformedStore = {
    ...shared,
    read: async (work) => ({ ...(await shared.read(work)), asOf: more.asOf ?? null }),
  }
  const clock = { ...systemClock, now: more.nowMs ?? systemClock.now }
  const keys = createKeyring({ store: informed, clock, sealer, replicaMs: 3_600_000 })
  const { cipher: messages = sealer } = more
  const others = { store: informed, clock, keys, messages }
  return runApi([getCallerIdentity, getSessionToken, listAccessKeys], {}, others)
}

async function call(
  to: RunningApi,
  key: Pick<AccessKey, 'id' | 'secret'> & { readonly token?: string },
  nowMs = Date.now(),
  body = 'Action=GetCallerIdentity&Version=2011-06-15',
) {
  const headers = signedHeaders({ body, host: `127.0.0.1:${to.port}` }, key, nowMs)
  const { host: _host, ...signed } = headers
  const { token } = key
  const rest = token === undefined ? signed : { ...signed, 'x-amz-security-token': token }
  const response = await fetch(to.url, { method: 'POST', body, headers: rest })
  return { status: response.status, text: await response.text() }
}

describe('a copy of the database', () => {
  it('has no secret in it, though keys work', async () => {
    const key = await firstKey()
    await using host = await api()
    expect((await call(host, key)).status).toBe(200)
    expect((await copied()).includes(key.id)).toBe(true)
    expect((await copied()).includes(key.secret)).toBe(false)
    expect(JSON.stringify(await store.read((tx) => tx.dump()))).not.toContain(key.secret)
    expect(await firstKey()).toEqual(key)
  })

  it('lets nobody use the encrypted text as a secret, nor move it to another key', async () => {
    const key = await firstKey()
    const [row] = await store.read((tx) => tx.accessKeys(key.account))
    await using host = await api()
    expect((await call(host, { id: key.id, secret: row?.secret ?? '' })).status).toBe(401)
    expect((await call(host, { id: key.id, secret: '' })).status).toBe(401)
    const own = { ...key, id: 'AKIAOFMALLORY', secret: row?.secret ?? '' }
    await store.change((tx) => tx.insertAccessKey(own))
    expect((await call(host, { id: own.id, secret: key.secret })).status).toBe(401)
  })

  it('has no secret any more that an older version wrote in clear, once no such host is left', async () => {
    const key = known((await bootstrap(store, NETWORK, randomBytes)) ?? undefined)
    expect((await copied()).includes(key.secret)).toBe(true)
    const old = { ...hostRow, version: '0.1.0' }
    await store.change((tx) => tx.upsertHost(old, 1000))
    expect(await sealKeys(store, keySecrets)).toBe(1)
    await using host = await api()
    expect((await call(host, key)).status).toBe(200)
    await store.change((tx) => tx.upsertHost({ ...old, version: '0.2.0' }, 1000))
    expect(await sealKeys(store, keySecrets)).toBe(0)
    expect((await call(host, key)).status).toBe(200)
    await store.close()
    expect((await copied()).includes(key.secret)).toBe(false)
    store = await openSqliteStore({ file: join(directory, 'atoll.db'), log: silentLog })
  })
})

describe('temporary credentials', () => {
  const sessionOf = async (host: RunningApi, key: AccessKey, more = '') => {
    const body = `Action=GetSessionToken&Version=2011-06-15${more}`
    const { status, text } = await call(host, key, Date.now(), body)
    const of = (name: string) => new RegExp(`<${name}>([^<]*)<`).exec(text)?.[1] ?? ''
    const [id, secret] = [of('AccessKeyId'), of('SecretAccessKey')]
    return { status, text, id, secret, token: of('SessionToken'), expires: of('Expiration') }
  }

  it('are accepted by every host, with their own token only, until their key is taken away', async () => {
    const key = await firstKey()
    await using one = await api()
    await using other = await api()
    const session = await sessionOf(one, key)
    expect(session.id).toMatch(/^ASIA[A-Z2-7]{16}$/)
    for (const host of [one, other]) {
      const { status, text } = await call(host, session)
      expect(status).toBe(200)
      expect(text).toContain(':user/admin</Arn>')
    }
    const another = await sessionOf(other, key)
    const at = Math.floor(session.token.length / 2)
    const middle = session.token.charAt(at) === 'A' ? 'B' : 'A'
    const flipped = `${session.token.slice(0, at)}${middle}${session.token.slice(at + 1)}`
    for (const wrong of [
      { id: session.id, secret: session.secret },
      { ...session, token: another.token },
      { ...session, token: flipped },
      { ...session, token: 'x'.repeat(4000) },
      { ...session, secret: key.secret },
      { ...key, token: session.token },
      { ...session, id: key.id },
    ])
      expect((await call(other, wrong)).status, JSON.stringify(wrong)).toBe(401)
    expect((await copied()).includes(session.secret)).toBe(false)
    await store.change((tx) => tx.updateAccessKey(key.id, { status: 'disabled' }))
    for (const host of [one, other]) expect((await call(host, session)).status).toBe(401)
  })

  it('end at their time, make no others, and are none for IAM', async () => {
    const key = await firstKey()
    await using host = await api()
    const session = await sessionOf(host, key, '&DurationSeconds=900')
    expect(Date.parse(session.expires) - Date.now()).toBeLessThanOrEqual(900_000)
    const nowMs = () => Date.now() + 901_000
    await using later = await api({ nowMs })
    expect((await call(later, session, nowMs())).text).toContain('RequestExpired')
    const again = 'Action=GetSessionToken&Version=2011-06-15'
    expect((await call(host, session, Date.now(), again)).text).toContain('AccessDenied')
    const list = 'Action=ListAccessKeys&Version=2010-05-08'
    expect((await call(host, session, Date.now(), list)).text).toContain('AccessDenied')
    expect((await call(host, key, Date.now(), list)).status).toBe(200)
    expect((await sessionOf(host, key, '&DurationSeconds=899')).status).toBe(400)
  })

  it('are refused where hosts share no secret', async () => {
    const key = await firstKey()
    await using host = await api({ cipher: null })
    expect((await sessionOf(host, key)).text).toContain('cluster.secretFile')
  })
})

describe('a key that was taken away', () => {
  let server: FastifyInstance
  beforeEach(() => {
    server = fastify()
    addKeyRoutes(server, {
      store: withoutReplica(store),
      clock: systemClock,
      log: silentLog,
      random: randomBytes,
      self,
      keep: (tx, key) => protectedKey(tx, key, keySecrets),
      changed: async () => undefined,
    })
  })
  afterEach(() => server.close())
  const order = async (path: string): Promise<KeyChangeReport> =>
    (await server.inject({ method: 'POST', url: `/v1/keys/${path}` })).json()

  it('is refused by all hosts with the next request, and accepted again when it is enabled', async () => {
    await firstKey()
    const made = await order('create/ops')
    const key = { id: made.id, secret: made.secret ?? '' }
    await using one = await api()
    await using other = await api()
    for (const host of [one, other]) expect((await call(host, key)).status).toBe(200)
    await order(`${key.id}/disable`)
    for (const host of [one, other]) expect((await call(host, key)).text).toContain('AuthFailure')
    await order(`${key.id}/enable`)
    for (const host of [one, other]) {
      await eventually('it is accepted', async () => (await call(host, key)).status === 200)
    }
    const rotated = await order(`${key.id}/rotate`)
    for (const host of [one, other]) {
      expect((await call(host, key)).status).toBe(401)
      expect((await call(host, { id: rotated.id, secret: rotated.secret ?? '' })).status).toBe(200)
    }
    await order(`${rotated.id}/delete`)
    expect((await call(other, { id: rotated.id, secret: rotated.secret ?? '' })).status).toBe(401)
  })

  it('is listed without its secret, with the hour of its last use; the last one is warned of', async () => {
    const key = await firstKey()
    await using host = await api()
    await call(host, key)
    await call(host, key)
    const list = async () => (await server.inject({ url: '/v1/keys' })).json<KeyReport[]>()
    await eventually('the use is written down', async () => (await list())[0]?.lastUsedAt !== null)
    const [listed] = await list()
    expect(listed?.lastUsedAt).toMatch(/T\d\d:00:00\.000Z$/)
    expect(JSON.stringify(listed)).not.toMatch(/secret|sealed/)
    expect((await order(`${key.id}/disable`)).warning).toContain('no active key left')
    // A restart does not make another one behind the operator's back.
    expect(await bootstrap(store, NETWORK, randomBytes, keySecrets)).toBeNull()
  })

  it.each(['create/%2e%2e%2f', 'create/a%0ab', 'AKIANOBODY/disable', 'x%27/disable', 'A/burn'])(
    'is not found by %s',
    async (path) => {
      await firstKey()
      const answer = await server.inject({ method: 'POST', url: `/v1/keys/${path}` })
      expect(answer.statusCode).toBeGreaterThanOrEqual(400)
    },
  )
})

describe('a host that is disconnected', () => {
  it('uses its copy of the keys for an hour, and then says why it does not', async () => {
    const key = await firstKey()
    let nowMs = Date.now()
    const asOf = new Date(nowMs).toISOString()
    await using host = await api({ asOf, nowMs: () => nowMs })
    nowMs += 3_599_000
    expect((await call(host, key, nowMs)).status).toBe(200)
    nowMs += 2_000
    const late = await call(host, key, nowMs)
    expect(late.status).toBe(503)
    expect(late.text).toContain('api.replicaKeysSeconds')
    // Nor longer because somebody sets its clock back.
    nowMs -= 2 * 3_601_000
    expect((await call(host, key, nowMs)).status).toBe(503)
  })
})
