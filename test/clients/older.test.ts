/**
 * Older clients that Debian still packages, each with a program that makes, uses and removes what
 * it knows: boto 2, Net::Amazon::EC2, and the AWS SDK for Ruby, version 1.
 */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { type ClientCloud, openClientCloud } from '../kit/client-cloud.ts'
import { debianVersion, type Outcome, reportOf } from '../kit/compatibility.ts'

const STORY_MS = 900_000

let at: ClientCloud
beforeAll(async () => {
  // Some sign a Host without its port.
  at = await openClientCloud('older', 'api: {port: 443}\n')
})
afterAll(() => at?.[Symbol.asyncDispose]())

const VOLUMES = ['volumes and snapshots', 'Atoll has no volumes of their own and no snapshots yet']
const SOLD = ['reserved and spot instances, VPNs', 'Atoll sells nothing and has no VPNs']

describe.each<{
  readonly client: string
  readonly debian: string
  readonly about: string
  readonly program: readonly [string, string]
  readonly excluded?: readonly (readonly string[])[]
}>([
  {
    client: 'boto 2',
    debian: 'python3-boto',
    about: 'The library before boto3: EC2, VPC, IAM and STS.',
    program: ['/usr/bin/python3', 'python/boto2.py'],
    excluded: [
      ['get_console_output', 'it numbers the one instance (InstanceId.1), which Atoll refuses'],
      [
        'the attribute `state` of a VPC',
        'it shows the state of the last CIDR block, which EC2 leaves out for the version of 2014',
      ],
    ],
  },
  {
    client: 'Net::Amazon::EC2',
    debian: 'libnet-amazon-ec2-perl',
    about: 'A Perl module for EC2, with Signature Version 4.',
    program: ['/usr/bin/perl', 'perl/net-amazon-ec2.pl'],
    excluded: [
      ['a port other than 443 and 80', 'the module signs the name of the host without its port'],
      [
        'VM::EC2 (libvm-ec2-perl), ruby-amazon-ec2',
        'they sign with Signature Version 2 only, which Atoll refuses: it does not cover the body',
      ],
    ],
  },
  {
    client: 'AWS SDK for Ruby v1',
    debian: 'ruby-aws-sdk',
    about: 'Its classes for EC2, IAM and STS.',
    program: ['/usr/bin/ruby', 'ruby/aws-sdk-v1.rb'],
  },
])('$client', ({ client, debian, about, program, excluded = [] }) => {
  const report = reportOf(client, () => debianVersion(debian), about)
  report.passes(
    'the whole story',
    async () => {
      const [interpreter, file] = program
      const args = [join(import.meta.dirname, file), at.cloud.credentials.endpoint, at.image]
      const env = { PYTHONDONTWRITEBYTECODE: '1' }
      const steps = (await at.ask(interpreter, args, env)) as readonly Outcome[]
      report.add(steps.map(([what, said]) => ({ what, said })))
      expect(steps.filter(([, said]) => said !== null)).toEqual([])
    },
    STORY_MS,
  )
  for (const [what = '', why = ''] of [...excluded, VOLUMES, SOLD]) report.excludes(what, why)
})
