/**
 * Terraform's provider for AWS, where a machine has both (no Debian package has them): everything
 * of `terraform/main.tf` is made, planned without a difference, changed in place, and destroyed.
 */
import { existsSync } from 'node:fs'
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  DescribeAddressesCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  DescribeNetworkInterfacesCommand,
  DescribeVpcsCommand,
} from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { execute } from '../../tools/kit/cloud.ts'
import { type ClientCloud, openClientCloud } from '../kit/client-cloud.ts'
import { reportOf } from '../kit/compatibility.ts'

const APPLY_MS = 900_000
/** Where Terraform finds providers that it need not download, and another such place. */
const MIRRORS = [
  ...(process.env['ATOLL_TERRAFORM_PLUGINS'] ?? '').split(':').filter((path) => path !== ''),
  '/usr/local/share/terraform/plugins',
  '/usr/share/terraform/plugins',
  '/opt/tf-plugins',
]
const PROVIDER = 'registry.terraform.io/hashicorp/aws'
const TERRAFORM = ['/usr/local/bin/terraform', '/usr/bin/terraform'].find(existsSync)
const MIRROR = MIRRORS.find((path) => existsSync(join(path, PROVIDER)))
const isThere = TERRAFORM !== undefined && MIRROR !== undefined

/** A line of `terraform … -json`. */
interface Line {
  readonly type: string
  readonly '@message': string
  readonly hook?: { readonly resource?: { readonly addr?: string } }
  readonly change?: { readonly resource: { readonly addr: string }; readonly action: string }
  readonly diagnostic?: {
    readonly severity: string
    readonly summary: string
    readonly detail: string
    readonly address?: string
  }
}

let at: ClientCloud
let home: string
let env: NodeJS.ProcessEnv

