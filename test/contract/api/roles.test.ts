/**
 * Roles and instance profiles by clients that we did not write: boto3 calls IAM and STS as
 * Terraform does; inside an instance, botocore's and the JavaScript SDK's own providers get the
 * credentials of its role from the metadata service, which has nothing but the host's want.
 */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts'
import { fromInstanceMetadata } from '@smithy/credential-provider-imds'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ledgerSchema } from '../../../src/agent/ledger-schema.ts'
import { createRecordsReader } from '../../../src/agent/reader.ts'
import { createKeyring } from '../../../src/api/accounts/keyring.ts'
import { allActions } from '../../../src/api/actions/all.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { createMetrics } from '../../../src/lib/metrics.ts'
import { createSecretCipher } from '../../../src/lib/secret-cipher.ts'
import { ipv4 } from '../../../src/model/addr.ts'
import { wantFor } from '../../../src/plan/want.ts'
import { createMetadata } from '../../../src/services/metadata/metadata.ts'
import { createRoleCredentials } from '../../../src/services/metadata/role-credentials.ts'
import type { HostService } from '../../../src/services/service.ts'
import { withoutReplica } from '../../../src/store/replica-reads.ts'
import { passWith } from '../../../tools/kit/instance.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { freePort } from '../../../tools/kit/mariadb.ts'
import { actionNamed } from '../../kit/account-world.ts'
import { KEY, known, type RunningApi, runApi } from '../../kit/api.ts'
import { type Cloud, openCloud } from '../../kit/api-cloud.ts'

const run = promisify(execFile)
const PYTHON = '/usr/bin/python3'
const PROGRAMS = join(import.meta.dirname, 'boto3')
const LOOPBACK = ipv4('127.0.0.1')
const ARN = 'arn:aws:iam::000000000001'
const cipher = createSecretCipher(randomBytes(32))

let cloud: Cloud
let api: RunningApi
let metadata: HostService
let origin: string
beforeAll(async () => {
  cloud = await openCloud({ parts: { messages: cipher, clock: systemClock } })
  await cloud.store.change((tx) => tx.insertAccessKey(KEY))
  const store = withoutReplica(cloud.store)
  const keys = createKeyring({ store, clock: systemClock, sealer: cipher, replicaMs: 0 })
  const limits = { requestBurst: 1e9, requestsPerSecond: 1e9 }
  api = await runApi(allActions, { parts: { ...cloud.parts, keys }, limits })
  const port = await freePort()
  origin = `http://${LOOPBACK}:${port}`
  metadata = createMetadata({
    settings: { zone: 'atoll.internal', region: 'atoll', architecture: 'x86_64' },
    key: new Uint8Array(32).fill(1),
    roles: createRoleCredentials({ cipher, random: randomBytes }),
    clock: systemClock,
    metrics: createMetrics(),
    log: silentLog,
    listen: { address: LOOPBACK, port },
  })
})
afterAll(async () => {
  await metadata.close()
  await api[Symbol.asyncDispose]()
  await cloud[Symbol.asyncDispose]()
})

// biome-ignore lint/suspicious/noExplicitAny: what a program prints, read by name.
async function python(program: string, ...given: readonly string[]): Promise<any> {
  const { stdout } = await run(PYTHON, ['-B', join(PROGRAMS, program), api.url, ...given], {
    env: {
      ...{ PATH: '/usr/bin:/bin', LANG: 'C.UTF-8', AWS_DEFAULT_REGION: 'atoll' },
      ...{ AWS_ACCESS_KEY_ID: KEY.id, AWS_SECRET_ACCESS_KEY: KEY.secret, AWS_MAX_ATTEMPTS: '1' },
    },
  })
  return JSON.parse(stdout)
}

/** A pass of the instance's host, which serves it on loopback. */
async function pass(instance: string): Promise<void> {
  const host = cloud.parts.settings.host
  const reader = createRecordsReader(cloud.store, host, systemClock)
  const planned = wantFor(host, await reader.read({ fresh: true }))
  // As a daemon that starts has it.
  const file = JSON.stringify({ format: 1, want: planned })
  const { want } = ledgerSchema.parse(JSON.parse(file))
  for (const secret of ['Secret', 'sealed:', 'ASIA']) expect(file).not.toContain(secret)
  const one = known(want.local.instances.find(({ id }) => id === instance))
  await metadata.apply(
    passWith({ ...one, nics: one.nics.map((nic) => ({ ...nic, ip: LOOPBACK })) }),
  )
}

