/**
 * A third driver, for tests: an instance is a plain program with a network namespace of its own,
 * and its disk is a directory.
 *
 * It shows what a driver needs: this file, and one line where drivers are listed. It isolates
 * nothing else, so it is for tests only. Its images are `process:///path/program`.
 */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFile, mkdir, open, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import type { Host } from '../../src/host/host.ts'
import { nicSpec } from '../../src/host/network/nic.ts'
import { createLookups } from '../../src/images/lookups.ts'
import type { Clock } from '../../src/lib/clock.ts'
import { exists, readRecord, writeRecord } from '../../src/lib/files.ts'
import type { Log } from '../../src/lib/log.ts'
import type { Screen, Terminal } from '../../src/lib/terminal.ts'
import { ec2Architecture } from '../../src/model/architecture.ts'
import { type DriverDeclaration, type DriverName, parseDriverName } from '../../src/model/driver.ts'
import { refused, unavailable } from '../../src/model/errors.ts'
import type { InstanceId } from '../../src/model/ids.ts'
import { instanceFromMark } from '../../src/model/names.ts'
import type { InstanceWant, NicWant } from '../../src/model/want.ts'
import type { WorkloadHave, WorkloadState } from '../../src/plan/workloads.ts'
import {
  type DriverTeardown,
  type Images,
  notRunning,
  type OpenDriver,
  type Permit,
} from '../../src/workloads/driver.ts'

const SCHEME = 'process://'
const POLL_MS = 20
const STOP_MS = 1_000

/** What it declares. */
export const PROCESS: DriverDeclaration = {
  name: nameOf('process'),
  service: 'processes',
  linkType: 'veth',
  rootVolume: false,
  changesType: true,
  takes: (location) => location.startsWith(`${SCHEME}/`),
}

const INSTANCES_DIRECTORY = 'processes'
const IMAGES_DIRECTORY = 'process-images'

/** How it is taken off a machine. */
export const PROCESS_TEARDOWN: DriverTeardown<ProcessContext['config']> = {
  directories: [INSTANCES_DIRECTORY, IMAGES_DIRECTORY],
  runtimeDirectories: [],
  async removeInstances({ stateDir }) {
    const lines: string[] = []
    for (const name of await readdir(join(stateDir, INSTANCES_DIRECTORY)).catch(() => [])) {
      const pid = await pidIn(join(stateDir, INSTANCES_DIRECTORY, name))
      if (pid !== null) process.kill(-pid, 'SIGKILL')
      lines.push(`removed program ${name}`)
    }
    return lines
  },
}

interface ProcessContext {
  readonly config: { readonly stateDir: string }
  readonly mtuBytes: number
  readonly host: Pick<Host, 'plugNic' | 'replugNic' | 'isPlugged'>
  readonly clock: Clock
  readonly log: Log
}

/** Programs below `<stateDir>/processes`. */
export function openProcesses(context: ProcessContext): OpenDriver {
  const { stateDir } = context.config
  const images = createImages(stateDir, context)
  const processes = createProcesses(stateDir, context)
  return {
    declaration: PROCESS,
    images,
    driver: {
      ...{ name: PROCESS.name, stopSeconds: 1, hanging: () => [], ...processes },
      capturer: {
        capture: async ({ instance }) => {
          throw refused('UnsupportedOperation', `no image can be made of the program ${instance}`)
        },
        keep: async () => undefined,
      },
      storage: async () => [stateDir],
      close: async () => undefined,
    },
  }
}

function nameOf(text: string): DriverName {
  const name = parseDriverName(text)
  if (name === undefined) throw new Error(`${text} names no driver`)
  return name
}

function imageFile(stateDir: string, digest: string): string {
  return join(stateDir, IMAGES_DIRECTORY, digest)
}

function createImages(stateDir: string, { clock, log }: ProcessContext): Images {
  return createLookups({
    clock,
    log,
    async find({ location }) {
      const program = await readFile(location.slice(SCHEME.length)).catch((error: unknown) => {
        throw refused('InvalidParameterValue', `${location} cannot be read: ${error}`)
      })
      const digest = `sha256:${createHash('sha256').update(program).digest('hex')}`
      await mkdir(join(stateDir, 'process-images'), { recursive: true })
      await writeFile(imageFile(stateDir, digest), program, { mode: 0o755 })
      return { digest, architecture: ec2Architecture(process.arch), diskGiB: null }
    },
  })
}

const bootSchema = z.object({ bootCount: z.int() })

