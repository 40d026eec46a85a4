/**
 * A cloud of records with its API, for tests of rights: users with policies, and calls that are
 * signed with their keys.
 */
import { randomBytes } from 'node:crypto'
import { createKeyring } from '../../src/api/accounts/keyring.ts'
import { allActions } from '../../src/api/actions/all.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { createSecretCipher, type SecretCipher } from '../../src/lib/secret-cipher.ts'
import type { AccountId } from '../../src/model/ids.ts'
import { withoutReplica } from '../../src/store/replica-reads.ts'
import type { Store } from '../../src/store/store.ts'
import { actionNamed } from './account-world.ts'
import { type RunningApi, runApi } from './api.ts'
import { ALICE, type Cloud, openCloud } from './api-cloud.ts'
import { openTestAudit, type TestAudit } from './audit.ts'
import { signedHeaders } from './signed.ts'

/** Of an access key. */
export interface Keys {
  readonly id: string
  readonly secret: string
  readonly token?: string
}

/** What a call got: the code, or OK, and the contents of the document's elements. */
interface Answered {
  readonly code: string
  readonly of: (element: string) => string
  readonly message: string
}

type Parameters = Readonly<Record<string, string>>

/** The cloud, its API, and what tests do with them. */
export interface SignedCloud extends AsyncDisposable {
  readonly cloud: Cloud
  readonly api: RunningApi
  readonly audit: TestAudit
  readonly cipher: SecretCipher
  /** The time is this much later. */
  offsetMs: number
  nowMs(): number
  call(keys: Keys, action: string, parameters?: Parameters): Promise<Answered>
  codeOf(keys: Keys, action: string, parameters?: Parameters): Promise<string>
  /** Another host of the cloud, with a connection of its own to the same records. */
  runHost(store: Store): Promise<RunningApi>
  /** The code of a call of another host. */
  codeAt(
    host: Pick<RunningApi, 'port' | 'url'>,
    keys: Keys,
    action: string,
    parameters?: Parameters,
  ): Promise<string>
  /** An action by the account's administrator. */
  admin(name: string, input: object, account?: AccountId): Promise<Record<string, unknown>>
  /** A user of the account whose policy has these statements, and its keys. */
  user(
    statements: readonly object[],
    account?: AccountId,
  ): Promise<{ readonly name: string; readonly keys: Keys; readonly arn: string }>
}

/** A statement that allows everything, and one that allows all of EC2. */
export const EVERYTHING = { Effect: 'Allow', Action: '*', Resource: '*' }
export const EC2 = { Effect: 'Allow', Action: 'ec2:*', Resource: '*' }

/** Opens one, on records in memory unless empty ones are given, which it does not close. */
export async function openSignedCloud(given?: Store): Promise<SignedCloud> {
  const cipher = createSecretCipher(randomBytes(32))
  const time = { offsetMs: 0 }
  const clock = { ...systemClock, now: () => Date.now() + time.offsetMs }
  const records = given === undefined ? {} : { store: given }
  const cloud = await openCloud({ ...records, parts: { messages: cipher, clock } })
  const audit = await openTestAudit(cloud.store)
  const runHost = async (own: Store): Promise<RunningApi> => {
    const store = withoutReplica(own)
    const keys = createKeyring({ store, clock, sealer: cipher, replicaMs: 0 })
    const limits = { requestBurst: 1e9, requestsPerSecond: 1e9 }
    const parts = { ...cloud.parts, store, keys, audit: audit.audit }
    return await runApi(allActions, { parts, limits })
  }
  const api = await runHost(cloud.store)
  let count = 0

  const call: SignedCloud['call'] = (...asked) => callAt(api, ...asked)

  async function callAt(
    { port, url }: Pick<RunningApi, 'port' | 'url'>,
    keys: Keys,
    Action: string,
    parameters: Parameters = {},
  ): Promise<Answered> {
    const body = new URLSearchParams({ Action, ...parameters }).toString()
    const unsigned = { body, host: `127.0.0.1:${port}` }
    const { host: _, ...headers } = signedHeaders(unsigned, keys, clock.now())
    const token = keys.token === undefined ? {} : { 'x-amz-security-token': keys.token }
    const answer = await fetch(url, { method: 'POST', body, headers: { ...headers, ...token } })
    const text = await answer.text()
    const of = (name: string) => new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1] ?? ''
    return { code: answer.status === 200 ? 'OK' : of('Code'), of, message: of('Message') }
  }

  const admin = (name: string, input: object, account: AccountId = ALICE) =>
    cloud.run(actionNamed(name), input, account)

  return {
    ...{ cloud, api, audit, cipher, call, admin, runHost },
    codeAt: async (...asked) => (await callAt(...asked)).code,
    get offsetMs() {
      return time.offsetMs
    },
    set offsetMs(ms) {
      time.offsetMs = ms
    },
    nowMs: clock.now,
    codeOf: async (...given) => (await call(...given)).code,
    async user(statements, account = ALICE) {
      count += 1
      const name = `user${count}`
      await admin('CreateUser', { UserName: name }, account)
      const PolicyDocument = JSON.stringify({ Statement: statements })
      const policy = { UserName: name, PolicyName: 'p', PolicyDocument }
      if (statements.length > 0) await admin('PutUserPolicy', policy, account)
      const { AccessKey } = (await admin('CreateAccessKey', { UserName: name }, account)) as {
        readonly AccessKey: { readonly AccessKeyId: string; readonly SecretAccessKey: string }
      }
      const keys: Keys = { id: AccessKey.AccessKeyId, secret: AccessKey.SecretAccessKey }
      return { name, keys, arn: `arn:aws:iam::${account}:user/${name}` }
    },
    async [Symbol.asyncDispose]() {
      await api[Symbol.asyncDispose]()
      await audit[Symbol.asyncDispose]()
      await cloud[Symbol.asyncDispose]()
    },
  }
}
