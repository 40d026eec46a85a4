/**
 * The `atoll` command, with which an operator asks the daemon on this host. Every listing has
 * `--json`.
 *
 * Exit codes: 0 success, 1 unhealthy or failed, 2 bad usage or configuration.
 */
import { constants } from 'node:os'
import { Command } from 'commander'
import packageJson from '../package.json' with { type: 'json' }
import type { HostChangeReport, InstanceReport, StatusReport } from './api/admin.ts'
import type { HostReport } from './api/host-reports.ts'
import { addAccounts } from './cli-accounts.ts'
import { addAudit } from './cli-audit.ts'
import { addExplain } from './cli-explain.ts'
import { addImages } from './cli-images.ts'
import { addKeys } from './cli-keys.ts'
import { addMoves } from './cli-moves.ts'
import { columns, type Output, print, show } from './cli-output.ts'
import { addStorage, storageLines } from './cli-storage.ts'
import { addUsage } from './cli-usage.ts'
import { type Config, DEFAULT_CONFIG_FILE, readEnvironment } from './config.ts'
import { ConfigError, loadConfig } from './config-file.ts'
import { certificateFiles } from './lib/certificates.ts'
import { startingClock } from './lib/clock.ts'
import { systemRandomBytes } from './lib/random.ts'
import { messageOf } from './model/errors.ts'
import { orderAdmin, readAdmin } from './operator/admin-client.ts'
import { attachConsole, consoleTicket } from './operator/console.ts'
import { environmentText, readCredentials } from './operator/credentials.ts'
import { runChecks } from './operator/doctor.ts'
import type { DoctorCheck } from './operator/doctor-check.ts'
import { membersAdvice } from './operator/doctor-fence.ts'
import { teardown } from './operator/teardown.ts'
import { outlookLines } from './plan/failover/spare.ts'

/** Takes back what routers were told of floating IPs. Returns a line for each. */
async function withdrawn(config: Config): Promise<readonly string[]> {
  const { nextHopHook } = await import('./host-services.ts')
  const { withdrawNextHops } = await import('./services/next-hops.ts')
  const { openOwnAddress } = await import('./host/network/floating-ips.ts')
  const hook = nextHopHook(config, { ownAddress: openOwnAddress })
  return hook === null ? [] : await withdrawNextHops(hook)
}

function renderStatus(status: StatusReport): string {
  const counts = Object.entries(status.instances).map(([state, count]) => `${count} ${state}`)
  return [
    `host       ${status.host}`,
    `version    ${status.version} (pid ${status.pid}, since ${status.startedAt})`,
    `health     ${status.healthy ? 'healthy' : 'UNHEALTHY'}`,
    ...status.conditions.map(
      ({ name, ok, value }) => `  ${ok ? 'ok  ' : 'FAIL'} ${name}: ${value}`,
    ),
    `instances  ${counts.length === 0 ? 'none' : counts.join(', ')}`,
  ].join('\n')
}

function renderHosts(hosts: readonly HostReport[]): string {
  const table = columns(
    [
      'HOST',
      'ZONE',
      'STATUS',
      'VERSION',
      'INSTANCES',
      'VCPUS',
      'MEMORY MIB',
      'DISK GIB',
      'LAST SEEN',
    ],
    hosts.map((host) => [
      host.name,
      host.zone,
      host.status,
      host.version,
      host.instances,
      `${host.usedVcpus}/${host.vcpus}`,
      `${host.usedMemoryMiB}/${host.memoryMiB}`,
      `${host.usedDiskGiB}/${host.diskGiB ?? '?'}`,
      host.lastSeenAt,
    ]),
  )
  const short = hosts.flatMap(({ name, shortOf }) =>
    shortOf === null ? [] : [`${name}: ${shortOf}`],
  )
  const advice = membersAdvice(hosts.filter(({ failoverMember }) => failoverMember))
  const outlooks = hosts.flatMap(({ name, loss = null }) =>
    loss === null ? [] : [{ ...loss, host: name }],
  )
  return [
    ...[table, ...short, ...hosts.flatMap(storageLines)],
    ...(advice === null ? [] : [advice]),
    ...outlookLines(outlooks),
  ].join('\n')
}

