/** `atoll explain`: whether a packet passes, and why; and `atoll trace`, which sends one. */
import type { Command } from 'commander'
import type { ExplainReport } from './api/explain.ts'
import { type Output, show } from './cli-output.ts'
import { addTrace } from './cli-trace.ts'
import { AtollError } from './model/errors.ts'
import { readAdmin } from './operator/admin-client.ts'

/** Adds both commands. Exit codes: 0 it passes, 1 it does not, 2 the question is invalid. */
export function addExplain(program: Command, runtimeDir: () => string): void {
  addTrace(program, runtimeDir)
  program
    .command('explain <from> <to> <what>')
    .description(
      'say whether a packet passes and which rule, route or setting decides: explain i-A i-B tcp/22. From and to: instance id, Name tag, address or outside. What: tcp/22, udp/53, icmp, icmp/8, any. Names: explain i-A dns NAME',
    )
    .option('--json', 'print the document as JSON')
    .action(async (from: string, to: string, what: string, output: Output) => {
      try {
        const asked = { from, to, what }
        const answer = (await readAdmin(runtimeDir(), '/v1/explain', asked)) as ExplainReport
        show(output, answer, render)
        if (!answer.passes) process.exitCode = 1
      } catch (error) {
        if (!(error instanceof AtollError && error.kind === 'refused')) throw error
        process.stderr.write(`atoll: ${error.message}\n`)
        process.exitCode = 2
      }
    })
}

function render({ text, steps, asOf }: ExplainReport): string {
  return [
    text,
    ...steps.map(
      (one) =>
        `  ${one.passes ? 'ok  ' : 'STOP'} ${one.step.padEnd('destination'.length)} ${one.text}`,
    ),
    ...(asOf === null ? [] : [`From the records of ${asOf}; newer ones are unavailable.`]),
  ].join('\n')
}
