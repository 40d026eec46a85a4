/**
 * The audit under attack: a tenant that floods it, to fill the disk or to push out what it did; who
 * forges lines; parameters of a megabyte; tokens and events of another account; a disk that is
 * full.
 *
 * There was no audit before, so there is no older code that these succeeded on. The rule of
 * secrets and the share of an account were taken out once, and their tests failed.
 */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { allActions } from '../../src/api/actions/all.ts'
import { lookupEvents } from '../../src/api/actions/lookup-events.ts'
import { openAuditFiles } from '../../src/api/audit/files.ts'
import type { Log } from '../../src/lib/log.ts'
import { parseAccountId } from '../../src/model/ids.ts'
import { MIB } from '../../src/model/sizes.ts'
import { KEY, known, type RunningApi, runApi } from '../kit/api.ts'
import { ALICE, BOB, type Cloud, openCloud } from '../kit/api-cloud.ts'
import { openTestAudit, type TestAudit } from '../kit/audit.ts'
import { query } from '../kit/query.ts'

const run = promisify(execFile)
const lines: string[] = []
const note = (fields: object, message: string) => lines.push(JSON.stringify({ fields, message }))
const log: Log = { debug: note, info: note, warn: note, error: note, child: () => log }

let cloud: Cloud
let test: TestAudit
let api: RunningApi
beforeAll(async () => {
  cloud = await openCloud()
  await cloud.store.change((tx) => tx.insertAccessKey(KEY))
  test = await openTestAudit(cloud.store)
  const clock = { ...cloud.parts.clock, now: () => Date.now(), monotonic: () => performance.now() }
  const parts = { ...cloud.parts, clock, audit: test.audit }
  api = await runApi(allActions, {
    ...{ parts, log, limits: { requestsPerSecond: 1e9, requestBurst: 1e9 } },
  })
})
afterAll(async () => {
  await api[Symbol.asyncDispose]()
  await test[Symbol.asyncDispose]()
  await cloud[Symbol.asyncDispose]()
})

/** Everything that was recorded and logged. */
async function everything(): Promise<string> {
  const stored = await test.stored(ALICE)
  const filed = await test.filed(ALICE)
  return JSON.stringify({ stored, filed, lines })
}

