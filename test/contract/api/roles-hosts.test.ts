/**
 * Credentials of roles that one host gave are used at another, over records in MariaDB: they are as
 * good there, and end there at once with their role, their account or their instance.
 */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { formatId, ID_BYTES, parseId } from '../../../src/model/ids.ts'
import { newSession } from '../../../src/model/session-token.ts'
import { openMariadbStore } from '../../../src/store/engines/mariadb/dialect.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { type Mariadb, PASSWORD, startMariadb, USER } from '../../../tools/kit/mariadb.ts'
import { known } from '../../kit/api.ts'
import { ALICE, BOB } from '../../kit/api-cloud.ts'
import { EVERYTHING, type Keys, openSignedCloud, type SignedCloud } from '../../kit/signed-cloud.ts'

const HOUR = 3_600_000
const TRUST = JSON.stringify({
  Statement: [
    { Effect: 'Allow', Principal: { AWS: [ALICE, BOB] }, Action: 'sts:AssumeRole' },
    { Effect: 'Allow', Principal: { Service: 'ec2.amazonaws.com' }, Action: 'sts:AssumeRole' },
  ],
})
const ANY = JSON.stringify({ Statement: [EVERYTHING] })
const DENIED = 'AuthFailure'

let mariadb: Mariadb
beforeAll(async () => {
  mariadb = await startMariadb()
}, 60_000)
afterAll(() => mariadb.end())

/** Two hosts, and the keys of a user who may do everything. */
async function openHosts() {
  const parts = new AsyncDisposableStack()
  const database = await mariadb.freshDatabase()
  const open = async () =>
    parts.adopt(
      await openMariadbStore({
        ...{ nodes: [mariadb.node], database, user: USER, password: PASSWORD },
        ...{ tls: { to: 'none', ca: null, cert: null, key: null }, log: silentLog },
      }),
      (store) => store.close(),
    )
  const first = await open()
  await first.migrate()
  const signed = parts.use(await openSignedCloud(first))
  const other = parts.use(await signed.runHost(await open()))
  const { keys: user } = await signed.user([EVERYTHING])
  return { parts, signed, user, there: codeAt }

  function codeAt(keys: Keys, action = 'DescribeVpcs', parameters = {}) {
    return signed.codeAt(other, keys, action, parameters)
  }
}

/** A role of the account that may do everything, and its credentials. */
async function assume(signed: SignedCloud, by: Keys, RoleName: string, account = ALICE) {
  await signed.admin('CreateRole', { RoleName, AssumeRolePolicyDocument: TRUST }, account)
  const policy = { RoleName, PolicyName: 'all', PolicyDocument: ANY }
  await signed.admin('PutRolePolicy', policy, account)
  const RoleArn = `arn:aws:iam::${account}:role/${RoleName}`
  const { code, of } = await signed.call(by, 'AssumeRole', { RoleArn, RoleSessionName: 'me' })
  expect(code).toBe('OK')
  return { id: of('AccessKeyId'), secret: of('SecretAccessKey'), token: of('SessionToken') }
}

it('are as good at another host, and follow what is changed at the first', async () => {
  const { parts, signed, user, there } = await openHosts()
  await using _ = parts
  const keys = await assume(signed, user, 'web')
  expect(await there(keys)).toBe('OK')
  // Of a secret or a token of another, there is nothing.
  const forged = await assume(signed, user, 'forged')
  expect(await there({ ...keys, secret: forged.secret })).toBe(DENIED)
  expect(await there({ ...keys, token: forged.token })).toBe(DENIED)
  await signed.admin('DeleteRolePolicy', { RoleName: 'web', PolicyName: 'all' })
  expect(await there(keys)).toBe('UnauthorizedOperation')
  // Another role of the same name is not theirs.
  await signed.admin('DeleteRole', { RoleName: 'web' })
  expect(await there(keys)).toBe(DENIED)
  const again = await assume(signed, user, 'web')
  expect(await there(keys)).toBe(DENIED)
  expect(await there(again)).toBe('OK')
  signed.offsetMs = HOUR + 1000
  expect(await there(again)).toBe('RequestExpired')
})

it('end at all hosts with their account', async () => {
  const { parts, signed, user, there } = await openHosts()
  await using _ = parts
  const { keys: bob } = await signed.user([EVERYTHING], BOB)
  // A role of one account that a user of another has.
  const keys = await assume(signed, bob, 'shared')
  expect([await there(keys), await there(bob)]).toEqual(['OK', 'OK'])
  await signed.cloud.store.change((tx) => tx.changeAccount(ALICE, { status: 'disabled' }))
  expect([await there(keys), await there(user), await there(bob)]).toEqual([DENIED, DENIED, 'OK'])
  await signed.cloud.store.change((tx) => tx.changeAccount(ALICE, { status: 'active' }))
  expect(await there(keys)).toBe('OK')
})

it('of an instance end at all hosts with it, and with its profile', async () => {
  const { parts, signed, user, there } = await openHosts()
  await using _ = parts
  await assume(signed, user, 'app')
  await signed.admin('CreateInstanceProfile', { InstanceProfileName: 'app' })
  await signed.admin('AddRoleToInstanceProfile', { InstanceProfileName: 'app', RoleName: 'app' })
  const { Instances } = (await signed.admin('RunInstances', {
    ...{ ImageId: signed.cloud.image, InstanceType: 't3.nano', MinCount: 1, MaxCount: 1 },
    IamInstanceProfile: { Name: 'app' },
  })) as { Instances: { InstanceId: string }[] }
  const instance = known(parseId('i', known(Instances[0]).InstanceId))
  const { Role } = (await signed.admin('GetRole', { RoleName: 'app' })) as {
    Role: { RoleId: string }
  }
  // As the metadata service of the instance's host makes them.
  const made = (of: typeof instance): Keys =>
    newSession(signed.cipher, randomBytes, {
      subject: {
        ...{ kind: 'role', account: ALICE, instance: of },
        role: { name: 'app', id: Role.RoleId, session: of, policies: [] },
      },
      expiresAtMs: Date.now() + HOUR,
    })
  expect(await there(made(instance))).toBe('OK')
  expect(await there(made(formatId('i', randomBytes(ID_BYTES))))).toBe(DENIED)
  const removed = { InstanceProfileName: 'app', RoleName: 'app' }
  await signed.admin('RemoveRoleFromInstanceProfile', removed)
  expect(await there(made(instance))).toBe(DENIED)
  await signed.admin('AddRoleToInstanceProfile', removed)
  expect(await there(made(instance))).toBe('OK')
  await signed.cloud.store.change((tx) => tx.updateInstance(instance, { state: 'terminated' }))
  expect(await there(made(instance))).toBe(DENIED)
})
