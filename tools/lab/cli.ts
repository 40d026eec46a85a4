/**
 * The lab's command line. Exit codes: 0; 1 for a failure; 2 for invalid usage. `exec` returns the
 * program's own.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import Table from 'cli-table3'
import { Command, InvalidArgumentError } from 'commander'
import { parse } from 'yaml'
import { takeProcessLock } from '../../src/lib/process-lock.ts'
import { messageOf } from '../../src/model/errors.ts'
import { AUTHORITY_FILE } from './host.ts'
import { createLab, DEFAULT_LAB, destroyLab, type Lab, openLab } from './lab.ts'
import { untilReady } from './ready.ts'
import { labStatus, STATUS_HEAD, statusRow } from './status.ts'

const began = performance.now()
function progress(line: string): void {
  const seconds = ((performance.now() - began) / 1000).toFixed(1).padStart(5)
  process.stdout.write(`${seconds} s  ${line}\n`)
}

function count(text: string): number {
  const number = Number(text)
  if (!Number.isInteger(number) || number < 1) throw new InvalidArgumentError('a number from 1')
  return number
}

const program = new Command('scripts/lab')
  .description('A cluster of whole hosts on this machine, to try and to break.')
  .option('--name <lab>', 'which lab, when there are several', DEFAULT_LAB)
  .exitOverride((end) => process.exit(end.exitCode === 0 ? 0 : 2))

const labName = () => program.opts<{ name: string }>().name

/** Commands that switch something run one after the other. */
async function alone(work: () => Promise<void>): Promise<void> {
  const unlock = await takeProcessLock(`atoll-lab:${labName()}`)
  if (unlock === null) throw new Error(`another command is at work on the lab "${labName()}"`)
  try {
    await work()
  } finally {
    await unlock()
  }
}

interface UpOptions {
  readonly hosts?: number
  readonly config?: string
  readonly disk?: number
}

program
  .command('up')
  .description('make the lab and wait until it works; going on with one that is there')
  .option('--hosts <n>', 'number of hosts (3); the first three carry the engines', count)
  .option('--config <file>', 'settings (YAML) that every host gets besides its own')
  .option('--disk <mib>', 'size of each /var/lib, so that it can be full', count)
  .action(({ hosts, config, disk }: UpOptions) =>
    alone(async () => {
      const lab = await createLab({
        name: labName(),
        progress,
        config: config === undefined ? {} : parse(readFileSync(config, 'utf8')),
        ...(hosts && { hosts }),
        ...(disk && { diskMiB: disk }),
      })
      await untilReady(lab, { progress })
      progress('the lab is ready: scripts/lab status; scripts/lab exec h1 -- atoll hosts')
    }),
  )

program
  .command('down')
  .description('end everything in the lab and remove all of it')
  .action(() =>
    alone(async () => {
      await destroyLab(labName())
      progress('the lab is gone')
    }),
  )

program
  .command('status')
  .description('each host: power, engines, daemon, instances')
  .option('--json', 'print the document as JSON')
  .action(async ({ json }: { readonly json?: true }) => {
    const rows = await labStatus(await openLab(labName()))
    if (json) process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`)
    else {
      const table = new Table({ head: STATUS_HEAD, style: { head: [], border: [] } })
      table.push(...rows.map((row) => [...statusRow(row)]))
      process.stdout.write(`${table.toString()}\n`)
    }
  })

program
  .command('exec')
  .description('run a command on a host, or on the machine "outside"')
  .argument('<host>')
  .argument('<cmd...>', 'after --')
  .action(async (host: string, argv: readonly string[]) => {
    const [file = '', ...args] = await (await openLab(labName())).machine(host).command(argv)
    const child = spawn(file, args, { stdio: 'inherit' })
    const [exitCode] = await once(child, 'exit')
    process.exitCode = typeof exitCode === 'number' ? exitCode : 1
  })

const verbs: Readonly<
  Record<string, readonly [string, (lab: Lab, host: string) => Promise<void>]>
> = {
  kill: ["cut a host's power", (lab, host) => lab.host(host).kill()],
  start: ['switch a host on again', (lab, host) => lab.host(host).start()],
  cut: ['part a host from the fabric', (lab, host) => lab.host(host).cut()],
  heal: ['join it to the fabric again', (lab, host) => lab.host(host).heal()],
}
for (const [name, [description, work]] of Object.entries(verbs)) {
  program
    .command(name)
    .description(description)
    .argument('<host>')
    .action((host: string) => alone(async () => work(await openLab(labName()), host)))
}

program
  .command('logs')
  .description('what a service of a host has said; without a service, the names of them')
  .argument('<host>')
  .argument('[service]')
  .action(async (host: string, service: string | undefined) => {
    const machine = (await openLab(labName())).machine(host)
    process.stdout.write(
      service === undefined
        ? `${(await machine.serviceNames()).join('\n')}\n`
        : await machine.service(service).log(),
    )
  })

program
  .command('env')
  .description('AWS_* exports for a client outside: scripts/lab exec outside -- aws …')
  .argument('[host]', 'whose API to call', 'h1')
  .action(async (name: string) => {
    const lab = await openLab(labName())
    const host = lab.host(name)
    const exports = await host.must(['atoll', 'env'], { timeoutMs: 60_000 })
    // Outside clients find it where the exports say, like clients on the host.
    const put = 'mkdir -p /etc/atoll/tls && printf "%s" "$0" >"$1"'
    const file = ['sh', '-c', put, await host.authority(), AUTHORITY_FILE]
    await lab.machine('outside').must(file)
    process.stdout.write(exports.replaceAll(/https:\/\/127\.0\.0\.1:\d+/g, host.endpoint))
  })

try {
  await program.parseAsync()
} catch (error) {
  process.stderr.write(`scripts/lab: ${messageOf(error)}\n`)
  // Anything else that was waited for at the same time does not matter.
  process.exit(1)
}
