/**
 * Terraform's provider for AWS, where a machine has both (no Debian package has them), and what a
 * configuration in `test/clients` must go through.
 */
import { existsSync } from 'node:fs'
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import {
  DescribeAddressesCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  DescribeNetworkInterfacesCommand,
  DescribeVpcsCommand,
} from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { execute } from '../../tools/kit/cloud.ts'
import { type ClientCloud, openClientCloud } from './client-cloud.ts'
import { type ClientReport, reportOf } from './compatibility.ts'
import { importBlocks, type StateModule } from './terraform-import.ts'

const CONFIGURATIONS = resolve(import.meta.dirname, '../clients')
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

/** A directory with a configuration and its state. */
interface Workspace {
  readonly at: ClientCloud
  run(...args: readonly string[]): ReturnType<ClientCloud['run']>
  /** What a command says of each resource. */
  lines(...args: readonly string[]): Promise<readonly Line[]>
}

async function openWorkspace(at: ClientCloud, configuration: string): Promise<Workspace> {
  const home = join(at.cloud.dir, 'terraform')
  await mkdir(home)
  await cp(join(CONFIGURATIONS, configuration), home, { recursive: true })
  const key = join(at.cloud.dir, 'key')
  await execute('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key])
  const settings = join(at.cloud.dir, 'terraformrc')
  await writeFile(
    settings,
    `disable_checkpoint = true\nprovider_installation {\n  filesystem_mirror { path = "${MIRROR}" }\n}\n`,
  )
  const env = {
    ...{ TF_CLI_CONFIG_FILE: settings, TF_IN_AUTOMATION: '1', TF_DATA_DIR: join(home, 'data') },
    ...{ TF_VAR_endpoint: at.cloud.credentials.endpoint, TF_VAR_image: at.image },
    ...{ TF_VAR_region: at.cloud.credentials.region },
    TF_VAR_public_key: (await readFile(`${key}.pub`, 'utf8')).trim(),
  }
  const run: Workspace['run'] = (...args) =>
    at.run(TERRAFORM ?? '', [`-chdir=${home}`, ...args], env)
  return {
    ...{ at, run },
    async lines(...args) {
      const { stdout, stderr } = await run(...args, '-json', '-no-color', '-input=false')
      const found = stdout.split('\n').filter((line) => line.startsWith('{'))
      if (found.length === 0) throw new Error(`terraform said nothing: ${stderr}`)
      return found.map((line): Line => JSON.parse(line))
    },
  }
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

/**
 * Makes, plans, changes, imports and destroys what a directory of `test/clients` describes, with
 * the variable `changed` for the second apply. `more` may add to the report.
 */
export function describeTerraform(
  client: string,
  configuration: string,
  about: string,
  more: (report: ClientReport) => void = () => undefined,
): void {
  describe.skipIf(!isThere)(`${client} (skipped without terraform and hashicorp/aws)`, () => {
    const report = reportOf(client, providerVersion, about)
    let place: Workspace
    beforeAll(async () => {
      place = await openWorkspace(await openClientCloud(configuration), configuration)
    })
    afterAll(() => place?.at[Symbol.asyncDispose]())
    report.passes('init', async () => {
      const { exitCode, stdout, stderr } = await place.run('init', '-no-color')
      expect(exitCode, `${stdout}${stderr}`).toBe(0)
    })
    const applies = (what: string, verb: string, ...args: readonly string[]) =>
      report.passes(
        what,
        async () => {
          const outcomes = outcomesOf(await place.lines('apply', '-auto-approve', ...args), verb)
          report.add(outcomes)
          expect(outcomes.filter(({ said }) => said !== null)).toEqual([])
        },
        APPLY_MS,
      )
    const staysSo = (what: string, ...args: readonly string[]) =>
      report.passes(
        what,
        async () => {
          const said = await place.lines('plan', ...args)
          expect(outcomesOf(said, 'plans').filter((one) => one.said !== null)).toEqual([])
          expect(changesOf(said)).toEqual([])
        },
        APPLY_MS,
      )
    applies('everything is made', 'makes')
    staysSo('a second plan has no difference')
    applies('it is changed', 'changes', '-var=changed=true')
    staysSo('after that a plan has no difference', '-var=changed=true')
    applies('it is changed back', 'changes back')
    staysSo('after that a plan has no difference, either')
    report.passes(
      'each resource can be imported, and looks as it was made',
      async () => {
        const rows = await importAll(place)
        report.add(rows)
        expect(rows.filter(({ said }) => said !== null)).toEqual([])
      },
      APPLY_MS,
    )
    applies('it is destroyed', 'destroys', '-destroy')
    report.passes('nothing is left', () => expectNothing(place.at))
    more(report)
  })
}

/** Imports all into a state of its own, which is only planned. */
async function importAll({ at, run }: Workspace) {
  const shown = await run('show', '-json')
  const { values } = JSON.parse(shown.stdout) as { readonly values: { root_module: StateModule } }
  const home = join(at.cloud.dir, 'terraform')
  const { text, addresses } = importBlocks(values.root_module)
  const file = join(home, 'import.tf')
  await writeFile(file, text)
  const plan = ['-refresh=false', '-state=none.tfstate', '-out=imports', '-input=false']
  const planned = await run('plan', '-no-color', ...plan)
  await writeFile(file, '')
  if (planned.exitCode !== 0) throw new Error(`${planned.stdout}${planned.stderr}`.slice(-2000))
  const { stdout } = await run('show', '-json', 'imports')
  const { resource_changes: changes } = JSON.parse(stdout) as {
    readonly resource_changes: readonly ImportChange[]
  }
  return addresses.map((address) => ({
    what: `imports ${address}`,
    said: differenceOf(changes.find((one) => one.address === address)),
  }))
}

interface ImportChange {
  readonly address: string
  readonly change: {
    readonly actions: readonly string[]
    readonly before: Readonly<Record<string, unknown>> | null
    readonly after: Readonly<Record<string, unknown>> | null
  }
}

/** What only the configuration knows: the provider reads none of it from EC2. */
const OF_CONFIGURATION = new Set([
  ...['force_destroy', 'revoke_rules_on_delete', 'user_data_replace_on_change', 'timeouts'],
  ...['force_detach_policies', 'update_default_version', 'auto_accept', 'skip_destroy'],
  ...['name_prefix', 'key_name_prefix', 'get_password_data', 'existing_default_vpc'],
  ...['snapshot_without_reboot', 'private_ips_count', 'private_ip_list_enabled'],
  'associate_with_private_ip',
  // It follows from `update_default_version`, and so is not known before.
  'default_version',
  // It is asked of burstable types only, and none is.
  'credit_specification',
])

function differenceOf(found: ImportChange | undefined): string | null {
  if (found === undefined) return 'the plan does not have it'
  const { actions, before, after } = found.change
  if (actions.every((action) => action === 'no-op')) return null
  const changed = Object.keys({ ...before, ...after }).filter(
    (name) => JSON.stringify(before?.[name]) !== JSON.stringify(after?.[name]),
  )
  const own = changed.filter((name) => !OF_CONFIGURATION.has(name))
  if (actions.join() === 'update' && own.length === 0) return null
  return `${actions.join()}: ${own.map((name) => `${name} ${JSON.stringify(before?.[name])} -> ${JSON.stringify(after?.[name])}`).join(', ')}`
}

async function expectNothing({ cloud, image }: ClientCloud): Promise<void> {
  const { Reservations } = await cloud.ec2.send(new DescribeInstancesCommand())
  const states = Reservations?.flatMap(({ Instances = [] }) => Instances).map(
    ({ State }) => State?.Name,
  )
  expect(states?.filter((state) => state !== 'terminated')).toEqual([])
  const made = [{ Name: 'is-default', Values: ['false'] }]
  const { Vpcs } = await cloud.ec2.send(new DescribeVpcsCommand({ Filters: made }))
  const { Addresses } = await cloud.ec2.send(new DescribeAddressesCommand())
  const nics = await cloud.ec2.send(new DescribeNetworkInterfacesCommand())
  const { Images } = await cloud.ec2.send(new DescribeImagesCommand({ Owners: ['self'] }))
  expect([Vpcs, Addresses, nics.NetworkInterfaces]).toEqual([[], [], []])
  expect(Images?.map(({ ImageId }) => ImageId)).toEqual([image])
}
