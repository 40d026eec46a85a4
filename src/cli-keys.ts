/** `atoll keys`: lists, creates and changes access keys. */
import type { Command } from 'commander'
import type { KeyChangeReport, KeyReport } from './api/accounts/access-keys.ts'
import { orderAdmin, readAdmin } from './operator/admin-client.ts'

interface Output {
  readonly json?: boolean
}

interface CreateOutput extends Output {
  readonly account?: string
  readonly policy?: string
}

/** What the command needs of the program. */
interface Parts {
  readonly runtimeDir: () => string
  readonly print: (text: string) => void
  readonly columns: (
    head: readonly string[],
    rows: readonly (readonly (string | number | null)[])[],
  ) => string
}

const ORDERS = [
  ['disable', 'disable a key on all hosts, at once'],
  ['enable', 'enable a disabled key again'],
  ['rotate', 'create a new key for the same user and disable this one'],
  ['delete', 'delete a key'],
] as const

/** Adds the command and its parts. */
export function addKeys(program: Command, { runtimeDir, print, columns }: Parts): void {
  const keys = program.command('keys').description('list, create and change access keys of the API')
  const show = (output: Output, document: unknown, text: () => string) =>
    print(output.json === true ? JSON.stringify(document, null, 2) : text())
  keys
    .command('list')
    .description('list all keys, and when each was last used (to the hour)')
    .option('--account <account>', 'only those of this account, by its id')
    .option('--json', 'print JSON')
    .action(async (output: Output & { readonly account?: string }) => {
      const all = (await readAdmin(runtimeDir(), '/v1/keys')) as readonly KeyReport[]
      const found = all.filter(
        ({ account }) => output.account === undefined || account === output.account,
      )
      const head = ['ACCESS KEY', 'ACCOUNT', 'USER', 'RIGHTS', 'STATUS', 'CREATED', 'LAST USED']
      const rows = found.map((key) => [
        key.id,
        key.account,
        key.user,
        key.rights,
        key.status,
        key.createdAt,
        key.lastUsedAt,
      ])
      show(output, found, () => columns(head, rows))
    })
  const order = async (output: Output, path: string, done: string) => {
    const report = (await orderAdmin(runtimeDir(), path)) as KeyChangeReport
    show(output, report, () => orderText(report, done))
    if (output.json === true || report.warning === null) return
    process.stderr.write(`atoll: ${report.warning}\n`)
  }
  keys
    .command('create [user]')
    .description('create a key (default user: admin); its secret is shown once')
    .option('--account <account>', 'id or name of the account (default: the first one)')
    .option(
      '--policy <policy>',
      'admin, user, read-only or the name of a managed policy: the key has the rights of the policies of its user, which is made if there is none (default: all rights, or those of a user that was made before)',
    )
    .option('--json', 'print JSON')
    .action((user: string | undefined, output: CreateOutput) => {
      const query = new URLSearchParams()
      for (const name of ['account', 'policy'] as const)
        if (output[name] !== undefined) query.set(name, output[name])
      const path = `/v1/keys/create/${encodeURIComponent(user ?? 'admin')}`
      return order(output, query.size === 0 ? path : `${path}?${query}`, 'created')
    })
  for (const [name, description] of ORDERS)
    keys
      .command(`${name} <access-key>`)
      .description(description)
      .option('--json', 'print JSON')
      .action((id: string, output: Output) =>
        order(output, `/v1/keys/${encodeURIComponent(id)}/${name}`, `${name} done`),
      )
}

function orderText({ id, user, secret }: KeyChangeReport, done: string): string {
  if (secret === null) return `${id}: ${done}`
  return [
    `access key   ${id}`,
    `secret       ${secret}`,
    `user         ${user}`,
    'The secret is not shown again.',
  ].join('\n')
}