/**
 * Waits for its NIC, and writes how the program ended. `$0` is our mark, `$1` the directory of the
 * instance.
 */
const ENTRY = `
echo $$ >"$1/pid.new" && mv "$1/pid.new" "$1/pid"
until grep -q eth0: /proc/net/dev; do sleep 0.02; done
./program
echo $? >"$1/exit.new" && mv "$1/exit.new" "$1/exit"
`

/** The process that runs in this directory of an instance. */
async function pidIn(home: string): Promise<number | null> {
  const pid = Number(await readFile(join(home, 'pid'), 'utf8').catch(() => ''))
  if (!Number.isInteger(pid) || pid === 0) return null
  const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  return words.includes(home) ? pid : null
}

function createProcesses(stateDir: string, { host, mtuBytes }: ProcessContext) {
  const root = join(stateDir, INSTANCES_DIRECTORY)
  const home = (instance: InstanceId) => join(root, instance)
  const disk = (instance: InstanceId) => join(home(instance), 'disk')
  const file = (instance: InstanceId, name: string) => join(home(instance), name)
  /** By process id: what was plugged in, and the inode of its namespace. */
  const plugged = new Map<number, readonly NicWant[]>()
  const namespaces = new Map<number, number>()

  /** The process of an instance that runs. */
  const pidOf = (instance: InstanceId) => pidIn(home(instance))

  async function untilPid(instance: InstanceId, deadlineMs: number, isThere: boolean) {
    for (let waited = 0; waited < deadlineMs; waited += POLL_MS) {
      const pid = await pidOf(instance)
      if ((pid !== null) === isThere) return pid
      await sleep(POLL_MS)
    }
    throw unavailable(`${instance} has not ${isThere ? 'started' : 'ended'} in time`)
  }

  async function plug(want: InstanceWant): Promise<void> {
    const pid = await pidOf(want.id)
    if (pid === null) throw unavailable(`${want.id} does not run`)
    for (const nic of want.nics.toReversed()) {
      const spec = nicSpec(nic, mtuBytes, PROCESS.linkType)
      namespaces.set(pid, await host.plugNic(spec, pid, setupOf(nic)))
    }
    if ((await readRecord(file(want.id, 'boot.json'), bootSchema)) === null)
      await writeRecord(file(want.id, 'boot.json'), { bootCount: want.bootCount })
    plugged.set(pid, want.nics)
  }

  async function start(want: InstanceWant, _signal: AbortSignal, permit?: Permit): Promise<void> {
    if ((await pidOf(want.id)) === null) {
      await permit?.(null)
      await rm(file(want.id, 'exit'), { force: true })
      await rm(file(want.id, 'pid'), { force: true })
      await writeRecord(file(want.id, 'boot.json'), { bootCount: want.bootCount })
      await using console = await open(file(want.id, 'console'), 'a')
      const words = ['--net', 'sh', '-c', ENTRY, `atoll-${want.id}`, home(want.id)]
      const stdio = ['ignore', console.fd, console.fd] as const
      spawn('unshare', words, { cwd: disk(want.id), detached: true, stdio: [...stdio] }).unref()
      await untilPid(want.id, 10 * STOP_MS, true)
    }
    await plug(want)
  }

  async function stop(instance: InstanceId): Promise<void> {
    const pid = await pidOf(instance)
    if (pid === null) return
    // All of the group at once, so that nobody is left to say how it ended.
    process.kill(-pid, 'SIGKILL')
    await untilPid(instance, STOP_MS, false)
  }

  async function isPlugged(pid: number): Promise<boolean> {
    const nics = plugged.get(pid)
    if (nics === undefined) return false
    for (const nic of nics) {
      const spec = nicSpec(nic, mtuBytes, PROCESS.linkType)
      if (!(await host.isPlugged(spec, pid, setupOf(nic)))) return false
    }
    return true
  }

  async function stateOf(instance: InstanceId, hasBoot: boolean): Promise<WorkloadState> {
    const pid = await pidOf(instance)
    if (pid !== null) return { kind: 'running', plugged: await isPlugged(pid) }
    if (!(await exists(disk(instance)))) return { kind: hasBoot ? 'lost' : 'remains' }
    if (!hasBoot) return { kind: 'created' }
    const exit = await readFile(file(instance, 'exit'), 'utf8').catch(() => null)
    if (exit === null) return { kind: 'ended', by: 'outside', exitCode: 0 }
    return { kind: 'ended', by: 'itself', exitCode: Number(exit) }
  }

  async function list(): Promise<readonly WorkloadHave[]> {
    const names = await readdir(root).catch(() => [])
    const instances = names.flatMap((name) => instanceFromMark(name) ?? [])
    return Promise.all(
      instances.map(async (instance) => {
        const boot = await readRecord(file(instance, 'boot.json'), bootSchema)
        const state = await stateOf(instance, boot !== null)
        return { instance, bootCount: boot?.bootCount ?? null, state }
      }),
    )
  }

  async function replug(instance: InstanceId, nics: readonly NicWant[]) {
    const pid = await pidOf(instance)
    const namespace = pid === null ? undefined : namespaces.get(pid)
    if (pid === null || namespace === undefined) return []
    const repaired: string[] = []
    for (const nic of nics) {
      const spec = nicSpec(nic, mtuBytes, PROCESS.linkType)
      const found = await host.replugNic(spec, { pid, namespace }, setupOf(nic))
      repaired.push(...(found ?? []))
    }
    return repaired
  }

  return {
    list,
    replug,
    async launch(want: InstanceWant, digest: string, signal: AbortSignal, permit?: Permit) {
      const image = imageFile(stateDir, digest)
      if (!(await exists(image))) throw unavailable(`the image ${digest} is not available here`)
      await mkdir(disk(want.id), { recursive: true })
      await copyFile(image, join(disk(want.id), 'program'))
      await start(want, signal, permit)
    },
    start,
    plug,
    stop,
    async remove(instance: InstanceId) {
      await stop(instance)
      await rm(home(instance), { recursive: true, force: true })
    },
    async console(instance: InstanceId, limitBytes: number) {
      if (!(await exists(home(instance)))) return null
      const output = await readFile(file(instance, 'console')).catch(() => Buffer.alloc(0))
      return output.subarray(Math.max(0, output.length - limitBytes))
    },
    holds: (instance: InstanceId) => exists(home(instance)),
    async attach(instance: InstanceId, screen: Screen | null) {
      if (!(await exists(home(instance)))) return null
      const pid = await pidOf(instance)
      if (pid === null) throw notRunning(instance)
      return openShell(pid, disk(instance), screen, async () => {
        const isOver = (await pidOf(instance)) === null
        return isOver ? `${instance} has stopped` : null
      })
    },
    watch(changed: (instance: InstanceId | null) => void) {
      let before: ReadonlyMap<InstanceId, string> | null = null
      const timer = setInterval(async () => {
        const now = new Map((await list()).map(({ instance, state }) => [instance, state.kind]))
        if (before === null) changed(null)
        else for (const [id, kind] of now) if (before.get(id) !== kind) changed(id)
        before = now
      }, POLL_MS)
      return () => clearInterval(timer)
    },
  }
}

