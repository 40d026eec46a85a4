/**
 * Clients that nobody can change, as installed: AWS SDK for JavaScript 3, Debian's AWS CLI and
 * boto3.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { promisify } from 'node:util'
import { DescribeRegionsCommand, EC2Client } from '@aws-sdk/client-ec2'
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import type { Action } from '../../../src/api/action.ts'
import { getCallerIdentity } from '../../../src/api/actions/get-caller-identity.ts'
import { dryRun, parseInput } from '../../../src/api/parameters.ts'
import { CREDENTIALS, KEY, type RunningApi, runApi } from '../../kit/api.ts'
import { awsEnvironment } from '../../kit/aws-environment.ts'

const run = promisify(execFile)
const AWS = '/usr/bin/aws'
const PYTHON = '/usr/bin/python3'

const filters = z.array(z.strictObject({ Name: z.string(), Values: z.array(z.string()) }))
const inputSchema = z.strictObject({
  RegionNames: z.array(z.string()).optional(),
  Filters: filters.optional(),
  DryRun: z.boolean().optional(),
})
/** Answers with what it was asked, so that both directions show. */
const echo: Action = {
  name: 'DescribeRegions',
  input: inputSchema,
  async run(call) {
    const input = parseInput(inputSchema, call.input)
    dryRun(call)
    return { Regions: [{ RegionName: JSON.stringify(input), OptInStatus: 'a<b>&"c" ä€' }] }
  },
}
const echoed = {
  RegionNames: ['atoll', 'b c'],
  Filters: [{ Name: 'tag:a b', Values: ['x*+&=%', 'ü€𝄞', ''] }],
}
const identity = {
  UserId: 'admin',
  Account: '000000000001',
  Arn: 'arn:aws:iam::000000000001:user/admin',
}

let api: RunningApi
beforeAll(async () => {
  api = await runApi([getCallerIdentity, echo])
})
afterAll(() => api[Symbol.asyncDispose]())

function expectEcho(answer: unknown): void {
  expect(answer).toMatchObject({ Regions: [{ OptInStatus: 'a<b>&"c" ä€' }] })
  const [region] = (answer as { Regions: { RegionName: string }[] }).Regions
  expect(JSON.parse(region?.RegionName ?? '')).toEqual(echoed)
}

describe('the AWS SDK for JavaScript', () => {
  const settings = () => ({ region: 'atoll', endpoint: api.url, maxAttempts: 1 })

  it('asks and is answered', async () => {
    const client = new EC2Client({ ...settings(), credentials: CREDENTIALS })
    expectEcho(await client.send(new DescribeRegionsCommand(echoed)))
    const sts = new STSClient({ ...settings(), credentials: CREDENTIALS })
    expect(await sts.send(new GetCallerIdentityCommand())).toMatchObject(identity)
  })

  it('understands refusals', async () => {
    const client = new EC2Client({ ...settings(), credentials: CREDENTIALS })
    await expect(client.send(new DescribeRegionsCommand({ DryRun: true }))).rejects.toMatchObject({
      name: 'DryRunOperation',
      $metadata: { httpStatusCode: 412 },
    })
    const wrong = { ...settings(), credentials: { ...CREDENTIALS, secretAccessKey: 'wrong' } }
    const refusal = { name: 'AuthFailure', $metadata: { httpStatusCode: 401 } }
    await expect(new EC2Client(wrong).send(new DescribeRegionsCommand())).rejects.toMatchObject(
      refusal,
    )
    await expect(new STSClient(wrong).send(new GetCallerIdentityCommand())).rejects.toMatchObject(
      refusal,
    )
  })

  it('sets its clock by our Date when its machine is wrong by an hour', async () => {
    const program = `
      const Real = Date, now = () => Real.now() - 3_600_000
      globalThis.Date = class extends Real {
        constructor(...when) { super(...(when.length > 0 ? when : [now()])) }
        static now() { return now() }
      }
      const { STSClient, GetCallerIdentityCommand } = await import('@aws-sdk/client-sts')
      const client = new STSClient({ endpoint: process.argv[1], maxAttempts: 2 })
      const { $metadata, ...identity } = await client.send(new GetCallerIdentityCommand())
      console.log(JSON.stringify({ attempts: $metadata.attempts, ...identity }))`
    const { stdout } = await run(
      process.execPath,
      ['--input-type=module', '-e', program, api.url],
      {
        env: { ...awsEnvironment(), AWS_REGION: 'atoll' },
      },
    )
    expect(JSON.parse(stdout)).toEqual({ attempts: 2, ...identity })
  })
})

describe.skipIf(!existsSync(AWS))('the AWS CLI', () => {
  const aws = async (args: readonly string[], secret?: string): Promise<unknown> => {
    const { stdout } = await run(AWS, ['--endpoint-url', api.url, '--output', 'json', ...args], {
      env: awsEnvironment(secret),
    })
    return JSON.parse(stdout)
  }

  it('asks and is answered', async () => {
    const { RegionNames, Filters } = echoed
    expectEcho(
      await aws([
        'ec2',
        'describe-regions',
        '--region-names',
        ...RegionNames,
        '--filters',
        JSON.stringify(Filters),
      ]),
    )
    expect(await aws(['sts', 'get-caller-identity'])).toEqual(identity)
  })

  it.each([
    [
      ['ec2', 'describe-regions', '--dry-run'],
      KEY.secret,
      /\(DryRunOperation\).*DryRun flag is set/,
    ],
    [
      ['ec2', 'describe-regions', '--all-regions'],
      KEY.secret,
      /\(UnsupportedOperation\).*AllRegions/,
    ],
    [['ec2', 'describe-vpcs'], KEY.secret, /\(InvalidAction\).*not valid for this web service/],
    [['ec2', 'describe-vpcs'], 'wrong', /\(AuthFailure\)/],
    [['sts', 'get-caller-identity'], 'wrong', /\(AuthFailure\)/],
  ])('understands the refusal of %j', async (args, secret, message) => {
    await expect(aws(args, secret)).rejects.toMatchObject({
      stderr: expect.stringMatching(message),
    })
  })
})

describe.skipIf(!existsSync(PYTHON))('boto3', () => {
  const python = async (program: string): Promise<unknown> => {
    const { stdout } = await run(
      PYTHON,
      ['-c', `import json, boto3, botocore\n${program}`, api.url],
      {
        env: awsEnvironment(),
      },
    )
    return JSON.parse(stdout)
  }
  const client = (service: string) =>
    `boto3.client('${service}', endpoint_url=__import__('sys').argv[1])`

  it('asks and is answered', async () => {
    expectEcho(
      await python(
        `print(json.dumps(${client('ec2')}.describe_regions(**json.loads(${JSON.stringify(JSON.stringify(echoed))}))))`,
      ),
    )
    expect(await python(`print(json.dumps(${client('sts')}.get_caller_identity()))`)).toMatchObject(
      identity,
    )
  })

  it('understands refusals', async () => {
    const caught = await python(
      `try: ${client('ec2')}.describe_regions(DryRun=True)\nexcept botocore.exceptions.ClientError as e: print(json.dumps(e.response))`,
    )
    expect(caught).toMatchObject({
      Error: { Code: 'DryRunOperation' },
      ResponseMetadata: {
        HTTPStatusCode: 412,
        RequestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      },
    })
  })
})
