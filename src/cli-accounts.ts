/** `atoll accounts`: lists, creates, limits and disables accounts. */
import type { Command } from 'commander'
import type { AccountChangeReport, AccountReport, QuotaReport } from './api/accounts/accounts.ts'
import { columns, type Output, show } from './cli-output.ts'
import { quotaWords } from './model/quotas.ts'
import { orderAdmin, readAdmin } from './operator/admin-client.ts'

/** Adds the command and its parts. */
export function addAccounts(program: Command, runtimeDir: () => string): void {
  const accounts = program
    .command('accounts')
    .description('list, create, limit and disable accounts, which do not see each other')
  const part = (form: string, description: string) =>
    accounts.command(form).description(description).option('--json', 'print JSON')
  part('list', 'list all accounts, and what each has').action(async (output: Output) => {
    const found = await readAdmin(runtimeDir(), '/v1/accounts')
    show(output, found as readonly AccountReport[], renderAccounts)
  })
  const order = async (output: Output, account: string, name: string) => {
    const path = `/v1/accounts/${encodeURIComponent(account)}/${name}`
    const report = (await orderAdmin(runtimeDir(), path)) as AccountChangeReport
    show(output, report, renderChange)
    if (output.json === true || report.warning === null) return
    process.stderr.write(`atoll: ${report.warning}\n`)
  }
  part('create <name>', 'create an account with a default VPC and a key of its user admin').action(
    (name: string, output: Output) => order(output, name, 'create'),
  )
  part(
    'disable <account>',
    'refuse all keys of an account, on all hosts, at once; its instances go on',
  ).action((account: string, output: Output) => order(output, account, 'disable'))
  part('enable <account>', 'accept the keys of a disabled account again').action(
    (account: string, output: Output) => order(output, account, 'enable'),
  )
  part(
    'quota <account> [limits...]',
    'show what an account may have, or set it, as in: instances=10 vcpus=unlimited addresses=default',
  ).action(async (account: string, limits: readonly string[], output: Output) => {
    const path = `/v1/accounts/${encodeURIComponent(account)}/quotas`
    const quotas =
      limits.length === 0
        ? await readAdmin(runtimeDir(), path)
        : await orderAdmin(runtimeDir(), `${path}?${queryOf(limits)}`)
    show(output, quotas as readonly QuotaReport[], renderQuotas)
  })
}

/** `['instances=10']` as a query string. Errors: what is no `name=value`, or named twice. */
function queryOf(limits: readonly string[]): string {
  const query = new URLSearchParams()
  for (const limit of limits) {
    const [name = '', value = '', more] = limit.split('=')
    if (name === '' || value === '' || more !== undefined)
      throw new Error(`"${limit}" is no limit: write name=value, as in instances=10`)
    if (query.has(name)) throw new Error(`${name} is given twice`)
    query.set(name, value)
  }
  return query.toString()
}

function renderAccounts(accounts: readonly AccountReport[]): string {
  return columns(
    [
      ...['ACCOUNT', 'NAME', 'STATUS', 'CREATED', 'INSTANCES', 'VCPUS', 'MEMORY MIB'],
      ...['DISK GIB', 'KEYS'],
    ],
    accounts.map((one) => [
      ...[one.id, one.name, one.status, one.createdAt, one.instances, one.vcpus],
      ...[one.memoryMiB, one.diskGiB, one.keys],
    ]),
  )
}

function renderQuotas(quotas: readonly QuotaReport[]): string {
  return columns(
    ['QUOTA', 'LIMIT', 'SET BY', 'WHAT'],
    quotas.map(({ name, source, ...quota }) => {
      const { limit, what } = quotaWords(quota.limit, quota.what)
      return [name, limit, source, what]
    }),
  )
}

function renderChange({ id, name, status, key }: AccountChangeReport): string {
  if (key === null) return `${id} (${name}): ${status}`
  return [
    `account      ${id}`,
    `name         ${name}`,
    `access key   ${key.id}`,
    `secret       ${key.secret}`,
    'The secret is not shown again.',
  ].join('\n')
}