function renderInstances(instances: readonly InstanceReport[]): string {
  return columns(
    ['INSTANCE', 'NAME', 'STATE', 'TYPE', 'ADDRESS', 'HOST', 'LAUNCHED', 'REASON'],
    instances.map((one) => [
      one.id,
      one.name,
      one.status === 'ok' ? one.state : `${one.state} (lost host)`,
      one.type,
      one.ip,
      one.host,
      one.launchedAt,
      one.reason,
    ]),
  )
}

function renderDoctor(checks: readonly DoctorCheck[]): string {
  const mark = { ok: 'ok  ', warn: 'warn', fail: 'FAIL' }
  return checks
    .map(({ name, result, found, fix }) =>
      [`${mark[result]} ${name}: ${found}`, ...(fix === null ? [] : [`     fix: ${fix}`])].join(
        '\n',
      ),
    )
    .join('\n')
}

/** Version 0.2 called `fix` by the name `mend`; scripts may read it. */
function withOldNames(checks: readonly DoctorCheck[]) {
  return checks.map((check) => ({ ...check, mend: check.fix }))
}

/** Reads the configuration that the daemon on this host uses. */
function configuration(program: Command): Config {
  const named = namedFile(program)
  return loadConfig(named ?? DEFAULT_CONFIG_FILE, { required: named !== undefined })
}

function namedFile(program: Command): string | undefined {
  return program.opts()['config'] ?? readEnvironment().configFile
}

const ENDING_SIGNALS = ['SIGTERM', 'SIGHUP', 'SIGINT'] as const

/** Attaches a console to the terminal, or the pipe, that this command was started with. */
async function attachHere({ runtimeDir, tls }: Config, instance: string): Promise<number> {
  const ending = new AbortController()
  for (const name of ENDING_SIGNALS) process.once(name, () => ending.abort(constants.signals[name]))
  const authorityFile = certificateFiles(tls.directory).ca
  return attachConsole({ runtimeDir, authorityFile }, instance, {
    input: process.stdin,
    output: process.stdout,
    notes: process.stderr,
    term: readEnvironment().term,
    ending: ending.signal,
  })
}

function addConsole(program: Command): void {
  program
    .command('console <instance>')
    .description(
      'attach to the serial line of a virtual machine, or to a shell in a container, on any host. Ctrl-] detaches. In a pipe: type the input, then detach',
    )
    .option(
      '--ticket',
      'do not attach; print as JSON the URL and the ticket with which a browser or another WebSocket client attaches',
    )
    .action(async (instance: string, { ticket }: { readonly ticket?: true }) => {
      const config = configuration(program)
      if (ticket) print(JSON.stringify(await consoleTicket(config.runtimeDir, instance), null, 2))
      else process.exitCode = await attachHere(config, instance)
    })
}

function addTeardown(program: Command): void {
  program
    .command('teardown')
    .description(
      'remove everything of Atoll that runs on this machine: instances, links, routes, rules. Stop atolld first',
    )
    .requiredOption('--yes', 'confirm that instances and their disks are deleted')
    .action(async () => {
      const { DRIVER_TEARDOWNS } = await import('./drivers.ts')
      const { namespaceDirectory } = await import('./host/network/vpc-namespaces.ts')
      const config = configuration(program)
      const names = namespaceDirectory(config.runtimeDir)
      const { done, problems } = await teardown(config, DRIVER_TEARDOWNS, names, startingClock)
      for (const line of [...done, ...(await withdrawn(config)), ...problems]) print(line)
      if (problems.length > 0) process.exitCode = 1
    })
}