function setupOf({ ip, subnetCidr, gateway, deviceIndex }: NicWant) {
  const address = { ip, prefix: subnetCidr.prefix, gateway: deviceIndex === 0 ? gateway : null }
  return { name: `eth${deviceIndex}`, address }
}

/** A shell beside the program. `whyOver` says why it has to end, once it has. */
function openShell(
  pid: number,
  cwd: string,
  screen: Screen | null,
  whyOver: () => Promise<string | null>,
): Terminal {
  const inside = `exec nsenter --net=/proc/${pid}/ns/net sh`
  const command =
    screen === null
      ? ['sh', '-c', `${inside} 2>&1`]
      : ['script', '--quiet', '--flush', '--return', '--command', `${inside} -i`, '/dev/null']
  const [program = '', ...words] = command
  const shell = spawn(program, words, { cwd, detached: true, stdio: ['pipe', 'pipe', 'ignore'] })
  const output = new PassThrough()
  shell.stdout.pipe(output)
  shell.stdin.on('error', () => undefined)
  const exited = new Promise<number | null>((resolve) => shell.once('close', resolve))
  const kill = (): void => {
    if (shell.pid !== undefined && shell.exitCode === null && shell.signalCode === null)
      process.kill(-shell.pid, 'SIGKILL')
  }
  const timer = setInterval(async () => {
    if ((await whyOver()) !== null) kill()
  }, POLL_MS)
  exited.then(() => clearInterval(timer))
  return {
    kind: 'shell',
    output,
    input: shell.stdin,
    resize: async () => undefined,
    async end() {
      const exitCode = await exited
      const why = await whyOver()
      return why === null
        ? { exitCode, reason: 'the shell has ended' }
        : { exitCode: null, reason: why }
    },
    async close() {
      kill()
      await exited
    },
  }
}