describe('a client with a key', () => {
  it('cannot push out its changes by calls that fail, however many', async () => {
    const made = await query(api, 'CreateVpc', 'CidrBlock=10.7.0.0%2F16')
    const vpc = known(/vpc-[0-9a-f]{17}/.exec(made.body)?.[0])
    for (let round = 0; round < 10; round += 1)
      await Promise.all(Array.from({ length: 100 }, () => query(api, 'NoSuchAction')))
    const found = await cloud.run(lookupEvents, {
      LookupAttributes: [{ AttributeKey: 'ResourceName', AttributeValue: vpc }],
    })
    expect(found['Events']).toMatchObject([{ EventName: 'CreateVpc' }])
    expect((await test.filed(ALICE)).length).toBeLessThan(400)
  })

  it('cannot forge a record by line feeds, and not make a large one', async () => {
    const Value = encodeURIComponent(`x\n{"eventName":"TerminateInstances","forged":true}`)
    const long = encodeURIComponent('𝄞'.repeat(20_000))
    const tags = [`Tag.1.Key=a&Tag.1.Value=${Value}`, `Tag.2.Key=b&Tag.2.Value=${long}`].join('&')
    await query(api, 'CreateTags', `ResourceId.1=${cloud.vpc.id}&${tags}`)
    await query(api, 'CreateTags', `ResourceId.1=${cloud.vpc.id}&Tag.1.Key=a&Tag.1.Value=${Value}`)
    const many = Array.from({ length: 900 }, (_, n) => `Filter.${n + 1}.Name=${'n'.repeat(900)}`)
    // The flood before has used up what may be recorded at once.
    const last = async () => {
      await query(api, 'DescribeVpcs', many.join('&'))
      return (await test.filed(ALICE)).at(-1)?.['eventName']
    }
    await expect.poll(last).toBe('DescribeVpcs')
    const text = await readFile(join(test.directory, `${ALICE}.jsonl`), 'utf8')
    for (const line of text.split('\n')) {
      expect(line.length).toBeLessThan(16_384)
      if (line !== '') expect(JSON.parse(line)).not.toHaveProperty('forged')
    }
  })

  it('never has a secret in a record or in the log, whatever it sends', async () => {
    const anySecret = fc
      .string({ minLength: 16, maxLength: 200 })
      .map((text) => Buffer.from(text).toString('base64'))
    const wrong = fc.constantFrom('', '%00', '!', '=', '&UserData=again', '&Nothing=1')
    await fc.assert(
      fc.asyncProperty(anySecret, wrong, async (secret, spoiled) => {
        const value = `${encodeURIComponent(secret)}${spoiled}`
        const requests = [
          ['RunInstances', `ImageId=${cloud.image}&MinCount=1&MaxCount=1&UserData=${value}`],
          ['RunInstances', `ImageId=ami-1&UserData=${value}`],
          ['ModifyInstanceAttribute', `InstanceId=i-0123456789abcdef0&UserData.Value=${value}`],
          ['ModifyInstanceAttribute', `InstanceId=i-1&Attribute=userData&Value=${value}`],
          ['CreateLaunchTemplate', `LaunchTemplateName=t&LaunchTemplateData.UserData=${value}`],
          ['ImportKeyPair', `KeyName=k&PublicKeyMaterial=${value}`],
          ['GetSessionToken', `TokenCode=${value}`],
          ['DecodeAuthorizationMessage', `EncodedMessage=${value}`],
        ] as const
        for (const [action, form] of requests) await query(api, action, form)
        const said = await everything()
        expect(said).not.toContain(secret)
        expect(said).not.toContain(secret.slice(0, 16))
      }),
      { numRuns: 15 },
    )
  })

  it('never finds an event of another account, by name or by token', async () => {
    const mine = { LookupAttributes: [{ AttributeKey: 'EventName', AttributeValue: 'CreateVpc' }] }
    await query(api, 'CreateVpc', 'CidrBlock=10.8.0.0%2F16')
    const page = await cloud.run(lookupEvents, { MaxResults: 1 })
    const [event] = page['Events'] as { EventId: string }[]
    expect((await cloud.run(lookupEvents, mine, BOB))['Events']).toEqual([])
    const byId = [{ AttributeKey: 'EventId', AttributeValue: event?.EventId }]
    expect((await cloud.run(lookupEvents, { LookupAttributes: byId }, BOB))['Events']).toEqual([])
    const NextToken = page['NextToken']
    expect(await cloud.refusal(lookupEvents, { NextToken }, BOB)).toBe('InvalidNextTokenException')
    const other = { ...mine, NextToken }
    expect(await cloud.refusal(lookupEvents, other)).toBe('InvalidNextTokenException')
  })
})

describe('a disk', () => {
  it('that is full costs records in files, and nothing else', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'atoll-full-'))
    await mkdir(join(directory, 'small'))
    const place = join(directory, 'small')
    await run('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', place])
    try {
      const owner = known(parseAccountId('000000000009'))
      let lost = 0
      const files = openAuditFiles(
        { directory: join(place, 'audit'), fileBytes: MIB, totalBytes: MIB },
        (count) => {
          lost += count
        },
      )
      const line = JSON.stringify({ filler: 'x'.repeat(1000) })
      for (let n = 0; n < 200; n += 1) {
        files.write(owner, line)
        await files.flushed()
      }
      expect(lost).toBeGreaterThan(100)
      await run('mount', ['-o', 'remount,size=1m', place])
      files.write(owner, '{"after":true}')
      await files.flushed()
      const text = await readFile(join(place, 'audit', `${owner}.jsonl`), 'utf8')
      const whole = text.split('\n').filter((one) => one !== '' && one !== line)
      // At most the line that was cut off is none.
      expect(whole.filter((one) => one === '{"after":true}')).toHaveLength(1)
      expect(whole.length).toBeLessThan(200)
    } finally {
      await run('umount', [place])
      await rm(directory, { recursive: true, force: true })
    }
  })
})
