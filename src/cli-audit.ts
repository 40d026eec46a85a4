/** `atoll audit`: who called what, in all accounts. */
import type { Command } from 'commander'
import type { AuditReport } from './api/audit/operator.ts'
import { columns, type Output, print, show } from './cli-output.ts'
import { readAdmin } from './operator/admin-client.ts'

interface AuditOutput extends Output {
  readonly account?: string
  readonly since?: string
  readonly limit?: string
  readonly lines?: boolean
}

/** Adds the command. */
export function addAudit(program: Command, runtimeDir: () => string): void {
  program
    .command('audit')
    .description('list calls that changed something, failed or handed out a secret, newest first')
    .option(
      '--account <account>',
      'only those of this account; or operator: orders of this command, strangers: unknown keys',
    )
    .option('--since <time>', 'only those from this time, as in 2026-11-22T08:33:27Z')
    .option('--limit <count>', 'at most so many; 1000 without it')
    .option('--lines', 'print the whole records, one JSON document a line')
    .option('--json', 'print JSON')
    .action(async ({ account, since, limit, lines, json }: AuditOutput) => {
      const asked = { account, since, limit }
      const found = (await readAdmin(runtimeDir(), '/v1/audit', asked)) as readonly AuditReport[]
      if (lines === true) for (const { event } of found) print(JSON.stringify(event))
      else show(json === true ? { json } : {}, found, renderAudit)
    })
}

function renderAudit(reports: readonly AuditReport[]): string {
  return columns(
    ['TIME', 'ACCOUNT', 'USER', 'ACTION', 'FROM', 'RESULT'],
    reports.map(({ time, owner, user, action, event }) => {
      const { sourceIPAddress = '', errorCode = 'OK' } = fieldsOf(event)
      return [time, owner, user, action, sourceIPAddress, errorCode]
    }),
  )
}

function fieldsOf(event: unknown): {
  readonly sourceIPAddress?: string
  readonly errorCode?: string
} {
  return typeof event === 'object' && event !== null ? event : {}
}
