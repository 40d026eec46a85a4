/**
 * Ansible's modules for EC2 as Debian packages them: a playbook that makes things and one that
 * removes them, each twice. Every task succeeds, and the second run changes nothing.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect } from 'vitest'
import { execute } from '../../tools/kit/cloud.ts'
import { type ClientCloud, openClientCloud } from '../kit/client-cloud.ts'
import { debianVersion, reportOf } from '../kit/compatibility.ts'

const PLAYBOOKS = join(import.meta.dirname, 'ansible')
const PLAYBOOK_MS = 900_000

const report = reportOf(
  'Ansible',
  () => debianVersion('ansible'),
  'Modules of amazon.aws (and community.aws) that describe what there should be: one playbook makes it, one removes it. Each runs twice, and the second time no task may change anything.',
)

/** What the callback `json` prints of a task on the one host. */
interface TaskResult {
  readonly task: { readonly name: string }
  readonly hosts: {
    readonly localhost: {
      readonly changed?: boolean
      readonly failed?: boolean
      readonly msg?: unknown
      readonly results?: readonly { readonly failed?: boolean; readonly msg?: unknown }[]
    }
  }
}

let at: ClientCloud
let publicKey: string
beforeAll(async () => {
  at = await openClientCloud('ansible')
  const file = join(at.cloud.dir, 'key')
  await execute('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file])
  publicKey = (await readFile(`${file}.pub`, 'utf8')).trim()
})
afterAll(() => at?.[Symbol.asyncDispose]())

async function play(book: string): Promise<readonly TaskResult[]> {
  const { stdout, stderr } = await at.run(
    'ansible-playbook',
    ['-i', 'localhost,', join(PLAYBOOKS, book)],
    {
      ANSIBLE_STDOUT_CALLBACK: 'json',
      ANSIBLE_LOCALHOST_WARNING: 'False',
      ANSIBLE_DEPRECATION_WARNINGS: 'False',
      ANSIBLE_PYTHON_INTERPRETER: '/usr/bin/python3',
      AWS_URL: at.env['ATOLL_ENDPOINT'],
      ATOLL_PUBLIC_KEY: publicKey,
    },
  )
  if (!stdout.includes('{')) throw new Error(`ansible-playbook said nothing: ${stderr}`)
  const { plays } = JSON.parse(stdout.slice(stdout.indexOf('{'))) as {
    plays: readonly { tasks: readonly TaskResult[] }[]
  }
  return plays.flatMap(({ tasks }) => tasks)
}

/** Why a task failed, or null. */
function failureOf({ hosts: { localhost } }: TaskResult): string | null {
  if (localhost.failed !== true) return null
  const failed = localhost.results?.find((one) => one.failed === true)
  return String(failed?.msg ?? localhost.msg ?? 'failed')
}

const changeOf = ({ hosts: { localhost } }: TaskResult) =>
  localhost.changed === true ? `changed again: ${JSON.stringify(localhost).slice(0, 500)}` : null

for (const book of ['make.yml', 'remove.yml'])
  report.passes(
    `${book} twice`,
    async () => {
      const first = await play(book)
      const again = await play(book)
      const rows = first.map((task, index) => {
        const second = again[index]
        const later = second === undefined ? 'not run again' : failureOf(second)
        return {
          what: `${book}: ${task.task.name}`,
          said: failureOf(task) ?? later ?? (second === undefined ? null : changeOf(second)),
        }
      })
      report.add(rows)
      expect(rows.filter(({ said }) => said !== null)).toEqual([])
    },
    2 * PLAYBOOK_MS,
  )

const VOLUMES = 'Atoll has no volumes of their own and no snapshots yet'
report.excludes('ec2_vol, ec2_snapshot', VOLUMES)
report.excludes(
  'ec2_vpc_nat_gateway',
  'the module always allocates an address for a public gateway; NAT gateways of Atoll have none (docs/vpcs.md)',
)
report.excludes('ec2_spot_instance, ec2_vpc_endpoint', 'Atoll has no spot market and no endpoints')
report.excludes(
  'modules of other services (RDS, Lambda, ELB, S3, Route 53, CloudFormation, …)',
  'Atoll answers EC2, STS and IAM',
)