/** `bin/atoll` runs scripts/check-api for this one, without Node; here it is for the help. */
function addCheck(program: Command): void {
  program
    .command('check')
    .description('whether this host can serve clients of the API: atoll check --api')
    .allowUnknownOption()
    .allowExcessArguments()
    .action(() => {
      process.stderr.write('atoll: check must be the first word: atoll check --api\n')
      process.exitCode = 2
    })
}

function buildProgram(): Command {
  const program = new Command('atoll')
    .description('Operates the Atoll daemon on this host.')
    .version(packageJson.version)
    .option('--config <file>', `configuration file of the daemon (default ${DEFAULT_CONFIG_FILE})`)
    .showHelpAfterError()
    .exitOverride()
  const listing = (name: string, description: string) =>
    program.command(name).description(description).option('--json', 'print JSON')

  listing('status', 'show the health of this host, and what is wrong').action(
    async (output: Output) => {
      const status = (await readAdmin(
        configuration(program).runtimeDir,
        '/v1/status',
      )) as StatusReport
      show(output, status, renderStatus)
      if (!status.healthy) process.exitCode = 1
    },
  )
  listing('hosts', 'list hosts, their capacity and when they were last seen').action(
    async (output: Output) => {
      const hosts = await readAdmin(configuration(program).runtimeDir, '/v1/hosts')
      show(output, hosts as readonly HostReport[], renderHosts)
    },
  )
  listing('instances', 'list instances on all hosts').action(async (output: Output) => {
    const instances = await readAdmin(configuration(program).runtimeDir, '/v1/instances')
    show(output, instances as readonly InstanceReport[], renderInstances)
  })
  listing('env', 'print the address and credentials for AWS tools: eval "$(atoll env)"').action(
    async (output: Output) => {
      const credentials = await readCredentials(configuration(program).stateDir)
      show(output, credentials, environmentText)
    },
  )
  listing(
    'doctor',
    'check what Atoll needs on this machine, and say how to fix what is wrong',
  ).action(async (output: Output) => {
    const file = namedFile(program) ?? DEFAULT_CONFIG_FILE
    const checks = await runChecks(configuration(program), readEnvironment(), file)
    show(output, withOldNames(checks), renderDoctor)
    if (checks.some((check) => check.result === 'fail')) process.exitCode = 1
  })
  const order = (name: string, description: string) =>
    program
      .command(`${name} <host>`)
      .description(description)
      .action(async (host: string) => {
        const path = `/v1/hosts/${encodeURIComponent(host)}/${name}`
        const done = (await orderAdmin(configuration(program).runtimeDir, path)) as HostChangeReport
        const also = done.terminated === 0 ? '' : `; terminated instances: ${done.terminated}`
        print(`${done.host}: ${name} done${also}`)
      })
  addCheck(program)
  addConsole(program)
  const runtimeDir = () => configuration(program).runtimeDir
  addKeys(program, { runtimeDir, print, columns })
  addAccounts(program, runtimeDir)
  addAudit(program, runtimeDir)
  addUsage(program, runtimeDir)
  addExplain(program, runtimeDir)
  addMoves(program, runtimeDir, startingClock)
  order('drain', 'place no new instances on a host; its instances keep running')
  order('undrain', 'place new instances on a drained host again')
  order('forget', 'remove a host that is gone for good; its instances are terminated')
  addImages(program, () => configuration(program).images)
  addStorage(program, () => configuration(program), systemRandomBytes)
  addTeardown(program)
  return program
}

/** Runs what the command line asks for, and sets the exit code. */
async function run(): Promise<void> {
  try {
    await buildProgram().parseAsync()
  } catch (error) {
    const usage =
      error instanceof Error && 'exitCode' in error && typeof error.exitCode === 'number'
    if (usage) {
      process.exitCode = error.exitCode === 0 ? 0 : 2
    } else {
      process.stderr.write(`atoll: ${messageOf(error)}\n`)
      process.exitCode = error instanceof ConfigError ? 2 : 1
    }
  }
}

void run()
