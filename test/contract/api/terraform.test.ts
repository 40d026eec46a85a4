/**
 * The calls of Terraform's provider through the whole life of an instance, by boto3 as Debian
 * packages it. The boto3 suite has the other resources.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { allActions } from '../../../src/api/actions/all.ts'
import { formatId } from '../../../src/model/ids.ts'
import { actAsAgent } from '../../kit/acting-agent.ts'
import { KEY, known, type RunningApi, runApi } from '../../kit/api.ts'
import { type Cloud, openCloud } from '../../kit/api-cloud.ts'
import { awsEnvironment } from '../../kit/aws-environment.ts'

const run = promisify(execFile)
const PYTHON = '/usr/bin/python3'
const PROGRAM = join(import.meta.dirname, 'boto3/instance_life.py')
const MACHINE = formatId('ami', new Uint8Array(9).fill(7))
const PUBLIC_KEY =
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl me@here'
/** An interpreter that loads a large library on a busy machine. */
const TIMEOUT_MS = 120_000

let cloud: Cloud
let api: RunningApi
let agent: Disposable
beforeAll(async () => {
  cloud = await openCloud({ hosts: [{ vcpus: 1000, memoryMiB: 1_000_000 }] })
  await cloud.store.change(async (tx) => {
    await tx.insertAccessKey(KEY)
    const location = 'https://images.test/debian.qcow2'
    const image = { ...known((await tx.images({}))[0]), id: MACHINE, name: 'machine', location }
    await tx.insertImage(image)
  })
  const parts = { ...cloud.parts, clock: { ...cloud.parts.clock, now: () => Date.now() } }
  const limits = { requestBurst: 1e9, requestsPerSecond: 1e9 }
  api = await runApi(allActions, { parts, limits })
  agent = actAsAgent(cloud.store)
})
afterAll(async () => {
  agent[Symbol.dispose]()
  await api[Symbol.asyncDispose]()
  await cloud[Symbol.asyncDispose]()
})

describe.skipIf(!existsSync(PYTHON))('Terraform (skipped without python3-boto3)', () => {
  it('makes, changes and destroys an instance', { timeout: TIMEOUT_MS }, async () => {
    const { stdout } = await run(PYTHON, ['-B', PROGRAM, api.url, MACHINE, PUBLIC_KEY], {
      env: awsEnvironment(),
    })
    const read = {
      type: 't3.micro',
      root: [true, 9, 'gp3', false],
      volumeTags: [{ Key: 'Name', Value: 'terraform' }],
      check: [true, true],
      monitoring: 'disabled',
      tenancy: 'default',
      ...{ hop: 2, hibernation: false, enclave: false, recovery: 'default', dns: 'resource-name' },
      ...{ stop: false, termination: true, shutdown: 'stop', userData: '#!/bin/sh\n' },
      groups: ['first'],
    }
    expect(JSON.parse(stdout)).toEqual({
      start: ['000000000001', true],
      key: [true, 'ed25519', [{ Key: 'a', Value: 'c' }]],
      same: true,
      read,
      data: [true, [1, 1, 1, 1], [2, 1024, true, null], true, true],
      changed: {
        ...read,
        ...{ type: 't3.small', check: [false, false], hop: 1, shutdown: 'terminate' },
        ...{ userData: '#!/bin/true\n', groups: ['second'] },
        monitoring: 'enabled',
      },
      destroyed: [
        ...['OperationNotPermitted', null, 'InvalidInstanceID.NotFound', [null, null]],
        'InvalidKeyPair.NotFound',
      ],
      free: [null, null],
    })
  })
})
