/**
 * aws-nuke as Debian packages it, with which people empty the accounts of their tests: it lists an
 * account's resources of each type, and removes all until none is left, in no certain order.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  DescribeAddressesCommand,
  DescribeInstancesCommand,
  DescribeVpcsCommand,
} from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, expect } from 'vitest'
import { type ClientCloud, openClientCloud } from '../kit/client-cloud.ts'
import { debianVersion, reportOf } from '../kit/compatibility.ts'

const REMOVAL_MS = 600_000
/** What `python/whole_account.py` makes, by the program's own names. */
const MADE = [
  ...['EC2Address', 'EC2DHCPOption', 'EC2Image', 'EC2Instance', 'EC2InternetGateway'],
  ...['EC2InternetGatewayAttachment', 'EC2KeyPair', 'EC2LaunchTemplate', 'EC2NATGateway'],
  ...['EC2NetworkACL', 'EC2NetworkInterface', 'EC2PlacementGroup', 'EC2RouteTable'],
  ...['EC2SecurityGroup', 'EC2Subnet', 'EC2VPC', 'EC2VPCPeeringConnection'],
  ...['IAMInstanceProfile', 'IAMInstanceProfileRole', 'IAMPolicy', 'IAMRole', 'IAMRolePolicy'],
  ...['IAMRolePolicyAttachment', 'IAMUser', 'IAMUserAccessKey', 'IAMUserPolicy'],
  'IAMUserPolicyAttachment',
]

const report = reportOf(
  'aws-nuke',
  () => debianVersion('aws-nuke'),
  'Empties an account that has one of each resource, except for the user whose key it has.',
)

let at: ClientCloud
let types: readonly string[]
beforeAll(async () => {
  at = await openClientCloud('nuke')
  const { credentials } = at.cloud
  const services = ['ec2', 'iam', 'sts', ''].map((service) => ({
    ...{ service, url: credentials.endpoint },
  }))
  const config = {
    regions: [credentials.region],
    'account-blocklist': ['999999999999'],
    accounts: {
      '000000000001': {
        filters: {
          IAMUser: ['admin'],
          IAMUserAccessKey: [{ type: 'glob', value: 'admin -> *' }],
        },
      },
    },
    endpoints: [{ region: credentials.region, services }],
    'feature-flags': { 'disable-deletion-protection': { EC2Instance: true } },
  }
  // JSON is YAML.
  await writeFile(join(at.cloud.dir, 'nuke.yml'), JSON.stringify(config))
  const { stdout } = await at.run('aws-nuke', ['resource-types'])
  types = stdout.split('\n').filter((type) => /^(EC2|IAM)/.test(type))
})
afterAll(() => at?.[Symbol.asyncDispose]())

/** Runs it. Of each line on a resource, its type and what became of it. */
async function nuke(...more: readonly string[]) {
  const { accessKeyId, secretAccessKey, region } = at.cloud.credentials
  const { exitCode, stdout, stderr } = await at.run('aws-nuke', [
    ...['--config', join(at.cloud.dir, 'nuke.yml'), '--default-region', region],
    ...['--access-key-id', accessKeyId, '--secret-access-key', secretAccessKey],
    ...['--force', '--force-sleep', '3', '--max-wait-retries', '60'],
    ...[...types.flatMap((type) => ['--target', type]), ...more],
  ])
  const said = `${stdout}${stderr}`
  const prefix = `${region} - `
  const lines = said.split('\n').flatMap((line) => {
    if (!line.startsWith(prefix)) return []
    const parts = line.slice(prefix.length).split(' - ')
    return [{ type: parts[0] ?? '', end: parts.at(-1) ?? '' }]
  })
  return { exitCode, said, lines }
}

const typesOf = (lines: readonly { readonly type: string }[]) =>
  [...new Set(lines.map(({ type }) => type))].toSorted()

report.passes('lists everything, each type without an error, and removes nothing', async () => {
  const args = [join(import.meta.dirname, 'python/whole_account.py')]
  const made = await at.run('/usr/bin/python3', [...args, at.cloud.credentials.endpoint, at.image])
  expect(made.exitCode, made.stderr).toBe(0)
  const { exitCode, said, lines } = await nuke()
  expect(exitCode, said).toBe(0)
  expect(said).not.toContain('failed')
  const found = lines.filter(({ end }) => end === 'would remove')
  expect(typesOf(found)).toEqual(MADE)
  const { Vpcs } = await at.cloud.ec2.send(new DescribeVpcsCommand())
  expect(Vpcs).toHaveLength(3)
})

report.passes(
  'removes everything',
  async () => {
    const { exitCode, said, lines } = await nuke('--no-dry-run')
    const removed = new Set(typesOf(lines.filter(({ end }) => end === 'removed')))
    report.add(
      MADE.map((type) => ({
        what: `removes ${type}`,
        said: removed.has(type) ? null : 'it was not removed',
      })),
    )
    expect(exitCode, said.slice(-3000)).toBe(0)
    expect(said).toContain('Nuke complete: 0 failed')
  },
  REMOVAL_MS,
)

report.passes('leaves nothing but terminated instances', async () => {
  const { exitCode, said } = await nuke('--no-dry-run')
  expect(exitCode, said).toBe(0)
  expect(said).toContain('No resource to delete.')
  const { Vpcs } = await at.cloud.ec2.send(new DescribeVpcsCommand())
  const { Addresses } = await at.cloud.ec2.send(new DescribeAddressesCommand())
  const { Reservations } = await at.cloud.ec2.send(new DescribeInstancesCommand())
  const states = Reservations?.flatMap(({ Instances = [] }) => Instances).map(
    ({ State }) => State?.Name,
  )
  expect([Vpcs, Addresses, new Set(states)]).toEqual([[], [], new Set(['terminated'])])
})

report.excludes('types of other services', 'Atoll answers EC2, STS and IAM')