describe.skipIf(!existsSync(PYTHON))('roles', () => {
  it('are made, assumed and given to instances', { timeout: 120_000 }, async () => {
    const { instance, association, credentials: _, ...said } = await python('roles.py', cloud.image)
    expect(said).toEqual({
      role: [
        `${ARN}:role/team/web`,
        'AROA',
        7200,
        'EntityAlreadyExists',
        'MalformedPolicyDocument',
      ],
      read: [true, [{ Key: 'team', Value: 'red' }]],
      listed: {
        ...{ roles: ['web'], none: [], inline: ['own'], document: true },
        ...{ attached: ['AmazonEC2ReadOnlyAccess'], entities: ['web'], description: 'e' },
        described: 'f',
        tags: [{ Key: 'TEAM', Value: 'blue' }],
      },
      session: {
        identity: ['arn:aws:sts::000000000001:assumed-role/web/me', true, true],
        may: ['OK', 'OK', 'UnauthorizedOperation', 'AccessDenied'],
        user: 'AccessDenied',
        policy: ['UnauthorizedOperation', 'OK'],
        managed: ['OK', 'UnauthorizedOperation'],
        ...{ tooLong: 'ValidationError', tags: 'UnsupportedOperation', absent: 'AccessDenied' },
      },
      profiles: {
        made: [`${ARN}:instance-profile/team/web`, [], 'AIPA'],
        ...{ empty: 'InvalidParameterValue', second: 'LimitExceeded', launched: [true, true] },
        wrong: ['InvalidParameterValue', 'InvalidParameterCombination', 'InvalidParameterValue'],
        ...{ first: ['associated', true], replaced: true, again: 'IncorrectState' },
        ...{ ended: ['disassociating', []], found: 2, roles: ['web'], forRole: ['web'] },
        held: ['DeleteConflict', 'DeleteConflict'],
      },
      changed: 'UnauthorizedOperation',
      users: {
        paths: [`${ARN}:user/team/dev`, 'AIDA'],
        moved: [`${ARN}:user/other/ops`, 'NoSuchEntity'],
        ...{ prefix: ['ops'], kept: ['AmazonEC2ReadOnlyAccess'], since: true },
      },
    })

    await pass(instance)
    const inside = {
      found: true,
      arn: `arn:aws:sts::000000000001:assumed-role/web/${instance}`,
      may: ['OK', 'UnauthorizedOperation'],
    }
    expect(await python('instance.py', origin)).toEqual(inside)
    process.env['AWS_EC2_METADATA_SERVICE_ENDPOINT'] = origin
    const provider = fromInstanceMetadata({ timeout: 10_000 })
    const sts = new STSClient({ endpoint: api.url, region: 'atoll', credentials: provider })
    const who = () => sts.send(new GetCallerIdentityCommand({}))
    expect((await who()).Arn).toBe(inside.arn)

    // What was taken away is over at once for those who have credentials, and soon for the others.
    await cloud.run(actionNamed('DisassociateIamInstanceProfile'), { AssociationId: association })
    await expect(who()).rejects.toMatchObject({ name: 'AuthFailure' })
    await pass(instance)
    expect(await python('instance.py', origin)).toEqual({ found: false })
    await cloud.run(actionNamed('AssociateIamInstanceProfile'), {
      ...{ InstanceId: instance, IamInstanceProfile: { Name: 'web' } },
    })
    await pass(instance)
    expect(await python('instance.py', origin)).toEqual(inside)
    expect((await who()).Arn).toBe(inside.arn)
    const of = { InstanceProfileName: 'web', RoleName: 'web' }
    await cloud.run(actionNamed('RemoveRoleFromInstanceProfile'), of)
    await expect(who()).rejects.toMatchObject({ name: 'AuthFailure' })
    await pass(instance)
    expect(await python('instance.py', origin)).toEqual({ found: false })
    sts.destroy()
  })
})