async function openTerraform(): Promise<void> {
  at = await openClientCloud('terraform')
  home = join(at.cloud.dir, 'terraform')
  await mkdir(home)
  await copyFile(join(import.meta.dirname, 'terraform/main.tf'), join(home, 'main.tf'))
  const key = join(at.cloud.dir, 'key')
  await execute('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key])
  const settings = join(home, 'terraformrc')
  await writeFile(
    settings,
    `disable_checkpoint = true\nprovider_installation {\n  filesystem_mirror { path = "${MIRROR}" }\n}\n`,
  )
  env = {
    ...{ TF_CLI_CONFIG_FILE: settings, TF_IN_AUTOMATION: '1', TF_DATA_DIR: join(home, 'data') },
    ...{ TF_VAR_endpoint: at.cloud.credentials.endpoint, TF_VAR_image: at.image },
    ...{ TF_VAR_region: at.cloud.credentials.region },
    TF_VAR_public_key: (await readFile(`${key}.pub`, 'utf8')).trim(),
  }
}

const terraform = (...args: readonly string[]) =>
  at.run(TERRAFORM ?? '', [`-chdir=${home}`, ...args], env)

/** Runs a command, and what it says of each resource. */
async function lines(...args: readonly string[]): Promise<readonly Line[]> {
  const { stdout, stderr } = await terraform(...args, '-json', '-no-color', '-input=false')
  const found = stdout.split('\n').filter((line) => line.startsWith('{'))
  if (found.length === 0) throw new Error(`terraform said nothing: ${stderr}`)
  return found.map((line): Line => JSON.parse(line))
}

/** What was made or changed, and what went wrong with which. */
function outcomesOf(said: readonly Line[], verb: string) {
  const failed = said.flatMap(({ diagnostic }) =>
    diagnostic?.severity === 'error'
      ? [{ address: diagnostic.address ?? 'the configuration', ...diagnostic }]
      : [],
  )
  const done = said.flatMap(({ type, hook }) =>
    type === 'apply_complete' ? [hook?.resource?.addr ?? ''] : [],
  )
  return [
    ...done.map((address) => ({ what: `${verb} ${address}`, said: null })),
    ...failed.map(({ address, summary, detail }) => ({
      what: `${verb} ${address}`,
      said: `${summary}: ${detail}`,
    })),
  ]
}

const changesOf = (said: readonly Line[]) =>
  said.flatMap(({ type, change }) =>
    type === 'planned_change' ? [`${change?.action} ${change?.resource.addr}`] : [],
  )

/** The version of the provider in the mirror. */
async function providerVersion(): Promise<string> {
  const versions = await readdir(join(MIRROR ?? '', PROVIDER))
  return `${versions.toSorted().at(-1)} of hashicorp/aws (no Debian package)`
}

describe.skipIf(!isThere)('Terraform (skipped without terraform and hashicorp/aws)', () => {
  const report = reportOf(
    'Terraform',
    providerVersion,
    'All resources of `test/clients/terraform/main.tf` are made, planned again without a difference, changed in place, and destroyed. Where neither program is there, contract tests replay its calls.',
  )
  beforeAll(openTerraform)
  afterAll(() => at?.[Symbol.asyncDispose]())

  report.passes('init', async () => {
    const { exitCode, stdout, stderr } = await terraform('init', '-no-color')
    expect(exitCode, `${stdout}${stderr}`).toBe(0)
  })

  const applies = (what: string, verb: string, ...args: readonly string[]) =>
    report.passes(
      what,
      async () => {
        const outcomes = outcomesOf(await lines('apply', '-auto-approve', ...args), verb)
        report.add(outcomes)
        expect(outcomes.filter(({ said }) => said !== null)).toEqual([])
      },
      APPLY_MS,
    )
  const staysSo = (what: string, ...args: readonly string[]) =>
    report.passes(
      what,
      async () => {
        const said = await lines('plan', ...args)
        expect(outcomesOf(said, 'plans').filter((one) => one.said !== null)).toEqual([])
        expect(changesOf(said)).toEqual([])
      },
      APPLY_MS,
    )

  applies('everything is made', 'makes')
  staysSo('a second plan has no difference')
  applies('it is changed in place', 'changes', '-var=changed=true')
  staysSo('after that a plan has no difference', '-var=changed=true')
  applies('it is changed back', 'changes back')
  applies('it is destroyed', 'destroys', '-destroy')

  report.passes('nothing is left', async () => {
    const { Reservations } = await at.cloud.ec2.send(new DescribeInstancesCommand())
    const states = Reservations?.flatMap(({ Instances = [] }) => Instances).map(
      ({ State }) => State?.Name,
    )
    expect(states?.filter((state) => state !== 'terminated')).toEqual([])
    const made = [{ Name: 'is-default', Values: ['false'] }]
    const { Vpcs } = await at.cloud.ec2.send(new DescribeVpcsCommand({ Filters: made }))
    const { Addresses } = await at.cloud.ec2.send(new DescribeAddressesCommand())
    const nics = await at.cloud.ec2.send(new DescribeNetworkInterfacesCommand())
    const { Images } = await at.cloud.ec2.send(new DescribeImagesCommand({ Owners: ['self'] }))
    expect([Vpcs, Addresses, nics.NetworkInterfaces]).toEqual([[], [], []])
    expect(Images?.map(({ ImageId }) => ImageId)).toEqual([at.image])
  })

  const VOLUMES = 'Atoll has no volumes of their own and no snapshots yet'
  report.excludes(
    'aws_ebs_volume, aws_volume_attachment, aws_ebs_snapshot, aws_ami with snapshots',
    VOLUMES,
  )
  report.excludes('aws_spot_instance_request, aws_ec2_fleet, reservations', 'Atoll sells nothing')
  report.excludes(
    'aws_vpc_endpoint, aws_egress_only_internet_gateway, aws_vpn_*, aws_ec2_transit_*',
    'Atoll has no endpoints, IPv6 or VPNs',
  )
  report.excludes('volume_tags of containers', 'they have no volumes')
  report.excludes('data.aws_region', 'the provider looks the name up in its own list of regions')
  report.excludes('aws_iam_group and what belongs to it', 'Atoll has no groups of users')
})
