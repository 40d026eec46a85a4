/** `atoll trace`: sends a packet and shows where it went. */
import type { Command } from 'commander'
import { type Output, show } from './cli-output.ts'
import { AtollError } from './model/errors.ts'
import { orderAdmin } from './operator/admin-client.ts'
import type { TraceReport } from './plan/trace-report.ts'

/** Longer than all hosts together may take. */
const TIMEOUT_MS = 20_000

/** Adds the command. Exit codes: 0 it arrived, 1 it did not, 2 the question is invalid. */
export function addTrace(program: Command, runtimeDir: () => string): void {
  program
    .command('trace <from> <to> <what>')
    .description(
      'send one packet and show where it went, on every host: trace i-A i-B tcp/22. From and to as in explain. What: tcp/22, udp/53, icmp, icmp/8',
    )
    .option('--json', 'print the document as JSON, with every rule that the packet met')
    .action(async (from: string, to: string, what: string, output: Output) => {
      const query = new URLSearchParams({ from, to, what })
      try {
        const path = `/v1/trace?${query}`
        const report = (await orderAdmin(runtimeDir(), path, TIMEOUT_MS)) as TraceReport
        show(output, report, render)
        if (!report.passes) process.exitCode = 1
      } catch (error) {
        if (!(error instanceof AtollError && error.kind === 'refused')) throw error
        process.stderr.write(`atoll: ${error.message}\n`)
        process.exitCode = 2
      }
    })
}

function render({ text, lines }: TraceReport): string {
  let place = ''
  const shown = lines.flatMap(({ host, vpc, text, stops }) => {
    const now = vpc === null ? `host ${host}` : `host ${host}, ${vpc}`
    const head = now === place ? [] : [`  ${now}`]
    place = now
    return [...head, `    ${stops ? 'STOP' : 'ok  '} ${text}`]
  })
  return [text, ...shown].join('\n')
}
